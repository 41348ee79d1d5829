// SPDX-License-Identifier: Apache-2.0
// A blocking request to a running ccr; every step ends at one common deadline.
// Source: connect(2), poll(2), socket(7); RFC 9112 §3, §9.6 (Connection: close).

package import Config
import Glibc
package import Posix

package enum HTTPClient {
    /// The largest response.
    package static let maximumBytes = 16 << 20
    /// The time for a whole exchange.
    package static let timeoutMs = 5_000

    /// Why there is no response, in words for a person.
    package struct Failure: Error, Equatable {
        package let message: String
    }

    /// Asks for `path` at a numeric address or at a Unix socket.
    ///
    /// - Parameters:
    ///   - json: sent by POST when given; else it is a GET.
    ///   - key: sent as a bearer token when given.
    /// - Throws: nothing listens, no answer in time, or no HTTP.
    package static func ask(
        _ path: String, json: [UInt8]? = nil, at address: ListenAddress, key: Secret?,
        timeoutMs: Int = timeoutMs
    ) throws(Failure) -> HTTPResponse {
        let deadline = Clock.monotonicUsec() + UInt64(timeoutMs) * 1_000
        let socket = try connect(address, deadline)
        var authority = "localhost"
        if case .tcp = address { authority = address.description }
        var request = Array(
            ("\(json == nil ? "GET" : "POST") \(path) HTTP/1.1\r\nHost: \(authority)\r\nUser-Agent: ccr-cli\r\n"
                + "Connection: close\r\n").utf8)
        if let key {
            request += Array("Authorization: Bearer ".utf8) + key.expose() + Array("\r\n".utf8)
        }
        if let json {
            request += Array("Content-Type: application/json\r\nContent-Length: \(json.count)\r\n".utf8)
        }
        request += Array("\r\n".utf8) + (json ?? [])
        try send(request, socket.raw, deadline)
        return try receive(socket.raw, deadline)
    }

    /// A connected, non-blocking socket; `deadline` is in CLOCK_MONOTONIC microseconds.
    static func connect(_ address: ListenAddress, _ deadline: UInt64) throws(Failure) -> FileDescriptor {
        var (storage, size) = try socketAddress(address)
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let raw = socket(Int32(storage.ss_family), kind, 0)
        guard raw >= 0 else { throw Failure(message: Errno("socket").description) }
        let descriptor = FileDescriptor(owning: raw)
        let result = withUnsafePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(raw, $0, size) }
        }
        if result == 0 { return descriptor }
        guard errno == EINPROGRESS else { throw Failure(message: Errno("connect").description) }
        try wait(raw, Int16(POLLOUT), deadline)
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(raw, SOL_SOCKET, SO_ERROR, &code, &length)
        guard code == 0 else { throw Failure(message: Errno("connect", code: code).description) }
        return descriptor
    }

    private static func socketAddress(_ address: ListenAddress) throws(Failure) -> (
        sockaddr_storage, socklen_t
    ) {
        var storage = sockaddr_storage()
        func store<Address>(_ value: Address) -> (sockaddr_storage, socklen_t) {
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: value, as: Address.self) }
            return (storage, socklen_t(MemoryLayout<Address>.size))
        }
        switch address {
        case .unix(let path):
            do {
                return store(try Socket.unixAddress(path))
            } catch {
                throw Failure(message: error.description)
            }
        case .tcp(let host, let port):
            var four = in_addr()
            var six = in6_addr()
            if inet_pton(AF_INET, host, &four) == 1 {
                return store(
                    sockaddr_in(
                        sin_family: sa_family_t(AF_INET), sin_port: port.bigEndian, sin_addr: four,
                        sin_zero: (0, 0, 0, 0, 0, 0, 0, 0)))
            } else if inet_pton(AF_INET6, host, &six) == 1 {
                return store(
                    sockaddr_in6(
                        sin6_family: sa_family_t(AF_INET6), sin6_port: port.bigEndian, sin6_flowinfo: 0,
                        sin6_addr: six, sin6_scope_id: 0))
            }
            throw Failure(message: "\(quoted(host)) is no numeric address")
        }
    }

    private static func wait(_ raw: Int32, _ events: Int16, _ deadline: UInt64) throws(Failure) {
        while true {
            let now = Clock.monotonicUsec()
            guard now < deadline else { throw Failure(message: "no answer in time") }
            var entry = pollfd(fd: raw, events: events, revents: 0)
            let count = poll(&entry, 1, Int32((deadline - now) / 1_000 + 1))
            if count > 0 { return }
            if count < 0, errno != EINTR { throw Failure(message: Errno("poll").description) }
        }
    }

    private static func send(_ bytes: [UInt8], _ raw: Int32, _ deadline: UInt64) throws(Failure) {
        var offset = 0
        while offset < bytes.count {
            try wait(raw, Int16(POLLOUT), deadline)
            let result = bytes.withUnsafeBytes { buffer in
                Result { () throws(Errno) in
                    try Socket.send(raw, UnsafeRawBufferPointer(rebasing: buffer[offset...]))
                }
            }
            switch result {
            case .success(.bytes(let count)): offset += count
            case .success: break
            case .failure(let error): throw Failure(message: error.description)
            }
        }
    }

    private static func receive(_ raw: Int32, _ deadline: UInt64) throws(Failure) -> HTTPResponse {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            try wait(raw, Int16(POLLIN), deadline)
            let result = chunk.withUnsafeMutableBytes { buffer in
                Result { () throws(Errno) in try Socket.receive(raw, into: buffer) }
            }
            var atEnd = false
            switch result {
            case .success(.bytes(let count)): bytes.append(contentsOf: chunk[..<count])
            case .success(.end): atEnd = true
            case .success(.wouldBlock): continue
            case .failure(let error): throw Failure(message: error.description)
            }
            guard bytes.count <= maximumBytes else { throw Failure(message: "the answer is too large") }
            do {
                if let response = try HTTPResponse.parse(bytes, atEnd: atEnd) { return response }
            } catch {
                throw Failure(message: "what answers is not ccr (\(error))")
            }
        }
    }
}
