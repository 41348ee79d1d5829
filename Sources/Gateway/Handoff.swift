// SPDX-License-Identifier: Apache-2.0
// The messages between front and the processes that answer clients. Front alone reads from a client's socket,
// the process that holds the handoff alone writes to it.

import Bytes
package import IPC

/// A change of the request body: `length` bytes at `offset` are replaced.
package struct Splice: Equatable, Sendable {
    package let offset: Int
    package let length: Int
    package let replacement: [UInt8]

    package init(offset: Int, length: Int, replacement: [UInt8]) {
        self.offset = offset
        self.length = length
        self.replacement = replacement
    }
}

/// Hands a client's request to a worker. Descriptors: the client's socket unless nobody gets the answer, then the body's memfd unless inline, then the
/// commit token if it is contested.
package struct HandoffRequest: WireCodable {
    /// Unique in the life of one front; answers carry it.
    package var tag: UInt64
    /// "req_…", unique everywhere; returned to the client and written to the log.
    package var requestID: String
    package var endpoint: Endpoint
    /// The client asked for a stream of events.
    package var streaming: Bool
    /// The failures that front wants back; any other one is answered as the upstream answers it.
    package var terms: ReturnTerms
    /// The credential to ask with, or "" where the provider has no choice.
    package var credential: String
    /// No other credential could be used: wait for a token of this one.
    package var isOnlyCredential: Bool
    /// Another worker may answer as well: whoever takes the token answers, the other one writes nothing.
    package var isContested: Bool
    /// Nobody gets the answer.
    package var isDiscarded: Bool
    /// Members of the request's top level that the provider has refused.
    package var dropped: [String]
    /// The client's connection may serve another request afterwards.
    package var keepAlive: Bool
    /// The client speaks HTTP/1.1 (chunked bodies) and not 1.0.
    package var isHTTP11: Bool
    /// The model name the provider knows.
    package var model: String
    /// The effort of a rule or preset, for a request that says nothing of how much to think; "" for none.
    package var effort: String
    /// The model name the client used, which a translated answer repeats.
    package var clientModel: String
    /// What the request may cost in input tokens, to a few ten per cent.
    package var estimatedInput: Int
    /// The body holds reasoning state in ccr's own envelope, which no provider understands.
    package var carriesEnvelope: Bool
    /// Size of the body before splicing, in bytes.
    package var bodySize: Int
    /// The body itself when it is small, else nil and a memfd comes along.
    package var inlineBody: [UInt8]?
    /// Changes of the body, ascending by offset and not overlapping.
    package var splices: [Splice]
    /// Client headers to pass on.
    package var headers: HeaderBlock
    /// Path suffix of the query, without "?", or empty.
    package var query: String
    /// CLOCK_MONOTONIC microseconds after which the exchange is given up.
    package var deadlineUsec: UInt64
    /// Names the conversation: the same for all its requests, 0 when the client does not say.
    package var session: UInt64
    /// The value of x-ccr-route in the answer; "" for none.
    package var routeNote: String

    package init(
        tag: UInt64, requestID: String, endpoint: Endpoint, streaming: Bool,
        terms: ReturnTerms = .none, credential: String = "", isOnlyCredential: Bool = true,
        isContested: Bool = false, isDiscarded: Bool = false,
        dropped: [String] = [],
        keepAlive: Bool,
        isHTTP11: Bool, model: String, effort: String = "", clientModel: String, estimatedInput: Int = 0,
        carriesEnvelope: Bool = false,
        bodySize: Int, inlineBody: [UInt8]?, splices: [Splice],
        headers: HeaderBlock,
        query: String, deadlineUsec: UInt64, session: UInt64 = 0, routeNote: String = ""
    ) {
        self.tag = tag
        self.requestID = requestID
        self.endpoint = endpoint
        self.streaming = streaming
        self.terms = terms
        self.credential = credential
        self.isOnlyCredential = isOnlyCredential
        self.isContested = isContested
        self.isDiscarded = isDiscarded
        self.dropped = dropped
        self.keepAlive = keepAlive
        self.isHTTP11 = isHTTP11
        self.model = model
        self.effort = effort
        self.clientModel = clientModel
        self.estimatedInput = estimatedInput
        self.carriesEnvelope = carriesEnvelope
        self.bodySize = bodySize
        self.inlineBody = inlineBody
        self.splices = splices
        self.headers = headers
        self.query = query
        self.deadlineUsec = deadlineUsec
        self.session = session
        self.routeNote = routeNote
    }

    /// Frees what only sending the request needs.
    package mutating func dropBody() {
        inlineBody = nil
        splices = []
        headers = HeaderBlock()
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(tag)
        writer.put(requestID)
        writer.put(endpoint.rawValue)
        writer.put(streaming)
        writer.put(terms)
        writer.put(credential)
        writer.put(isOnlyCredential)
        writer.put(isContested)
        writer.put(isDiscarded)
        writer.put(list: dropped) { $0.put($1) }
        writer.put(keepAlive)
        writer.put(isHTTP11)
        writer.put(model)
        writer.put(effort)
        writer.put(clientModel)
        writer.put(UInt32(clamping: estimatedInput))
        writer.put(carriesEnvelope)
        writer.put(UInt64(bodySize))
        writer.put(inlineBody) { $0.put($1) }
        writer.put(list: splices) { writer, splice in
            writer.put(UInt64(splice.offset))
            writer.put(UInt64(splice.length))
            writer.put(splice.replacement)
        }
        writer.put(headers)
        writer.put(query)
        writer.put(deadlineUsec)
        writer.put(session)
        writer.put(routeNote)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        tag = try reader.get()
        requestID = try reader.getString()
        endpoint = try reader.getCase()
        streaming = try reader.getBool()
        terms = try reader.get()
        credential = try reader.getString()
        isOnlyCredential = try reader.getBool()
        isContested = try reader.getBool()
        isDiscarded = try reader.getBool()
        dropped = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        keepAlive = try reader.getBool()
        isHTTP11 = try reader.getBool()
        model = try reader.getString()
        effort = try reader.getString()
        clientModel = try reader.getString()
        estimatedInput = Int(try reader.get(UInt32.self))
        carriesEnvelope = try reader.getBool()
        bodySize = Int(clamping: try reader.get(UInt64.self))
        inlineBody = try reader.getOptional { (reader) throws(WireError) in try reader.getArray() }
        splices = try reader.getList { (reader) throws(WireError) in
            Splice(
                offset: Int(clamping: try reader.get(UInt64.self)),
                length: Int(clamping: try reader.get(UInt64.self)),
                replacement: try reader.getArray()
            )
        }
        headers = try reader.get()
        query = try reader.getString()
        deadlineUsec = try reader.get()
        session = try reader.get()
        routeNote = try reader.getString()
    }
}

/// Hands a client's GET request to the exporter. Descriptor: the client's socket.
package struct HandoffQuery: WireCodable {
    package var tag: UInt64
    package var requestID: String
    /// The path without its query, for example "/metrics".
    package var path: String
    package var keepAlive: Bool

    package init(tag: UInt64, requestID: String, path: String, keepAlive: Bool) {
        self.tag = tag
        self.requestID = requestID
        self.path = path
        self.keepAlive = keepAlive
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(tag)
        writer.put(requestID)
        writer.put(path)
        writer.put(keepAlive)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        tag = try reader.get()
        requestID = try reader.getString()
        path = try reader.getString()
        keepAlive = try reader.getBool()
    }
}

/// The answer's head is on its way; from here on nothing is retried.
package struct HandoffCommitted: WireCodable {
    package var tag: UInt64
    /// The HTTP status the client sees.
    package var status: Int
    /// What the upstream's error means, when the answer is one.
    package var failure: FailureReport?
    /// Milliseconds for which the credential has nothing left, as the upstream's header says; 0 when it says no such thing.
    package var exhaustedMsec: Int
    /// The upstream has all of the request's body, which is not read again.
    package var hasSentBody: Bool

    package init(
        tag: UInt64, status: Int, failure: FailureReport? = nil, exhaustedMsec: Int = 0,
        hasSentBody: Bool = true
    ) {
        self.tag = tag
        self.status = status
        self.failure = failure
        self.exhaustedMsec = exhaustedMsec
        self.hasSentBody = hasSentBody
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(tag)
        writer.put(UInt16(status))
        writer.put(failure) { $0.put($1) }
        writer.put(UInt32(clamping: exhaustedMsec))
        writer.put(hasSentBody)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        tag = try reader.get()
        status = Int(try reader.get(UInt16.self))
        failure = try reader.getOptional { (reader) throws(WireError) in try reader.get() }
        exhaustedMsec = Int(try reader.get(UInt32.self))
        hasSentBody = try reader.getBool()
    }
}

/// Nothing was sent to the client; the next candidate may be tried.
package struct HandoffFailed: WireCodable {
    package var tag: UInt64
    /// What to tell the client when no candidate is left, and the metric's reason.
    package var kind: ErrorKind
    /// For people; names the provider, never its key or query.
    package var message: String
    /// What the upstream said, or ""; for the client alone.
    package var quote: String
    /// Seconds after which a client may try again, if that is known.
    package var retryAfter: Int?
    /// What it means for what comes next.
    package var report: FailureReport
    /// Of a contested request: what the client would have got if nobody else had been asked.
    package var refusal: HandoffRefusal?

    package init(
        tag: UInt64, kind: ErrorKind, message: String, quote: String = "", retryAfter: Int? = nil,
        report: FailureReport, refusal: HandoffRefusal? = nil
    ) {
        self.tag = tag
        self.kind = kind
        self.message = message
        self.quote = quote
        self.retryAfter = retryAfter
        self.report = report
        self.refusal = refusal
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(tag)
        writer.put(kind.rawValue)
        writer.put(message)
        writer.put(quote)
        writer.put(retryAfter) { $0.put(UInt32(clamping: $1)) }
        writer.put(report)
        writer.put(refusal) { $0.put($1) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        tag = try reader.get()
        kind = try reader.getCase()
        message = try reader.getString()
        quote = try reader.getString()
        retryAfter = try reader.getOptional { (reader) throws(WireError) in Int(try reader.get(UInt32.self)) }
        report = try reader.get()
        refusal = try reader.getOptional { (reader) throws(WireError) in try reader.get() }
    }
}

/// A provider's refusal as an answer to the client.
package struct HandoffRefusal: Equatable, Sendable, WireCodable {
    /// Larger ones are not kept.
    package static let maximumBytes = 65_536

    /// The status the client sees.
    package var status: Int
    /// Head and body.
    package var bytes: [UInt8]

    package init(status: Int, bytes: [UInt8]) {
        self.status = status
        self.bytes = bytes
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(UInt16(status))
        writer.put(bytes)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        status = Int(try reader.get(UInt16.self))
        bytes = try reader.getArray()
    }
}

/// How a committed answer ended.
package enum ExchangeOutcome: UInt8, CaseIterable, Sendable {
    /// The client has the whole answer.
    case completed = 1
    /// The client went away first.
    case aborted = 2
    /// The upstream broke off or reported an error inside its stream.
    case upstreamFailed = 3
    /// A limit of ccr ended it (deadline, idle time, drain).
    case timedOut = 4
    /// ccr answered with an error of its own.
    case rejected = 5

    /// The label in metrics and logs.
    package var name: String {
        switch self {
        case .completed: "completed"
        case .aborted: "aborted"
        case .upstreamFailed: "upstream_failed"
        case .timedOut: "timed_out"
        case .rejected: "rejected"
        }
    }
}

/// The answer is complete or was broken off.
package struct HandoffDone: WireCodable {
    package var tag: UInt64
    package var outcome: ExchangeOutcome
    /// The HTTP status the client saw.
    package var status: Int
    package var usage: Usage
    /// Whether the connection is at a clean request boundary.
    package var keepAlive: Bool
    /// Microseconds from the handoff to the first byte of the answer's body.
    package var firstByteUsec: UInt64
    /// Bytes of the answer's body.
    package var bodyBytes: UInt64
    /// How often the client's socket was full.
    package var backpressureCount: UInt32
    /// Transformers that the request went through, by name.
    package var transformers: [String]
    /// What translation left out.
    package var losses: Losses

    package init(
        tag: UInt64, outcome: ExchangeOutcome, status: Int, usage: Usage = Usage(), keepAlive: Bool,
        firstByteUsec: UInt64 = 0, bodyBytes: UInt64 = 0, backpressureCount: UInt32 = 0,
        transformers: [String] = [], losses: Losses = Losses()
    ) {
        self.transformers = transformers
        self.tag = tag
        self.outcome = outcome
        self.status = status
        self.usage = usage
        self.keepAlive = keepAlive
        self.firstByteUsec = firstByteUsec
        self.bodyBytes = bodyBytes
        self.backpressureCount = backpressureCount
        self.losses = losses
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(tag)
        writer.put(outcome.rawValue)
        writer.put(UInt16(status))
        writer.put(usage)
        writer.put(keepAlive)
        writer.put(firstByteUsec)
        writer.put(bodyBytes)
        writer.put(backpressureCount)
        writer.put(list: transformers) { $0.put($1) }
        writer.put(losses)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        tag = try reader.get()
        outcome = try reader.getCase()
        status = Int(try reader.get(UInt16.self))
        usage = try reader.get()
        keepAlive = try reader.getBool()
        firstByteUsec = try reader.get()
        bodyBytes = try reader.get()
        backpressureCount = try reader.get()
        transformers = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        losses = try reader.get()
    }
}
