// SPDX-License-Identifier: Apache-2.0
// What kind of failure an attempt ended with. Workers name it from what the provider said
// (Dialects/Failure/FailureTable.swift), front decides by it what happens next (Routing/Policy/FailureRules.swift).

package import IPC

/// Why an attempt gave no answer.
package enum FailureClass: UInt8, CaseIterable, Sendable {
    /// No connection, or one that broke before an answer.
    case network = 1
    /// Nothing came in time.
    case timeout = 2
    /// The provider failed in itself.
    case server = 3
    /// The provider has more to do than it can.
    case overload = 4
    /// Too many requests in a short time; it passes.
    case rate = 5
    /// What was paid for or allotted is used up.
    case quota = 6
    /// The credential is not accepted.
    case authentication = 7
    /// The credential may not do this.
    case forbidden = 8
    /// The provider does not know the model.
    case missing = 9
    /// The conversation is longer than the model takes.
    case context = 10
    /// The request is refused for one parameter, which the provider names.
    case parameter = 11
    /// The request is wrong in itself, and wrong everywhere.
    case client = 12
    /// ccr's own worker ended or does not run.
    case worker = 13
    /// ccr asked nobody: a limit, a pause or a ban of its own.
    case held = 14
    /// The provider cannot take a part of the request (an image, say), which the report names.
    case capability = 15

    /// The label in metrics and logs.
    package var name: String {
        switch self {
        case .network: "network"
        case .timeout: "timeout"
        case .server: "server"
        case .overload: "overload"
        case .rate: "rate"
        case .quota: "quota"
        case .authentication: "authentication"
        case .forbidden: "forbidden"
        case .missing: "missing"
        case .context: "context"
        case .parameter: "parameter"
        case .client: "client"
        case .worker: "worker"
        case .held: "held"
        case .capability: "capability"
        }
    }

    /// Asking again, whoever does it, changes nothing.
    package var isFinal: Bool {
        switch self {
        case .quota, .authentication, .forbidden, .missing, .context, .capability, .parameter, .client: true
        case .network, .timeout, .server, .overload, .rate, .worker, .held: false
        }
    }

    /// What a client is told of it when nothing better is known.
    package var errorKind: ErrorKind {
        switch self {
        case .network, .server, .worker: .upstreamUnreachable
        case .timeout: .upstreamTimeout
        case .overload, .held: .overloaded
        case .rate: .rateLimited
        case .quota: .quotaExhausted
        case .authentication: .authentication
        case .forbidden: .permission
        case .missing: .modelNotFound
        case .context: .contextTooLong
        case .parameter, .client, .capability: .invalidRequest
        }
    }
}

/// A set of failure classes.
package struct FailureSet: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package init(_ classes: some Sequence<FailureClass>) {
        rawValue = classes.reduce(0) { $0 | 1 << UInt16($1.rawValue) }
    }

    package func contains(_ member: FailureClass) -> Bool { rawValue & 1 << UInt16(member.rawValue) != 0 }
}

/// Which failures front wants back instead of an answer; it has something left to try after them.
package struct ReturnTerms: Equatable, Sendable, WireCodable {
    /// Whatever the provider says of a time.
    package var always: FailureSet
    /// Unless the provider says that trying again is in vain.
    package var repeated: FailureSet
    /// Only if the provider asks for a wait that is not longer than `longestWaitMsec`.
    package var afterWait: FailureSet
    package var longestWaitMsec: Int
    /// What front would wait where the provider says no time.
    package var assumedWaitMsec: Int

    /// Nothing: what the provider answers is the answer.
    package static let none = ReturnTerms(always: [], repeated: [], afterWait: [], longestWaitMsec: 0)

    package init(
        always: FailureSet, repeated: FailureSet, afterWait: FailureSet, longestWaitMsec: Int,
        assumedWaitMsec: Int = 0
    ) {
        self.always = always
        self.repeated = repeated
        self.afterWait = afterWait
        self.longestWaitMsec = longestWaitMsec
        self.assumedWaitMsec = assumedWaitMsec
    }

    /// Whether front wants the request back.
    package func cover(_ report: FailureReport) -> Bool {
        if always.contains(report.class) { return true }
        guard report.mayRepeat else { return false }
        return repeated.contains(report.class)
            || afterWait.contains(report.class) && report.retryAfterMsec ?? assumedWaitMsec <= longestWaitMsec
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(always.rawValue)
        writer.put(repeated.rawValue)
        writer.put(afterWait.rawValue)
        writer.put(UInt32(clamping: longestWaitMsec))
        writer.put(UInt32(clamping: assumedWaitMsec))
    }

    package init(from reader: inout WireReader) throws(WireError) {
        always = FailureSet(rawValue: try reader.get())
        repeated = FailureSet(rawValue: try reader.get())
        afterWait = FailureSet(rawValue: try reader.get())
        longestWaitMsec = Int(try reader.get(UInt32.self))
        assumedWaitMsec = Int(try reader.get(UInt32.self))
    }
}

/// What a failure means for what comes next.
package struct FailureReport: Equatable, Sendable, WireCodable {
    package var `class`: FailureClass
    /// The provider's HTTP status, or 0 when there was none.
    package var status: Int
    /// How long the provider wants to be left alone, if it said so.
    package var retryAfterMsec: Int?
    /// The parameter that the provider refuses, for `.parameter`; what it cannot take, for `.capability`, in the words of
    /// `FailureTable.capabilities`.
    package var parameter: String
    /// False when the provider says that trying again is in vain.
    package var mayRepeat: Bool

    package init(
        _ failure: FailureClass, status: Int = 0, retryAfterMsec: Int? = nil, parameter: String = "",
        mayRepeat: Bool = true
    ) {
        self.class = failure
        self.status = status
        self.retryAfterMsec = retryAfterMsec
        self.parameter = parameter
        self.mayRepeat = mayRepeat
    }

    /// Whole seconds for a Retry-After, rounded up.
    package var retryAfterSeconds: Int? { retryAfterMsec.map { ($0 + 999) / 1000 } }

    package func encode(to writer: inout WireWriter) {
        writer.put(self.class.rawValue)
        writer.put(UInt16(clamping: status))
        writer.put(retryAfterMsec) { $0.put(UInt32(clamping: $1)) }
        writer.put(parameter)
        writer.put(mayRepeat)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        self.class = try reader.getCase()
        status = Int(try reader.get(UInt16.self))
        retryAfterMsec = try reader.getOptional { (reader) throws(WireError) in
            Int(try reader.get(UInt32.self))
        }
        parameter = try reader.getString()
        mayRepeat = try reader.getBool()
    }
}

extension ErrorKind {
    /// What an error of this kind means for what comes next, when nobody says more.
    package var failureClass: FailureClass {
        switch self {
        case .invalidRequest, .notFound, .methodNotAllowed, .tooLarge, .unsupportedEncoding,
            .upgradeRequired, .headTooLarge:
            .client
        case .authentication: .authentication
        case .permission: .forbidden
        case .modelNotFound: .missing
        case .requestTimeout, .upstreamTimeout: .timeout
        case .rateLimited: .rate
        case .internalFault, .upstreamUnreachable: .server
        case .overloaded: .overload
        case .contextTooLong: .context
        case .quotaExhausted, .budgetSpent: .quota
        }
    }
}
