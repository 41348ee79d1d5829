// SPDX-License-Identifier: Apache-2.0
// The listening sockets: bound once, kept over reloads, closed for the drain.

import Config
import Glibc
import Posix
import ServiceManager
import Testing

@testable import Supervisor

@Suite("Listeners") struct ListenerTests {
    private func settings(port: UInt16 = 0, path: String? = nil) throws -> ListenSettings {
        let text = """
            {"Providers": [{"name": "p", "api_base_url": "https://h.example/v1", "models": ["m"]}],
             "Router": {"default": "p,m"}, "HOST": "127.0.0.1"}
            """
        let loaded = ConfigLoader(
            files: OneText(text: text), surroundings: Surroundings(environment: [:], isRoot: false)
        ).load(path: "c.json", overrides: ConfigOverrides())
        var settings = try #require(loaded.configuration).listen
        settings.port = port
        settings.socketPath = path
        return settings
    }

    private struct OneText: FileSource {
        let text: String
        func read(_ path: String, limit: Int) throws(Errno) -> [UInt8] {
            guard path == "c.json" else { throw Errno("open", code: ENOENT) }
            return Array(text.utf8)
        }
        func names(in directory: String) throws(Errno) -> [String] { [] }
    }

    private func listeners(_ settings: ListenSettings) throws -> Listeners {
        // Nothing is inherited: the test's own process has no LISTEN_FDS.
        var inherited = try InheritedDescriptors()
        return try Listeners(&inherited, settings)
    }

    @Test("What is configured is bound and described as a URL")
    func bound() throws {
        let listeners = try listeners(settings())
        #expect(listeners.http.count == 1)
        let listener = try #require(listeners.http.first)
        let port = try #require(Socket.localPort(listener.raw))
        #expect(listeners.description == "http://127.0.0.1:\(port)")
        #expect(listeners.metrics.isEmpty)
    }

    @Test("A Unix socket comes beside the port")
    func unix() throws {
        let path = "/tmp/ccr-listener-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { unlink(path) }
        let listeners = try listeners(settings(path: path))
        #expect(listeners.http.count == 2)
        #expect(listeners.description.hasSuffix(", \(path)"))
        #expect(access(path, F_OK) == 0)
    }

    @Test("A reload keeps the sockets of addresses that stay and binds the new ones")
    func adopt() throws {
        let path = "/tmp/ccr-listener-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { unlink(path) }
        var listeners = try listeners(settings())
        let first = try #require(listeners.http.first)
        try listeners.adopt(settings(path: path))
        #expect(listeners.http.count == 2)
        #expect(listeners.http.first === first)
        try listeners.adopt(settings())
        #expect(listeners.http.count == 1)
        #expect(listeners.http.first === first)
    }

    @Test("An address that cannot be bound leaves the old sockets, and the error names the holder")
    func taken() throws {
        let other = try Socket.listen(.tcp(host: "127.0.0.1", port: 0))
        let port = try #require(Socket.localPort(other.raw))
        var listeners = try listeners(settings())
        let first = try #require(listeners.http.first)
        let fault = #expect(throws: ListenFault.self) { try listeners.adopt(settings(port: port)) }
        let text = fault?.description ?? ""
        #expect(
            text.hasPrefix(
                "cannot listen on 127.0.0.1:\(port): bind: Address already in use; the port is held by "))
        #expect(text.hasSuffix("(pid \(getpid()))"))
        #expect(listeners.http.first === first)
        _ = consume other
    }

    @Test("Closing gives up what was bound here")
    func close() throws {
        var listeners = try listeners(settings())
        listeners.closeOwn()
        #expect(listeners.http.isEmpty)
        #expect(listeners.description == "")
    }
}
