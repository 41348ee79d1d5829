// SPDX-License-Identifier: Apache-2.0
// Every message and configuration type on the wire: there and back, cut short, too long, damaged.

import Foundation
import Gateway
import IPC
import Testing

/// A value of one wire type and its type, so that one test serves all of them.
struct Sample: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    /// Decodes all of the given bytes and encodes the result again.
    let again: @Sendable ([UInt8]) throws -> [UInt8]

    init<Value: WireCodable & SendableMetatype>(_ name: String, _ value: Value) {
        testDescription = name
        bytes = Sample.encode(value)
        again = { bytes in Sample.encode(try Sample.decode(Value.self, bytes)) }
    }

    static func encode(_ value: some WireCodable) -> [UInt8] {
        var writer = WireWriter()
        writer.put(value)
        return writer.bytes
    }

    static func decode<Value: WireCodable>(_: Value.Type, _ bytes: [UInt8]) throws -> Value {
        try bytes.withUnsafeBytes { view in
            var reader = WireReader(view)
            let value: Value = try reader.get()
            try reader.end()
            return value
        }
    }

    static var headers: HeaderBlock {
        var block = HeaderBlock()
        block.append("accept", "text/event-stream")
        block.append("x-empty", "")
        return block
    }

    static let handoff = HandoffRequest(
        tag: .max, requestID: "req_1", endpoint: .images, streaming: true,
        terms: ReturnTerms(always: [], repeated: [], afterWait: FailureSet([.rate]), longestWaitMsec: 7),
        credential: "c",
        isOnlyCredential: false, dropped: ["p"], keepAlive: true,
        isHTTP11: true, model: "gpt-5", effort: "low", clientModel: "gpt", carriesEnvelope: true,
        bodySize: 1 << 40,
        inlineBody: nil,
        splices: [
            Splice(offset: 1, length: 2, replacement: [3, 4]), Splice(offset: 9, length: 0, replacement: []),
        ], headers: headers, query: "beta=true", deadlineUsec: 123)

    static let record = RequestRecord(
        sequence: 7, requestID: "req_7", startedUsec: 1, durationUsec: 2, firstByteUsec: 3, client: "codex",
        endpoint: "/responses", provider: "p", model: "m", status: 529, outcome: .upstreamFailed,
        streaming: true, usage: Usage(input: 1, cacheRead: 2, cacheWrite: 3, output: 4, reasoning: 5),
        backpressureCount: 9,
        failedAttempts: [
            FailedAttempt(provider: "a", reason: .rateLimited),
            FailedAttempt(provider: "b", reason: .upstreamTimeout),
        ], rejection: .overloaded, transformers: ["glm", "maxtoken"], waitedUsec: 10,
        policyEvents: [PolicyEvent(.retried, "b", .timeout), PolicyEvent(.banned, "a", .rate)])

    static var policy: PolicyReport {
        var report = PolicyReport()
        report.circuits = [.init(provider: "p", model: "m", state: .open, untilUsec: 1)]
        report.pauses = [.init(provider: "p", credential: "c", model: "", untilUsec: 2)]
        report.bans = [
            .init(provider: "p", credential: "", model: "m", origin: "admin", untilUsec: nil),
            .init(provider: "p", credential: "c", model: "", origin: "fail2ban", untilUsec: 3),
        ]
        report.budgets = [.init(provider: "p", left: 2.5)]
        return report
    }

    static let status = ProcessStatus(
        role: "worker", provider: "p", pid: -1, state: .backOff, restarts: 3, residentBytes: 4,
        startedUsec: 5,
        text: "ready\n")

    static var profile: ProviderProfile {
        var rules = UpstreamRules()
        rules.quirks = [.noStrict, .needsStrict]
        rules.reasoning = .thinkTags
        rules.temperatureMilli = 1_500
        let surface = Surface(
            .messages, base: "/b", version: "/v1", also: [.countTokens],
            paths: [.init(.messages, "/a", stream: "/s")],
            required: [RequiredMember("a", "1", forced: true)], forbidden: ["x"])
        return ProviderProfile(
            "k", [surface, Surface(.gemini)], auth: .azureKey, headers: ["a": "b"], forbiddenHeaders: ["c"],
            errors: .flat, rules: rules, listing: ModelListing(.copilot, "/models"))
    }

    static var model: ModelRules {
        var rules = ModelRules("gpt-*")
        rules.kinds = ["openai"]
        rules.family = "f"
        rules.upstreamName = "n"
        rules.efforts = ["low", "high"]
        rules.defaultEffort = "low"
        rules.effortMap = ["max": "xhigh"]
        rules.hasVariants = true
        rules.budgetRange = 1...9
        rules.canDisableThinking = false
        rules.contextWindow = 1
        rules.maxOutput = 2
        rules.thinking = .adaptive
        rules.maxTokens = .maxCompletionTokens
        rules.replay = .afterCalls
        rules.addedQuirks = [.noStop]
        rules.removedQuirks = [.topK]
        rules.forbidden = ["temperature"]
        rules.required = [RequiredMember("b", "null")]
        rules.outputCap = 7
        rules.transformers = ["maxtoken"]
        return rules
    }

    static let worker = WorkerConfig(
        provider: "p", isEcho: false,
        profile: profile, models: [model],
        urls: [.messages: "https://h.example/v1/messages", .countTokens: "https://h.example/v1/x"],
        streamURLs: [.messages: "https://h.example/s"], key: Array("secret".utf8),
        anthropicVersion: "2023-06-01",
        extraHeaders: ["a": "1", "b": "2"], proxy: "",
        timeouts: ExchangeTimeouts(
            connect: 1, firstEvent: 2, total: 60, idle: 3, keepalive: 4, commitHold: 5, unusedConnection: 6),
        modelsURL: "https://h.example/models"
    )

    static let limits = FrontLimits(
        headBytes: 1, bodyBytes: 2, decodedRatio: 100, headerTimeoutMsec: 3, bodyTimeoutMsec: 4,
        idleTimeoutMsec: 5,
        connections: 6,
        requestsInFlight: 7, totalTimeoutMsec: .max)

    static let report = CredentialReport(
        name: "main", provider: "p", kind: "oauth2", state: "needs_login", reason: "revoked",
        remedy: "run ccr login main", generation: 3,
        isUsable: true,
        expiresAt: 2000, nextAttemptAt: nil, cooldownUntil: 0, refusals: 1, outcomes: ["ok": 2, "waf": 1])

    /// The seeds of the fuzz target for messages: what chooses the type there, and a sample of it.
    static let seeds: [(name: String, number: UInt8, sample: String)] = [
        ("handoff", 1, "HandoffRequest inline"), ("query", 2, "HandoffQuery"),
        ("committed", 3, "HandoffCommitted"), ("failed", 4, "HandoffFailed"), ("done", 5, "HandoffDone"),
        ("batch", 6, "RecordBatch"), ("ack", 7, "RecordAck"), ("status", 8, "ProcessStatus"),
        ("config", 9, "WorkerConfig"), ("report", 10, "CredentialReport"),
        ("admin-request", 11, "AdminRequest"),
        ("admin-answer", 12, "AdminAnswer"), ("models", 13, "OfferedModels"),
    ]

    static let all = [
        Sample("HandoffRequest with a memfd", handoff),
        Sample(
            "HandoffRequest inline",
            {
                var value = handoff
                value.inlineBody = Array("{}".utf8)
                value.splices = []
                return value
            }()),
        Sample("HandoffQuery", HandoffQuery(tag: 1, requestID: "req", path: "/metrics", keepAlive: true)),
        Sample("HandoffCommitted", HandoffCommitted(tag: 1, status: 200, exhaustedMsec: 5)),
        Sample(
            "HandoffCommitted with an error",
            HandoffCommitted(
                tag: 1, status: 429, failure: FailureReport(.rate, status: 429), hasSentBody: false)),
        Sample("OfferedModels", OfferedModels(["gpt-5.5", "gpt-5.5-mini"])),
        Sample(
            "HandoffFailed",
            HandoffFailed(
                tag: 2, kind: .rateLimited, message: "p reported an error", quote: "slow down",
                retryAfter: 7,
                report: FailureReport(
                    .parameter, status: 400, retryAfterMsec: 7, parameter: "p", mayRepeat: false),
                refusal: HandoffRefusal(status: 400, bytes: [1, 2]))),
        Sample(
            "HandoffFailed without a status",
            HandoffFailed(
                tag: 2, kind: .internalFault, message: "", report: FailureReport(.network))),
        Sample(
            "HandoffDone",
            HandoffDone(
                tag: 3, outcome: .aborted, status: 200, usage: record.usage, keepAlive: true,
                firstByteUsec: 5,
                bodyBytes: 6, backpressureCount: 7, transformers: ["glm"])),
        Sample("RequestRecord", record), Sample("PolicyReport", policy),
        Sample("ProviderProfile", profile),
        Sample("ModelRules", model),
        Sample(
            "RequestRecord without attempts",
            {
                var value = record
                value.failedAttempts = []
                value.rejection = nil
                return value
            }()),
        Sample(
            "RecordBatch",
            RecordBatch(
                frontInstance: 1, records: [record, record],
                gauges: FrontGauges(
                    connections: 1, activeRequests: 2, activeStreams: 3, peakStreams: 4, handoffs: 5,
                    droppedRecords: 6))),
        Sample("RecordAck", RecordAck(frontInstance: .max, sequence: 4)),
        Sample("ProcessStatus", status), Sample("WorkerConfig", worker), Sample("FrontLimits", limits),
        Sample(
            "ExporterConfig",
            ExporterConfig(stateDirectory: "/var/lib/ccr", providers: ["a", "b"], version: "1.2.3")),
        Sample("CredentialReport", report),
        Sample("AdminRequest", AdminRequest(tag: 1, verb: .store, body: Array("{}".utf8))),
        Sample("AdminAnswer", AdminAnswer(tag: .max, status: 200, body: Array("{}".utf8))),
        Sample("Usage", record.usage), Sample("HeaderBlock", headers),
        Sample("empty HeaderBlock", HeaderBlock()),
    ]
}

@Suite("Messages on the wire") struct WireTypeTests {
    @Test("A value comes back as it was", arguments: Sample.all)
    func roundTrip(sample: Sample) throws {
        #expect(try sample.again(sample.bytes) == sample.bytes)
    }

    @Test("The seeds of the fuzz target are messages of this build", arguments: Sample.seeds.map(\.name))
    func seeds(name: String) throws {
        let seed = try #require(Sample.seeds.first { $0.name == name })
        let sample = try #require(Sample.all.first { $0.testDescription == seed.sample })
        let root = #filePath.components(separatedBy: "/Tests/")[0]
        let file = URL(fileURLWithPath: "\(root)/fuzz/corpus/messages/\(name)")
        let bytes = Data([seed.number] + sample.bytes)
        if ProcessInfo.processInfo.environment["CCR_WRITE_GOLDEN"] == "1" { try bytes.write(to: file) }
        #expect(try Data(contentsOf: file) == bytes, "write it anew with CCR_WRITE_GOLDEN=1")
    }

    @Test("A message that is cut short anywhere is refused", arguments: Sample.all)
    func cut(sample: Sample) {
        for length in 0..<sample.bytes.count {
            #expect(throws: WireError.self, "after \(length) bytes") {
                try sample.again(Array(sample.bytes[..<length]))
            }
        }
    }

    @Test("A message with bytes behind it is refused", arguments: Sample.all)
    func trailing(sample: Sample) {
        #expect(throws: WireError.trailingBytes(1)) { try sample.again(sample.bytes + [0]) }
    }

    @Test("A damaged byte is refused or means another value, and is never fatal", arguments: Sample.all)
    func damaged(sample: Sample) {
        for index in sample.bytes.indices {
            for value in [0x00, 0x01, 0x7F, 0x80, 0xFF] as [UInt8] {
                var bytes = sample.bytes
                bytes[index] = value
                do {
                    #expect(try sample.again(bytes).count == bytes.count)
                } catch {
                    #expect(error is WireError)
                }
            }
        }
    }

    @Test("Every field of a handoff comes back")
    func handoff() throws {
        let back = try Sample.decode(HandoffRequest.self, Sample.encode(Sample.handoff))
        #expect(back.tag == .max)
        #expect(back.endpoint == .images)
        #expect(
            [back.streaming, back.isOnlyCredential, back.keepAlive, back.isHTTP11] == [
                true, false, true, true,
            ])
        #expect(back.terms == Sample.handoff.terms)
        #expect([back.credential] + back.dropped == ["c", "p"])
        #expect(back.bodySize == 1 << 40)
        #expect(back.inlineBody == nil)
        #expect(back.splices == Sample.handoff.splices)
        #expect(back.headers == Sample.headers)
        #expect([back.requestID, back.model, back.query] == ["req_1", "gpt-5", "beta=true"])
        #expect(back.deadlineUsec == 123)
    }

    @Test("Configurations and records compare equal after their way")
    func equal() throws {
        #expect(try Sample.decode(RequestRecord.self, Sample.encode(Sample.record)) == Sample.record)
        #expect(try Sample.decode(WorkerConfig.self, Sample.encode(Sample.worker)) == Sample.worker)
        #expect(try Sample.decode(FrontLimits.self, Sample.encode(Sample.limits)) == Sample.limits)
        #expect(try Sample.decode(ProcessStatus.self, Sample.encode(Sample.status)) == Sample.status)
    }

    @Test("Equal configurations have equal bytes, in whatever order they were built")
    func stable() {
        var other = Sample.worker
        other.urls = [:]
        for endpoint in Sample.worker.urls.keys.sorted(by: { $0.rawValue > $1.rawValue }) {
            other.urls[endpoint] = Sample.worker.urls[endpoint]
        }
        other.extraHeaders = ["b": "2", "a": "1"]
        #expect(Sample.encode(other) == Sample.encode(Sample.worker))
    }

    @Test("A missing proxy and an empty one are two things")
    func proxy() throws {
        var config = Sample.worker
        config.proxy = nil
        #expect(try Sample.decode(WorkerConfig.self, Sample.encode(config)).proxy == nil)
        #expect(try Sample.decode(WorkerConfig.self, Sample.encode(Sample.worker)).proxy == "")
    }

    @Test("A body size beyond the machine's integers is the largest one")
    func clamped() throws {
        var bytes = Sample.encode(Sample.limits)
        for index in 0..<8 { bytes[index] = 0xFF }
        #expect(try Sample.decode(FrontLimits.self, bytes).headBytes == .max)
    }
}
