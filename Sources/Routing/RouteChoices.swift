// SPDX-License-Identifier: Apache-2.0
// Destinations by share, and the routes of each kind of client by what a request is for.

import Config
import IPC

/// One destination or several; each session stays with the one it got.
struct Choice: Equatable, Sendable {
    struct Share: Equatable, Sendable {
        let destination: Destination
        /// The sum of the shares up to this one, from 1.
        let upTo: UInt64
    }

    /// At least one; none whose share is 0.
    let shares: [Share]
    /// Where copies go.
    var shadow: Shadow?

    struct Shadow: Equatable, Sendable {
        let destination: Destination
        /// Of a hundred requests.
        let percent: UInt8
    }

    /// - Returns: nil when no destination has a share.
    init?(_ weighted: [(destination: Destination, weight: Int)]) {
        var sum: UInt64 = 0
        var list: [Share] = []
        for (destination, weight) in weighted where weight > 0 {
            sum += UInt64(weight)
            list.append(Share(destination: destination, upTo: sum))
        }
        guard !list.isEmpty else { return nil }
        shares = list
    }

    /// The one that stands for all where only one can.
    var first: Destination? { shares.first?.destination }

    /// The destination of a session.
    func pick(_ session: UInt64) -> Destination? {
        guard shares.count > 1, let total = shares.last?.upTo else { return first }
        let point = SessionHash.mixed(session) % total
        return shares.first { point < $0.upTo }?.destination
    }
}

/// A choice and the key of the configuration that made it.
struct NamedChoice: Equatable, Sendable {
    let key: String
    let choice: Choice
}

/// The routes for one kind of client: its own, and Router's where it has none.
struct ClientRoutes: Equatable, Sendable {
    var standard: NamedChoice?
    /// By the raw value of the kind.
    var kinds: [NamedChoice?]
    /// Input tokens above which a request is of the kind longContext.
    var threshold: Int

    init(standard: NamedChoice? = nil, kinds: [NamedChoice?], threshold: Int) {
        self.standard = standard
        self.kinds = kinds
        self.threshold = threshold
    }

    /// - Parameters:
    ///   - own: the frontend's settings under their key, if there are any.
    ///   - follow: turns a choice of the configuration into destinations.
    init(
        _ router: RouterSettings, own: (key: String, settings: FrontendSettings)?,
        follow: (RouteChoice) -> Choice?
    ) {
        func named(_ choice: RouteChoice?, _ key: String) -> NamedChoice? {
            choice.flatMap(follow).map { NamedChoice(key: key, choice: $0) }
        }
        standard =
            named(own?.settings.default, (own?.key ?? "") + ".default")
            ?? named(router.default, "Router.default")
        kinds = RequestKind.allCases.map { kind in
            let choice = { (routes: [KindRoute]) in routes.first { $0.kind == kind }?.choice }
            return named(own.flatMap { choice($0.settings.kinds) }, "\(own?.key ?? "").\(kind.name)")
                ?? named(choice(router.kinds), "Router.\(kind.name)")
        }
        threshold = own?.settings.longContextThreshold ?? router.longContextThreshold
    }

    func route(_ kind: RequestKind) -> NamedChoice? { kinds[Int(kind.rawValue)] }
}

extension Choice: WireCodable {
    package func encode(to writer: inout WireWriter) {
        var before: UInt64 = 0
        writer.put(list: shares) { writer, share in
            writer.put(share.destination)
            writer.put(UInt32(clamping: share.upTo - before))
            before = share.upTo
        }
        writer.put(shadow) { writer, shadow in
            writer.put(shadow.destination)
            writer.put(shadow.percent)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let weighted = try reader.getList { (reader) throws(WireError) in
            (destination: try reader.get(Destination.self), weight: Int(try reader.get(UInt32.self)))
        }
        guard var choice = Choice(weighted) else { throw .invalidValue("a choice without a share") }
        choice.shadow = try reader.getOptional { (reader) throws(WireError) in
            Shadow(destination: try reader.get(), percent: try reader.get())
        }
        self = choice
    }
}

extension NamedChoice: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(key)
        writer.put(choice)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        key = try reader.getString()
        choice = try reader.get()
    }
}

extension ClientRoutes: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(standard) { $0.put($1) }
        writer.put(list: kinds) { writer, choice in writer.put(choice) { $0.put($1) } }
        writer.put(UInt64(max(0, threshold)))
    }

    package init(from reader: inout WireReader) throws(WireError) {
        standard = try reader.getOptional { (reader) throws(WireError) in try reader.get() }
        kinds = try reader.getList { (reader) throws(WireError) in
            try reader.getOptional { (reader) throws(WireError) in try reader.get() }
        }
        guard kinds.count == RequestKind.allCases.count else {
            throw .invalidValue("routes of \(kinds.count) kinds")
        }
        threshold = Int(clamping: try reader.get(UInt64.self))
    }
}
