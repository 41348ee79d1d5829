// SPDX-License-Identifier: Apache-2.0
import Config
import Glibc
import Supervisor

func runCommand() -> Int32 {
    var path: String?
    let arguments = CommandLine.arguments
    if let index = arguments.firstIndex(of: "--config"), index + 1 < arguments.count {
        path = arguments[index + 1]
    }
    var environment: [String: String] = [:]
    var entry = environ
    while let text = entry.pointee {
        let line = String(cString: text)
        if let equals = line.firstIndex(of: "=") {
            environment[String(line[..<equals])] = String(line[line.index(after: equals)...])
        }
        entry += 1
    }
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    let exe = String(decoding: buffer[..<max(count, 0)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let directory = String(exe[..<(exe.lastIndex(of: "/") ?? exe.startIndex)])
    let loader = ConfigLoader(surroundings: Surroundings(environment: environment, isRoot: getuid() == 0))
    return SupervisorProcess.run(
        SupervisorOptions(load: { loader.load(path: path) }, executableDirectory: directory, drainMsec: nil))
}
