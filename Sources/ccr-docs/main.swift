// SPDX-License-Identifier: Apache-2.0
// Writes the manual pages, the completions and the JSON Schema: `ccr-docs TEMPLATES OUTPUT`. A tool of the build; it is
// not shipped. SOURCE_DATE_EPOCH, when set, is the date of the pages, so that builds are reproducible.

import CLI
import Config
import Glibc
import Manual
import Posix

func fail(_ message: String) -> Never {
    StandardTerminal().complain("ccr-docs: \(message)")
    exit(1)
}

func date() -> String {
    var seconds = time(nil)
    if let text = OwnProcess.environment["SOURCE_DATE_EPOCH"] {
        guard let value = Int(text), value >= 0 else { fail("SOURCE_DATE_EPOCH is no number") }
        seconds = value
    }
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + String(number) }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
}

/// Makes a directory and those above it.
func makeDirectory(_ path: String) {
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex { makeDirectory(String(path[..<slash])) }
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else { fail("\(path): \(Errno("mkdir"))") }
}

let words = CommandLine.arguments
guard words.count == 3 else { fail("usage: ccr-docs TEMPLATES OUTPUT") }
let documents: [Documents.File]
do {
    documents = try Documents.make(templates: words[1], files: DiskFiles(), date: date())
} catch {
    fail("\(error)")
}
for document in documents {
    let path = "\(words[2])/\(document.path)"
    if let slash = path.lastIndex(of: "/") { makeDirectory(String(path[..<slash])) }
    guard let file = fopen(path, "w") else { fail("\(path): \(Errno("open"))") }
    guard fputs(document.text, file) >= 0, fclose(file) == 0 else { fail("\(path): \(Errno("write"))") }
}
