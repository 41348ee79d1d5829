// SPDX-License-Identifier: Apache-2.0
// Noticing that another file stands under a name.

import Glibc
import Sandbox
import Testing

@testable import Supervisor

@Suite("Watched files") struct WatchedFilesTests {
    private let path = "/tmp/ccr-watched-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

    private func write(_ text: String, to path: String) {
        let fd = open(path, O_CREAT | O_WRONLY | O_APPEND, 0o600)
        _ = text.withCString { Glibc.write(fd, $0, strlen($0)) }
        close(fd)
    }

    @Test("A file that is changed is the same, one that is renamed over it is not")
    func replaced() {
        defer { unlink(path) }
        write("old", to: path)
        var files = WatchedFiles([.path(path), .path("/usr/lib")])
        #expect(files.update() == [])
        write("more", to: path)
        #expect(files.update() == [])
        write("new", to: path + ".new")
        rename(path + ".new", path)
        #expect(files.update() == [path])
        #expect(files.update() == [])
    }

    @Test("A file that is missing is told of when another one comes")
    func missing() {
        defer { unlink(path) }
        var files = WatchedFiles([.path(path)])
        #expect(files.update() == [])
        write("first", to: path)
        #expect(files.update() == [path])
        rename(path, path + ".old")
        defer { unlink(path + ".old") }
        #expect(files.update() == [])
        write("second", to: path)
        #expect(files.update() == [path])
    }
}
