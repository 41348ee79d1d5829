// SPDX-License-Identifier: Apache-2.0
// What the failure policy of front tells the exporter: how it is now, and what happened while a request was under way.
// Names of providers, credentials and models come from the configuration only, so the number of metric series is bounded.

package import IPC

/// Something that the policy did or noticed while a request was under way.
package struct PolicyEvent: Equatable, Sendable, WireCodable {
    package enum Kind: UInt8, CaseIterable, Sendable {
        /// The provider was asked although the request had failed before, for the reason.
        case retried = 1
        /// It was not asked again after the reason: the retry budget had nothing left.
        case denied = 2
        /// The circuit of one of its models opened.
        case circuitOpened = 3
        /// A request went through a circuit that is not closed, to see whether it can be.
        case probed = 4
        /// One of its credentials is left alone for a time, for the reason.
        case paused = 5
        /// One of its credentials failed too often.
        case banned = 6
    }

    package var kind: Kind
    package var provider: String
    package var reason: FailureClass

    package init(_ kind: Kind, _ provider: String, _ reason: FailureClass) {
        self.kind = kind
        self.provider = provider
        self.reason = reason
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(kind.rawValue)
        writer.put(provider)
        writer.put(reason.rawValue)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        kind = try reader.getCase()
        provider = try reader.getString()
        reason = try reader.getCase()
    }
}

/// How the policy is now. Times are microseconds of one clock.
package struct PolicyReport: Equatable, Sendable, WireCodable {
    /// A model at a provider that was asked lately.
    package struct Circuit: Equatable, Sendable {
        /// The raw value is that of the metric.
        package enum State: UInt8, CaseIterable, Sendable {
            case closed = 0
            case halfOpen = 1
            case open = 2

            package var name: String {
                switch self {
                case .closed: "closed"
                case .halfOpen: "half_open"
                case .open: "open"
                }
            }
        }

        package var provider: String
        package var model: String
        package var state: State
        /// The end of an opening, after which one request may pass.
        package var untilUsec: UInt64

        package init(provider: String, model: String, state: State, untilUsec: UInt64) {
            self.provider = provider
            self.model = model
            self.state = state
            self.untilUsec = untilUsec
        }

        package func state(_ now: UInt64) -> State { state == .open && untilUsec <= now ? .halfOpen : state }
    }

    /// A credential that is left alone.
    package struct Pause: Equatable, Sendable {
        package var provider: String
        /// Its name, or "" of a provider's only key.
        package var credential: String
        /// The model, or "" for every one.
        package var model: String
        package var untilUsec: UInt64

        package init(provider: String, credential: String, model: String, untilUsec: UInt64) {
            self.provider = provider
            self.credential = credential
            self.model = model
            self.untilUsec = untilUsec
        }
    }

    /// A ban in force.
    package struct Ban: Equatable, Sendable {
        package var provider: String
        /// Its name, or "" for every one.
        package var credential: String
        /// The model, or "" for every one.
        package var model: String
        /// "admin" or "fail2ban".
        package var origin: String
        /// Nil for ever.
        package var untilUsec: UInt64?

        package init(
            provider: String, credential: String, model: String, origin: String, untilUsec: UInt64?
        ) {
            self.provider = provider
            self.credential = credential
            self.model = model
            self.origin = origin
            self.untilUsec = untilUsec
        }
    }

    /// What is left of the repetitions at a provider.
    package struct Budget: Equatable, Sendable {
        package var provider: String
        package var left: Double

        package init(provider: String, left: Double) {
            self.provider = provider
            self.left = left
        }
    }

    package var circuits: [Circuit] = []
    package var pauses: [Pause] = []
    package var bans: [Ban] = []
    /// In the order of the configuration.
    package var budgets: [Budget] = []

    package init() {}

    /// The same with other times.
    package func moved(_ time: (UInt64) -> UInt64) -> PolicyReport {
        var copy = self
        for index in circuits.indices { copy.circuits[index].untilUsec = time(circuits[index].untilUsec) }
        for index in pauses.indices { copy.pauses[index].untilUsec = time(pauses[index].untilUsec) }
        for index in bans.indices { copy.bans[index].untilUsec = bans[index].untilUsec.map(time) }
        return copy
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(list: circuits) { writer, circuit in
            writer.put(circuit.provider)
            writer.put(circuit.model)
            writer.put(circuit.state.rawValue)
            writer.put(circuit.untilUsec)
        }
        writer.put(list: pauses) { writer, pause in
            for text in [pause.provider, pause.credential, pause.model] { writer.put(text) }
            writer.put(pause.untilUsec)
        }
        writer.put(list: bans) { writer, ban in
            for text in [ban.provider, ban.credential, ban.model, ban.origin] { writer.put(text) }
            writer.put(ban.untilUsec) { $0.put($1) }
        }
        writer.put(list: budgets) { writer, budget in
            writer.put(budget.provider)
            writer.put(budget.left)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        circuits = try reader.getList { (reader) throws(WireError) in
            Circuit(
                provider: try reader.getString(), model: try reader.getString(), state: try reader.getCase(),
                untilUsec: try reader.get())
        }
        pauses = try reader.getList { (reader) throws(WireError) in
            Pause(
                provider: try reader.getString(), credential: try reader.getString(),
                model: try reader.getString(), untilUsec: try reader.get())
        }
        bans = try reader.getList { (reader) throws(WireError) in
            Ban(
                provider: try reader.getString(), credential: try reader.getString(),
                model: try reader.getString(), origin: try reader.getString(),
                untilUsec: try reader.getOptional { (reader) throws(WireError) in try reader.get() })
        }
        budgets = try reader.getList { (reader) throws(WireError) in
            Budget(provider: try reader.getString(), left: try reader.getDouble())
        }
    }
}
