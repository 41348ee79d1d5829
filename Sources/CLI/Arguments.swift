// SPDX-License-Identifier: Apache-2.0
// Takes the words behind a command apart: options, their values, operands.
// Source: getopt_long(3) for the forms "--name value", "--name=value", "-n value".

import Config

/// The words behind a command, taken apart.
struct Arguments: Equatable {
    /// Values by the long name of the option; "" for switches.
    private(set) var options: [String: String] = [:]
    /// In the order of the command's operands.
    private(set) var operands: [String] = []

    /// - Throws: the first word that the command does not know, an option without its value, a missing operand.
    init(_ words: [String], of command: Command) throws(UsageError) {
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("-"), word.count > 1 else {
                guard operands.count < command.operands.count else {
                    throw UsageError(message: "unexpected argument \(quoted(word))")
                }
                operands.append(word)
                continue
            }
            let name = String(word.prefix { $0 != "=" })
            guard let option = command.options.first(where: { $0.name == name || $0.short == word }) else {
                let hint = Spelling.hint(name, in: command.options.map(\.name) + ["--help"])
                throw UsageError(message: "unknown option \(quoted(name))\(hint)")
            }
            guard options[option.name] == nil else { throw UsageError(message: "\(name) is given twice") }
            let attached = word.count > name.count ? String(word.dropFirst(name.count + 1)) : nil
            guard let value = option.value else {
                guard attached == nil else { throw UsageError(message: "\(name) takes no value") }
                options[option.name] = ""
                continue
            }
            guard let text = attached ?? rest.popFirst(), !text.isEmpty else {
                throw UsageError(message: "\(name) needs a value: \(name) \(value)")
            }
            options[option.name] = text
        }
        for operand in command.operands.dropFirst(operands.count) where operand.isRequired {
            throw UsageError(message: "\(operand.name) is missing")
        }
    }
}
