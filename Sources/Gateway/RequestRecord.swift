// SPDX-License-Identifier: Apache-2.0
// What front tells the exporter about each request; never holds a prompt, an answer or a secret.
// Provider, tier and model names come from the configuration only, so the number of metric series is bounded.

package import IPC

/// A candidate that did not answer.
package struct FailedAttempt: Equatable, Sendable {
    package let provider: String
    package let reason: ErrorKind

    package init(provider: String, reason: ErrorKind) {
        self.provider = provider
        self.reason = reason
    }
}

/// Why a provider was asked.
package enum RecordOrigin: UInt8, CaseIterable, Sendable {
    /// To answer a client.
    case client = 0
    /// To answer a client that another provider answered first.
    case hedge = 1
    /// To see how it answers.
    case shadow = 2

    /// The label in place of the kind of client's, where one is shown.
    package var name: String {
        switch self {
        case .client: "client"
        case .hedge: "hedge"
        case .shadow: "shadow"
        }
    }
}

/// One finished request.
package struct RequestRecord: Equatable, Sendable, WireCodable {
    /// Ascends by one within one front instance.
    package var sequence: UInt64
    package var requestID: String
    /// CLOCK_REALTIME microseconds when the head had arrived.
    package var startedUsec: UInt64
    package var durationUsec: UInt64
    /// Microseconds from the head to the first byte of the answer, 0 when there was none.
    package var firstByteUsec: UInt64
    /// The kind of client: "codex", "claude_code" or "other".
    package var client: String
    /// The endpoint's path below /v1, or "" when the request never reached an endpoint.
    package var endpoint: String
    /// The provider that answered, or "" when none did.
    package var provider: String
    /// The model asked of that provider, or "".
    package var model: String
    package var status: Int
    package var outcome: ExchangeOutcome
    package var streaming: Bool
    package var usage: Usage
    package var backpressureCount: UInt32
    package var failedAttempts: [FailedAttempt]
    /// Why ccr itself answered, when it did.
    package var rejection: ErrorKind?
    /// Transformers that the request went through, by name.
    package var transformers: [String]
    /// What the request was thought to cost in input tokens; 0 when nobody estimated.
    package var estimatedInput: Int
    /// What translation left out.
    package var losses: Losses
    /// The name of the client key, or "" when none was needed.
    package var key: String
    /// What the request was for, or "" when it was never routed.
    package var kind: String
    /// What it cost by the configured prices, in billionths of a US dollar.
    package var cost: Int
    package var origin: RecordOrigin
    /// Microseconds that it waited inside ccr until somebody could be asked.
    package var waitedUsec: UInt64
    /// What the failure policy did for it or noticed by it.
    package var policyEvents: [PolicyEvent]

    package init(
        sequence: UInt64, requestID: String, startedUsec: UInt64, durationUsec: UInt64, firstByteUsec: UInt64,
        client: String, endpoint: String, provider: String, model: String, status: Int,
        outcome: ExchangeOutcome,
        streaming: Bool, usage: Usage, backpressureCount: UInt32, failedAttempts: [FailedAttempt],
        rejection: ErrorKind?, transformers: [String] = [], estimatedInput: Int = 0,
        losses: Losses = Losses(), key: String = "", kind: String = "", cost: Int = 0,
        origin: RecordOrigin = .client,
        waitedUsec: UInt64 = 0, policyEvents: [PolicyEvent] = []
    ) {
        self.sequence = sequence
        self.requestID = requestID
        self.startedUsec = startedUsec
        self.durationUsec = durationUsec
        self.firstByteUsec = firstByteUsec
        self.client = client
        self.endpoint = endpoint
        self.provider = provider
        self.model = model
        self.status = status
        self.outcome = outcome
        self.streaming = streaming
        self.usage = usage
        self.backpressureCount = backpressureCount
        self.failedAttempts = failedAttempts
        self.rejection = rejection
        self.transformers = transformers
        self.estimatedInput = estimatedInput
        self.losses = losses
        self.key = key
        self.kind = kind
        self.cost = cost
        self.origin = origin
        self.waitedUsec = waitedUsec
        self.policyEvents = policyEvents
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(sequence)
        writer.put(requestID)
        writer.put(startedUsec)
        writer.put(durationUsec)
        writer.put(firstByteUsec)
        writer.put(client)
        writer.put(endpoint)
        writer.put(provider)
        writer.put(model)
        writer.put(UInt16(status))
        writer.put(outcome.rawValue)
        writer.put(streaming)
        writer.put(usage)
        writer.put(backpressureCount)
        writer.put(list: failedAttempts) { writer, attempt in
            writer.put(attempt.provider)
            writer.put(attempt.reason.rawValue)
        }
        writer.put(rejection) { $0.put($1.rawValue) }
        writer.put(list: transformers) { $0.put($1) }
        writer.put(UInt32(clamping: estimatedInput))
        writer.put(losses)
        writer.put(key)
        writer.put(kind)
        writer.put(UInt64(max(0, cost)))
        writer.put(origin.rawValue)
        writer.put(waitedUsec)
        writer.put(list: policyEvents) { $0.put($1) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.get()
        requestID = try reader.getString()
        startedUsec = try reader.get()
        durationUsec = try reader.get()
        firstByteUsec = try reader.get()
        client = try reader.getString()
        endpoint = try reader.getString()
        provider = try reader.getString()
        model = try reader.getString()
        status = Int(try reader.get(UInt16.self))
        outcome = try reader.getCase()
        streaming = try reader.getBool()
        usage = try reader.get()
        backpressureCount = try reader.get()
        failedAttempts = try reader.getList { (reader) throws(WireError) in
            FailedAttempt(provider: try reader.getString(), reason: try reader.getCase())
        }
        rejection = try reader.getOptional { (reader) throws(WireError) in try reader.getCase() }
        transformers = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        estimatedInput = Int(try reader.get(UInt32.self))
        losses = try reader.get()
        key = try reader.getString()
        kind = try reader.getString()
        cost = Int(clamping: try reader.get(UInt64.self))
        origin = try reader.getCase()
        waitedUsec = try reader.get()
        policyEvents = try reader.getList { (reader) throws(WireError) in try reader.get() }
    }
}

/// A batch of records; the exporter acknowledges the highest sequence it has on disk.
package struct RecordBatch: WireCodable {
    /// Random, chosen by each front at its start; sequences are counted per instance.
    package var frontInstance: UInt64
    package var records: [RequestRecord]
    /// Gauges of the front at the time of sending.
    package var gauges: FrontGauges

    package init(frontInstance: UInt64, records: [RequestRecord], gauges: FrontGauges) {
        self.frontInstance = frontInstance
        self.records = records
        self.gauges = gauges
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(frontInstance)
        writer.put(list: records) { $0.put($1) }
        writer.put(gauges)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        frontInstance = try reader.get()
        records = try reader.getList { (reader) throws(WireError) in try reader.get() }
        gauges = try reader.get()
    }
}

/// The exporter's answer to a batch.
package struct RecordAck: Equatable, WireCodable {
    package var frontInstance: UInt64
    package var sequence: UInt64
    /// What keys have spent whose numbers have changed, the records up to `sequence` included.
    package var spends: [KeySpend]

    package init(frontInstance: UInt64, sequence: UInt64, spends: [KeySpend] = []) {
        self.frontInstance = frontInstance
        self.sequence = sequence
        self.spends = spends
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(frontInstance)
        writer.put(sequence)
        writer.put(list: spends) { $0.put($1) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        frontInstance = try reader.get()
        sequence = try reader.get()
        spends = try reader.getList { (reader) throws(WireError) in try reader.get() }
    }
}

/// What is going on in a front right now.
package struct FrontGauges: Equatable, Sendable, WireCodable {
    /// Open client connections.
    package var connections: UInt32
    /// Requests between head and end of the answer.
    package var activeRequests: UInt32
    /// The part of them that streams.
    package var activeStreams: UInt32
    /// The most streams at one time since this front started.
    package var peakStreams: UInt32
    /// Handoffs since this front started.
    package var handoffs: UInt64
    /// Records dropped because the exporter was away for too long.
    package var droppedRecords: UInt64

    package init(
        connections: UInt32 = 0, activeRequests: UInt32 = 0, activeStreams: UInt32 = 0,
        peakStreams: UInt32 = 0,
        handoffs: UInt64 = 0, droppedRecords: UInt64 = 0
    ) {
        self.connections = connections
        self.activeRequests = activeRequests
        self.activeStreams = activeStreams
        self.peakStreams = peakStreams
        self.handoffs = handoffs
        self.droppedRecords = droppedRecords
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(connections)
        writer.put(activeRequests)
        writer.put(activeStreams)
        writer.put(peakStreams)
        writer.put(handoffs)
        writer.put(droppedRecords)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        connections = try reader.get()
        activeRequests = try reader.get()
        activeStreams = try reader.get()
        peakStreams = try reader.get()
        handoffs = try reader.get()
        droppedRecords = try reader.get()
    }
}
