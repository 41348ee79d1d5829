// SPDX-License-Identifier: Apache-2.0
// What the decision about one small request costs front, by two configurations: a look at header fields and body, rules and
// routes, the order of the candidates, the policy's word, and what it keeps of the answer.
//
//   bench-routing CONFIG CONFIG [ROUNDS]      prints a JSON object; nanoseconds of CPU time for a request
//
// Both are measured in turn in every round, so that whatever else the machine does happens to both. The clock is that of
// the thread, which stands while others run.

import Config
import Front
import Gateway
import Glibc
import HTTP1
import JSON
import Routing

/// Front, as far as it decides.
final class Subject {
    private let routes: RouteTable
    private var policy: Policy
    private var gate: AdmissionGate<Int>
    private let head: RequestHead
    private let parser = JSONParser()
    private let body: [UInt8]
    private var now: UInt64 = 1_000_000
    private var tag: UInt64 = 0
    private(set) var nanoseconds: [Double] = []

    init(_ path: String, _ request: [UInt8]) throws {
        let surroundings = Surroundings(environment: [:], isRoot: false)
        let loaded = ConfigLoader(surroundings: surroundings).load(path: path)
        guard let configuration = loaded.configuration else { throw Failure("\(loaded.problems)") }
        routes = RouteTable(configuration)
        policy = Policy(PolicyConfig(configuration), seed: 1)
        gate = AdmissionGate(total: nil, limits: [nil], queued: 1)
        var requests = RequestParser()
        guard
            case .head(let head, let length) = requests.parseHead(
                request, limits: HTTPLimits(headBytes: 65_536))
        else { throw Failure("the request is none") }
        self.head = head
        body = Array(request[length...])
    }

    /// The steps of FrontProcess.route, setOut, proceed, committed, ended and record.
    private func decide() throws {
        tag += 1
        now += 1_000
        var reader = RequestReader(endpoint: .chatCompletions, client: .other, probes: routes.probes)
        head.forEachHeader { reader.header($0, $1) }
        let facts = try body.withUnsafeBytes { try RequestBody($0, parser: parser, reader: reader) }
        let session = facts.traits.session
        let decision = try routes.resolve(
            RoutingRequest(
                model: facts.model, endpoint: .chatCompletions, client: .other,
                traits: facts.traits, spread: SessionHash.mixed(tag)))
        guard gate.enter(1, key: 0, deadline: now) == .goesOn else { throw Failure("nobody goes on") }
        let candidates = policy.order(
            decision.candidates, leading: decision.leading, isNamed: !decision.isStandard,
            session: session, now)
        var course = Course(
            candidates, session: session, tokens: facts.estimatedTokens + 1_000,
            deadlineUsec: now + 600_000_000)
        guard case .ask = policy.next(&course, now) else { throw Failure("nobody is asked") }
        _ = policy.committed(&course, now + 300)
        _ = policy.finished(&course, isWhole: true, tokens: 700, now + 400)
        gate.leave(0)
    }

    func measure(_ count: Int) throws {
        let start = Self.threadClock()
        for _ in 0..<count { try decide() }
        nanoseconds.append((Self.threadClock() - start) / Double(count))
    }

    private static func threadClock() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
}

struct Failure: Error {
    let text: String

    init(_ text: String) { self.text = text }
}

@main
enum Benchmark {
    private static let perRound = 500

    /// A request of an agent's SDK with 2 KB of conversation.
    private static var request: [UInt8] {
        let turn = "Please look at “Sources/main.swift”; why is it slow?\\n"
        let messages = (0..<8).map { place in
            "{\"role\":\"\(place % 2 == 0 ? "user" : "assistant")\",\"content\":\""
                + String(repeating: turn, count: 4) + "\"}"
        }
        let body =
            "{\"model\":\"mock-20-0\",\"max_tokens\":512,\"temperature\":0.7,\"messages\":["
            + messages.joined(separator: ",") + "]}"
        return Array(
            ("POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:3456\r\nContent-Type: application/json\r\n"
                + "User-Agent: OpenAI/Python 2.8.0\r\nAccept: application/json\r\nAccept-Encoding: gzip, deflate\r\n"
                + "Authorization: Bearer sk-local\r\nX-Stainless-Lang: python\r\nX-Stainless-Async: false\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)").utf8)
    }

    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 3 else { throw Failure("usage: bench-routing CONFIG CONFIG [ROUNDS]") }
        let rounds = arguments.count > 3 ? Int(arguments[3]) ?? 0 : 400
        let subjects = [try Subject(arguments[1], request), try Subject(arguments[2], request)]
        for _ in 0..<max(1, rounds) {
            for subject in subjects { try subject.measure(perRound) }
        }
        var writer = JSONWriter()
        writer.object { object in
            for (name, values) in zip(["one", "other"], subjects.map(\.nanoseconds)) {
                object.key("\(name)_ns")
                object.object { $0.statistics(values) }
            }
            object.key("added_ns")
            object.object { object in
                object.statistics(zip(subjects[1].nanoseconds, subjects[0].nanoseconds).map { $0 - $1 })
            }
        }
        print(String(decoding: writer.bytes, as: UTF8.self))
    }
}

extension JSONWriter {
    /// The least and the median of some numbers.
    mutating func statistics(_ values: [Double]) {
        let sorted = values.sorted()
        for (name, value) in [("min", sorted[0]), ("median", sorted[sorted.count / 2])] {
            key(name)
            double(value)
        }
    }
}
