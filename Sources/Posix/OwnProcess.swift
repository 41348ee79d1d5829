// SPDX-License-Identifier: Apache-2.0
// What a process knows of itself.
// Source: environ(7), proc(5) "/proc/self/exe".

import Glibc

package enum OwnProcess {
    /// The environment; of a name that occurs twice the first value counts, as for getenv(3).
    package static var environment: [String: String] {
        var result: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let line = String(cString: text)
            if let equals = line.firstIndex(of: "=") {
                let name = String(line[..<equals])
                if result[name] == nil { result[name] = String(line[line.index(after: equals)...]) }
            }
            entry += 1
        }
        return result
    }

    /// The working directory, or "." when it has been removed.
    package static var workingDirectory: String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard getcwd(&path, path.count) != nil else { return "." }
        return String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The directory of the running executable, or "." when the kernel does not tell.
    package static var executableDirectory: String {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &target, target.count)
        guard count > 0 else { return "." }
        let path = String(decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Becomes the program at `path`, with this process's id, children and inheritable descriptors.
    ///
    /// - Returns: only when that failed, the error of execve.
    package static func replace(path: String, arguments: [String], environment: [String]) -> Errno {
        let argv = arguments.map { strdup($0) } + [nil]
        let envp = environment.map { strdup($0) } + [nil]
        execve(path, argv, envp)
        let error = Errno("execve")
        for text in argv + envp { free(text) }
        return error
    }
}
