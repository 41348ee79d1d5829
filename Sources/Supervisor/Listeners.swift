// SPDX-License-Identifier: Apache-2.0
// The listening sockets: inherited from systemd, or bound here. They outlive every front.
// Source: systemd.socket(5) "FileDescriptorName=".

import Config
import Glibc
import Posix
import ServiceManager

/// A socket that cannot be bound, in words for people.
struct ListenFault: Error, CustomStringConvertible {
    let description: String
}

struct Listeners {
    private(set) var http: [SharedDescriptor] = []
    private(set) var metrics: [SharedDescriptor] = []
    /// Sockets whose file mode decides who may connect; their clients need no key.
    private(set) var admin: [SharedDescriptor] = []
    private var own: [(address: ListenAddress, descriptor: SharedDescriptor)] = []
    private let isInherited: Bool

    /// Sockets named "metrics" serve the exporter, those named "admin" administrators, all others clients; without any
    /// of the last kind, `settings` decides.
    init(_ inherited: inout InheritedDescriptors, _ settings: ListenSettings) throws {
        for (name, descriptor) in try inherited.takeAll(prefix: "") {
            // systemd's sockets block, and accept(2) is called until nothing waits.
            try descriptor.setNonBlocking(true)
            if name.hasPrefix("metrics") || name.hasPrefix("ccr-metrics") {
                metrics.append(descriptor)
            } else if name.hasPrefix("admin") || name.hasPrefix("ccr-admin") {
                admin.append(descriptor)
            } else {
                http.append(descriptor)
            }
        }
        isInherited = !http.isEmpty
        if !isInherited { try adopt(settings) }
    }

    /// Takes over what an earlier version of the supervisor had.
    init(adopting list: [Handover.Listener]) {
        for entry in list {
            let descriptor = SharedDescriptor(FileDescriptor(owning: entry.descriptor))
            switch entry.kind {
            case .tcp: own.append((.tcp(host: entry.host, port: entry.port), descriptor))
            case .unix: own.append((.unix(path: entry.host), descriptor))
            case .inherited: http.append(descriptor)
            case .metrics: metrics.append(descriptor)
            case .admin: admin.append(descriptor)
            }
        }
        isInherited = !http.isEmpty
        if !isInherited { http = own.map(\.descriptor) }
    }

    /// What the next version of the supervisor needs to go on with the sockets.
    var handover: [Handover.Listener] {
        func entries(_ kind: Handover.Listener.Kind, _ list: [SharedDescriptor]) -> [Handover.Listener] {
            list.map { Handover.Listener(kind: kind, host: "", port: 0, descriptor: $0.raw) }
        }
        let bound = own.map { entry in
            switch entry.address {
            case .tcp(let host, let port):
                Handover.Listener(kind: .tcp, host: host, port: port, descriptor: entry.descriptor.raw)
            case .unix(let path):
                Handover.Listener(kind: .unix, host: path, port: 0, descriptor: entry.descriptor.raw)
            }
        }
        return bound + entries(.inherited, isInherited ? http : []) + entries(.metrics, metrics)
            + entries(.admin, admin)
    }

    /// Binds the addresses of a configuration; those bound already stay as they are.
    mutating func adopt(_ settings: ListenSettings) throws(ListenFault) {
        guard !isInherited else { return }
        var wanted: [ListenAddress] = [.tcp(host: settings.host, port: settings.port)]
        if let path = settings.socketPath { wanted.append(.unix(path: path)) }
        var bound: [(ListenAddress, SharedDescriptor)] = []
        for address in wanted {
            if let known = own.first(where: { $0.address == address }) {
                bound.append((address, known.descriptor))
            } else {
                bound.append((address, SharedDescriptor(try Listeners.bind(address))))
            }
        }
        own = bound
        http = bound.map { $0.1 }
    }

    private static func bind(_ address: ListenAddress) throws(ListenFault) -> FileDescriptor {
        do {
            return try Socket.listen(address)
        } catch {
            var text = "cannot listen on \(address): \(error)"
            if error.code == EADDRINUSE, case .tcp(_, let port) = address,
                let holder = PortHolder.find(port: port)
            {
                text += "; the port is held by \(holder)"
            }
            throw ListenFault(description: text)
        }
    }

    /// Closes the sockets bound here; inherited ones stay with whoever made them.
    mutating func closeOwn() {
        own = []
        if !isInherited { http = [] }
    }

    /// "http://127.0.0.1:3456" or "2 inherited sockets".
    var description: String {
        if isInherited { return "\(http.count) inherited socket\(http.count == 1 ? "" : "s")" }
        return own.map { entry in
            switch entry.address {
            case .tcp(let host, _):
                let port = Socket.localPort(entry.descriptor.raw) ?? 0
                return "http://\(ListenAddress.tcp(host: host, port: port))"
            case .unix(let path): return path
            }
        }.joined(separator: ", ")
    }
}
