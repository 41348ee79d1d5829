// SPDX-License-Identifier: Apache-2.0
// Takes a request body off a connection's bytes: framing first, then the content coding, then the store.
// Source: RFC 9112 §6 and §7; RFC 9110 §8.4.

import Compression
import Gateway
import HTTP1

/// Reads one body. Bytes behind its end are left alone; they belong to the next request.
final class RequestBodyReader {
    let store: BodyStore
    private var framing: Framing
    private let decoder: BodyDecoder?
    private let limit: Int
    private let decodedRatio: Int
    private var encodedBytes = 0
    /// Up to this size a body may grow as it likes when it is decoded: nothing is gained by that.
    private static let harmlessBytes = 1 << 20

    private enum Framing {
        case length(remaining: Int)
        case chunked(ChunkedDecoder)
    }

    /// Returns nil when the request has no body.
    ///
    /// - Parameter provider: as in `BodyStore`.
    init?(
        _ head: RequestHead, limit: Int, decodedRatio: Int, pool: BodyPool, provider: Int? = nil
    ) throws(GatewayError) {
        self.limit = limit
        self.decodedRatio = decodedRatio
        let coding: ContentCoding?
        switch head.contentEncoding {
        case .identity: coding = nil
        case .gzip: coding = .gzip
        case .deflate: coding = .deflate
        case .zstd: coding = .zstd
        case .other:
            throw GatewayError(
                .unsupportedEncoding, "the body may be encoded with gzip, deflate or zstd only")
        }
        switch head.bodyFraming {
        case .none: return nil
        case .length(0): return nil
        case .length(let count):
            guard count <= UInt64(limit) else { throw RequestBodyReader.tooLarge(limit) }
            framing = .length(remaining: Int(count))
            store = BodyStore(limit: limit, expected: Int(count), pool: pool, provider: provider)
        case .chunked:
            framing = .chunked(ChunkedDecoder(bodyLimit: UInt64(limit)))
            store = BodyStore(
                limit: limit, expected: BodyStore.inlineLimit, pool: pool, provider: provider)
        }
        do {
            decoder = try coding.map { (coding) throws(CompressionError) in
                try BodyDecoder(coding, maximumOutputBytes: limit)
            }
        } catch {
            throw GatewayError(.internalFault, "no memory to decode the body")
        }
    }

    static func describe(_ fault: BodyStore.Fault, _ limit: Int) -> GatewayError {
        switch fault {
        case .tooLarge: tooLarge(limit)
        case .noMemory: GatewayError(.overloaded, "no memory for the request body", retryAfter: 1)
        }
    }

    static func tooLarge(_ limit: Int) -> GatewayError {
        GatewayError(.tooLarge, "the request body is larger than the limit of \(limit) bytes")
    }

    /// How many bytes may be received straight into the store: the rest of a plain body that is too large to travel
    /// inside a message; else 0.
    var directBytes: Int {
        guard decoder == nil, case .length(let remaining) = framing,
            remaining + store.count > BodyStore.inlineLimit
        else { return 0 }
        return remaining
    }

    /// Counts bytes that were received straight into the store. Returns whether the body is complete.
    func receivedDirectly(_ count: Int) -> Bool {
        guard case .length(let remaining) = framing else { return false }
        store.commit(count)
        framing = .length(remaining: remaining - count)
        return remaining == count
    }

    /// Takes bytes; returns how many belong to the body and whether it is complete.
    func received(_ bytes: UnsafeRawBufferPointer) throws(GatewayError) -> (consumed: Int, isComplete: Bool) {
        switch framing {
        case .length(let remaining):
            let count = min(remaining, bytes.count)
            try keep(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            framing = .length(remaining: remaining - count)
            if remaining == count { try finish() }
            return (count, remaining == count)
        case .chunked(var chunks):
            var failure: GatewayError?
            let result: (consumed: Int, isComplete: Bool)
            do throws(HTTPError) {
                result = try chunks.decode(bytes) { data in
                    guard failure == nil else { return }
                    do throws(GatewayError) {
                        try keep(data)
                    } catch {
                        failure = error
                    }
                }
            } catch {
                throw error.status == 413
                    ? RequestBodyReader.tooLarge(limit) : GatewayError(.invalidRequest, error.message)
            }
            framing = .chunked(chunks)
            if let failure { throw failure }
            if result.isComplete { try finish() }
            return result
        }
    }

    private func keep(_ bytes: UnsafeRawBufferPointer) throws(GatewayError) {
        guard let decoder else { return try store(bytes) }
        encodedBytes += bytes.count
        var failure: GatewayError?
        do throws(CompressionError) {
            try decoder.decode(bytes) { data in
                guard failure == nil else { return }
                do throws(GatewayError) {
                    try store(data)
                } catch {
                    failure = error
                }
            }
        } catch {
            throw describe(error)
        }
        if let failure { throw failure }
        // A small body may be a long run of one character; only a large one is suspicious.
        if store.count > RequestBodyReader.harmlessBytes, store.count / max(encodedBytes, 1) > decodedRatio {
            throw GatewayError(
                .tooLarge, "the request body grows more than \(decodedRatio) times when it is decoded")
        }
    }

    private func store(_ bytes: UnsafeRawBufferPointer) throws(GatewayError) {
        do {
            try store.append(bytes)
        } catch {
            throw RequestBodyReader.describe(error, limit)
        }
    }

    private func finish() throws(GatewayError) {
        do {
            try decoder?.finish()
        } catch {
            throw describe(error)
        }
    }

    private func describe(_ error: CompressionError) -> GatewayError {
        error == .tooLarge
            ? RequestBodyReader.tooLarge(limit)
            : GatewayError(.invalidRequest, "the request body does not match its Content-Encoding")
    }
}
