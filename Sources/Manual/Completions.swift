// SPDX-License-Identifier: Apache-2.0
// Completions of bash, zsh and fish, made of the command table.
// Source: bash(1) "Programmable Completion"; zshcompsys(1) "_arguments", "_describe"; fish's complete(1).

package import CLI

package enum Completions {
    // MARK: - bash

    /// Works without the package bash-completion. bash splits words at "=": "--config=FILE" arrives as three.
    package static func bash(_ commands: [Command]) -> String {
        var prefixes: [String] = []
        for command in commands {
            for count in 1...command.words.count {
                let prefix = command.words.prefix(count).joined(separator: " ")
                if !prefixes.contains(prefix) { prefixes.append(prefix) }
            }
        }
        let values = commands.flatMap { command in
            command.options.filter { $0.value != nil }.map { option in
                let names = ([option.short, option.name] as [String?]).compactMap { $0 }
                let patterns = names.map { shell("\(command.name) \($0)") }.joined(separator: " | ")
                return "        \(patterns)) \(bash(option.completion, commands)); return ;;\n"
            }
        }
        let operands = commands.compactMap { command in
            command.operands.first.map {
                "            \(shell(command.name))) \(bash($0.completion, commands)) ;;\n"
            }
        }
        let options = commands.map { command in
            let names = command.options.map(\.name) + ["--help"]
            return
                "            \(shell(command.name))) _ccr_offer \(shell(names.joined(separator: " "))) ;;\n"
        }
        let groups = ([""] + prefixes).compactMap { prefix in
            let words = next(behind: prefix, commands).joined(separator: " ")
            return words.isEmpty ? nil : "            \(shell(prefix))) _ccr_offer \(shell(words)) ;;\n"
        }
        return """
            # bash completion for ccr(1)

            _ccr_offer() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current"); }
            _ccr_offer_files() { compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); }
            _ccr() {
                local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command= longer index
                COMPREPLY=()
                if [ "$current" = = ]; then
                    current=
                elif [ "$previous" = = ]; then
                    previous=${COMP_WORDS[COMP_CWORD - 2]}
                fi
                for ((index = 1; index < COMP_CWORD; index++)); do
                    longer="${command:+$command }${COMP_WORDS[index]}"
                    case $longer in
                        \(prefixes.map(shell).joined(separator: " | "))) command=$longer ;;
                        *) break ;;
                    esac
                done
                case "$command $previous" in
            \(values.joined())    esac
                case $current in
                    -*)
                        case $command in
            \(options.joined())            esac
                        ;;
                    *)
                        case $command in
            \(groups.joined())\(operands.joined())            esac
                        ;;
                esac
            }
            complete -F _ccr ccr

            """
    }

    private static func bash(_ completion: Completion, _ commands: [Command]) -> String {
        switch completion {
        case .nothing: ":"
        case .files: "_ccr_offer_files"
        case .words(let words): "_ccr_offer \(shell(words.joined(separator: " ")))"
        case .commands: "_ccr_offer \(shell(next(behind: "", commands).joined(separator: " ")))"
        }
    }

    // MARK: - zsh

    package static func zsh(_ commands: [Command]) -> String {
        let firsts = next(behind: "", commands)
        let functions = firsts.filter { commands.first(named: $0) == nil }.map { first in
            let below = commands.filter { $0.words.first == first }
            return zshFunction(
                "_ccr_\(first)", below.map { ($0.words[1], $0.summary, zshArguments($0, commands)) })
        }
        let rows = firsts.map { first in
            guard let command = commands.first(named: first) else {
                let below = commands.filter { $0.words.first == first }.map(\.summary)
                return (first, below.joined(separator: ", "), "_ccr_\(first)")
            }
            return (first, command.summary, zshArguments(command, commands))
        }
        return """
            #compdef ccr

            \((functions + [zshFunction("_ccr", rows)]).joined(separator: "\n"))
            _ccr "$@"

            """
    }

    /// A function that completes a word and then what stands behind it.
    private static func zshFunction(_ name: String, _ rows: [(word: String, help: String, action: String)])
        -> String
    {
        """
        \(name)() {
            local context state state_descr line
            typeset -A opt_args
            local -a commands=(
        \(rows.map { "        \(shell("\($0.word):\($0.help)"))\n" }.joined())    )
            _arguments -C '1:command:->command' '*::argument:->argument'
            case $state in
                command) _describe command commands ;;
                argument)
                    case $words[1] in
        \(rows.map { "                \($0.word)) \($0.action) ;;\n" }.joined())            esac
                    ;;
            esac
        }

        """
    }

    private static func zshArguments(_ command: Command, _ commands: [Command]) -> String {
        var specifications: [String] = []
        for option in command.options {
            let help = "[\(zsh(option.help))]"
            let value = option.value.map { ":\($0):\(zsh(option.completion, commands))" } ?? ""
            specifications.append("\(option.name)\(option.value == nil ? "" : "=")\(help)\(value)")
            if let short = option.short { specifications.append("\(short)\(help)\(value)") }
        }
        specifications.append("--help[show this help]")
        for (index, operand) in command.operands.enumerated() {
            specifications.append("\(index + 1):\(operand.name):\(zsh(operand.completion, commands))")
        }
        return "_arguments" + specifications.map { " \\\n                    \(shell($0))" }.joined()
    }

    private static func zsh(_ completion: Completion, _ commands: [Command]) -> String {
        switch completion {
        case .nothing: " "
        case .files: "_files"
        case .words(let words): "(\(words.joined(separator: " ")))"
        case .commands: "(\(next(behind: "", commands).joined(separator: " ")))"
        }
    }

    /// Text inside the brackets of an option.
    private static func zsh(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("[", with: "\\[").replacing("]", with: "\\]")
    }

    // MARK: - fish

    package static func fish(_ commands: [Command]) -> String {
        var lines = ["# fish completion for ccr(1)", "", "complete -c ccr -f"]
        for first in next(behind: "", commands) {
            let help = commands.filter { $0.words.first == first }.map(\.summary).joined(separator: ", ")
            lines.append("complete -c ccr -n __fish_use_subcommand -a \(first) -d \(fish(help))")
        }
        for command in commands {
            let seen = command.words.map { "__fish_seen_subcommand_from \($0)" }
            if command.words.count > 1 {
                let below = next(behind: command.words[0], commands).joined(separator: " ")
                let condition = "\(seen[0]); and not __fish_seen_subcommand_from \(below)"
                lines.append(
                    "complete -c ccr -n \(fish(condition)) -a \(command.words[1]) -d \(fish(command.summary))"
                )
            }
            let condition = "complete -c ccr -n \(fish(seen.joined(separator: "; and ")))"
            for option in command.options {
                let short = option.short.map { " -s \($0.dropFirst())" } ?? ""
                let value = option.value == nil ? "" : fish(option.completion, commands, isOption: true)
                lines.append(
                    "\(condition)\(short) -l \(option.name.dropFirst(2))\(value) -d \(fish(option.help))")
            }
            lines.append("\(condition) -l help -d 'show this help'")
            for operand in command.operands where operand.completion != .nothing {
                lines.append(
                    "\(condition)\(fish(operand.completion, commands, isOption: false)) -d \(fish(operand.help))"
                )
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func fish(_ completion: Completion, _ commands: [Command], isOption: Bool) -> String {
        switch completion {
        case .nothing: isOption ? " -x" : ""
        case .files: isOption ? " -r -F" : " -F"
        case .words(let words): (isOption ? " -x" : "") + " -a \(fish(words.joined(separator: " ")))"
        case .commands: " -a \(fish(next(behind: "", commands).joined(separator: " ")))"
        }
    }

    private static func fish(_ text: String) -> String {
        "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }

    // MARK: - In common

    /// The words that may follow the words of `prefix`, each once, in the order of the table.
    private static func next(behind prefix: String, _ commands: [Command]) -> [String] {
        let given = prefix.split(separator: " ").map(String.init)
        var words: [String] = []
        for command in commands where command.words.count > given.count && command.words.starts(with: given) {
            let word = command.words[given.count]
            if !words.contains(word) { words.append(word) }
        }
        return words
    }

    /// The text in quotes of bash and zsh.
    private static func shell(_ text: String) -> String {
        "'" + text.replacing("'", with: "'\\''") + "'"
    }
}

extension [Command] {
    fileprivate func first(named name: String) -> Command? { first { $0.name == name } }
}
