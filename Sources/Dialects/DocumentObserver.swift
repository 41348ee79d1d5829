// SPDX-License-Identifier: Apache-2.0
// What an answer that is one JSON document means: an error behind a 200, and the usage.
// A small document is kept and parsed at its end; of a large one only the end is kept.

import Bytes
import Gateway
import JSON

/// The meaning of one JSON answer so far.
struct DocumentObserver {
    /// A document up to this size is judged as a whole before the client gets it.
    static let collectedBytes = 256 << 10
    /// What is kept of a larger one; usage stands at the end in every dialect.
    static let tailBytes = 4 << 10

    let endpoint: Endpoint
    private(set) var phase = ResponseObserver.Phase.undecided
    private(set) var usage = Usage()
    /// The document so far, or its end.
    private var kept: [UInt8] = []
    private var isCollecting = true
    /// Lent with each call; the end of the answer needs it once more.
    private var parser: JSONParser?

    init(endpoint: Endpoint) {
        self.endpoint = endpoint
    }

    mutating func received(_ bytes: UnsafeRawBufferPointer, _ parser: JSONParser) {
        self.parser = parser
        if isCollecting, kept.count + bytes.count <= Self.collectedBytes {
            kept.append(contentsOf: bytes)
            return
        }
        if isCollecting {
            isCollecting = false
            kept.append(contentsOf: bytes.prefix(Self.tailBytes))
            decideFromBeginning()
            kept = Array(kept.suffix(Self.tailBytes))
        }
        if bytes.count >= Self.tailBytes {
            kept = Array(bytes.suffix(Self.tailBytes))
        } else {
            kept.append(contentsOf: bytes)
            if kept.count > 4 * Self.tailBytes {
                kept.removeFirst(kept.count - Self.tailBytes)
            }
        }
    }

    mutating func ended() {
        guard phase == .undecided || phase == .content else { return }
        let text = kept
        kept = []
        text.withUnsafeBytes { view in
            guard isCollecting else {
                readTail(view)
                phase = .finished
                return
            }
            decide(view)
        }
    }

    private mutating func decide(_ text: UnsafeRawBufferPointer) {
        guard let first = text.first(where: { $0 > ASCII.space }) else {
            phase = .failed(StreamFailure(.truncated, "the provider sent an empty answer"))
            return
        }
        guard first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else {
            phase = .failed(StreamFailure(.truncated, "the provider sent an answer that is not JSON"))
            return
        }
        // Clients read JSON that the parser here refuses (huge integers, lone surrogates): such an answer passes.
        guard let root = try? parser?.parse(text) else {
            readTail(text)
            phase = .finished
            return
        }
        if let reported = root.member("usage") ?? root.member("usageMetadata") {
            read(reported)
        }
        phase = Self.failure(root).map { .failed($0) } ?? .finished
    }

    /// The error that a complete document is, if it is one.
    private static func failure(_ root: JSONValue) -> StreamFailure? {
        var error: JSONValue?
        var isMarked = false
        var members = root.members
        while let (name, value) = members.nextKey() {
            if error == nil, name.isString("error") { error = value }
            if name.isString("type") { isMarked = isMarked || value.isString("error") }
            if name.isString("status") { isMarked = isMarked || value.isString("failed") }
        }
        let isError = error?.isObject == true || error?.kind == .string
        guard isMarked || isError else { return nil }
        let hasAnswer = (["choices", "output", "content", "data", "candidates"] as [StaticString]).contains {
            name in
            (root.member(name)?.count ?? 0) > 0
        }
        guard isMarked || !hasAnswer else { return nil }
        return StreamFailure(error: error, in: root)
    }

    /// Judges a document that is too large to keep.
    private mutating func decideFromBeginning() {
        let start = kept.prefix(64).filter { $0 > ASCII.space }
        if start.starts(with: "{\"error\":{".utf8) || start.starts(with: "{\"error\":\"".utf8) {
            phase = .failed(StreamFailure(.reported, "the provider sent an error that is too large to read"))
        } else if start.first != UInt8(ascii: "{"), start.first != UInt8(ascii: "[") {
            phase = .failed(StreamFailure(.truncated, "the provider sent an answer that is not JSON"))
        } else {
            phase = .content
        }
    }

    private mutating func readTail(_ text: UnsafeRawBufferPointer) {
        let name: StaticString = endpoint.dialect == .gemini ? "\"usageMetadata\"" : "\"usage\""
        guard let range = MemberScan.lastObject(of: name, in: text),
            let reported = try? parser?.parse(text.slice(range))
        else { return }
        read(reported)
    }

    private mutating func read(_ reported: JSONValue) {
        guard reported.isObject else { return }
        switch endpoint.dialect {
        case .messages: usage.merge(messages: reported)
        case .gemini: usage = Usage(gemini: reported)
        case .chat, .responses: usage = Usage(openAI: reported)
        }
    }
}
