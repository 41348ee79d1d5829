// SPDX-License-Identifier: Apache-2.0
// The generated documents as files: what `ccr-docs` writes and a package installs. They are not kept in the repository:
// whoever packages them has just built the generator, and what exists once cannot drift.

import CLI
package import Config
import Posix
import Providers

package enum Documents {
    /// A file to write, named relative to the output directory.
    package struct File {
        package let path: String
        package let text: String
    }

    /// Why there are no documents.
    package struct Fault: Error, CustomStringConvertible {
        package let description: String
    }

    /// Every file.
    ///
    /// - Parameters:
    ///   - templates: the directory of the manual pages' templates, *.in.
    ///   - date: of the manual pages, "2026-11-26".
    package static func make(templates: String, files: any FileSource, date: String) throws(Fault) -> [File] {
        var result = [
            File(path: "completions/ccr.bash", text: Completions.bash(CommandTable.commands)),
            File(path: "completions/_ccr", text: Completions.zsh(CommandTable.commands)),
            File(path: "completions/ccr.fish", text: Completions.fish(CommandTable.commands)),
            File(path: "config.schema.json", text: JSONSchema.text()),
            File(path: "models.json", text: ModelTableText.json(ModelTable.all)),
        ]
        let names: [String]
        do {
            names = try files.names(in: templates).filter { $0.hasSuffix(".in") }.sorted()
        } catch {
            throw Fault(description: "\(templates): \(error)")
        }
        guard !names.isEmpty else { throw Fault(description: "\(templates): holds no template") }
        for name in names {
            let template: [UInt8]
            do {
                template = try files.read("\(templates)/\(name)", limit: 1 << 20)
            } catch {
                throw Fault(description: "\(templates)/\(name): \(error)")
            }
            do {
                let page = try ManualPages.page(
                    template: String(decoding: template, as: UTF8.self), date: date)
                result.append(File(path: "man/\(name.dropLast(3))", text: page))
            } catch {
                throw Fault(description: "\(templates)/\(name): \(error.message)")
            }
        }
        return result
    }
}
