// SPDX-License-Identifier: Apache-2.0
// What is asked of an upstream, what comes back, and how it can go wrong.
// Source: libcurl-errors(3).

import CCurl

/// What a transfer reports. The transfer holds it until it has ended or is cancelled. Called from the event loop, in the order
/// head lines, head, body…, end. No transfer may be started or cancelled during a call but the last.
package protocol TransferDelegate: AnyObject {
    /// One line of the final response's head, without its line end; the first one is the status line.
    func transferReceived(headLine: UnsafeRawBufferPointer)
    /// The head is complete; the body follows.
    func transferReceivedHead(status: Int)
    /// Bytes of the body.
    func transferReceived(body: UnsafeRawBufferPointer) -> BodyDisposition
    /// The transfer is over; the transfer object belongs to its pool again.
    func transferEnded(_ result: TransferResult)
}

/// What became of offered body bytes.
package enum BodyDisposition: Int32 {
    case taken = 0
    /// Not taken; they are offered again after `Transfer.resume`.
    case pause = 1
    /// The rest is not wanted; the transfer ends as `.broken`.
    case giveUp = 2
}

/// How a transfer ended.
package enum TransferResult: Equatable {
    /// The answer arrived completely.
    case complete
    /// It did not: a class for decisions and a text for people, which never holds the URL.
    case failed(TransferFailure, String)
}

/// Classes of transport failures.
package enum TransferFailure: Equatable {
    /// The host name is unknown.
    case resolve
    /// No connection could be made.
    case connect
    /// The proxy did not make the connection that it was asked for; the text has its status.
    case proxy
    /// TLS could not be agreed on or the certificate is not trusted.
    case tls
    /// No connection in time.
    case connectTimeout
    /// The connection broke before the answer was complete.
    case broken
    /// The answer is not understood as HTTP.
    case malformed

    init(_ code: CURLcode) {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: self = .resolve
        case CURLE_COULDNT_CONNECT, CURLE_PROXY, CURLE_INTERFACE_FAILED: self = .connect
        case CURLE_OPERATION_TIMEDOUT: self = .connectTimeout
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_NOTFOUND:
            self = .tls
        case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT,
            CURLE_BAD_CONTENT_ENCODING:
            self = .malformed
        default: self = .broken
        }
    }
}

/// The request body; may be read again from the start when a reused connection turns out to be dead.
package protocol RequestBody: AnyObject {
    /// Size in bytes.
    var size: Int { get }
    /// The bytes that lie together in memory from `offset` on, at least one; none at the end. They stay in place as long
    /// as the object lives.
    func piece(from offset: Int) -> UnsafeRawBufferPointer
}

extension RequestBody {
    /// All of it, if it lies in one piece.
    package var contiguous: UnsafeRawBufferPointer? {
        let first = piece(from: 0)
        return first.count == size ? first : nil
    }

    /// Copies bytes from `offset` on and returns how many; 0 at the end.
    package func read(from offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var copied = 0
        while copied < buffer.count {
            let piece = piece(from: offset + copied)
            guard !piece.isEmpty else { break }
            let count = min(piece.count, buffer.count - copied)
            UnsafeMutableRawBufferPointer(rebasing: buffer[copied...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: piece[..<count]))
            copied += count
        }
        return copied
    }
}

/// What to ask an upstream.
package struct TransferRequest {
    package let url: String
    /// Zero-terminated "name: value" lines; "name:" keeps libcurl from adding that field, "name;" sends it empty.
    package let headers: [UInt8]
    /// nil asks with GET.
    package let body: (any RequestBody)?
    package let connectTimeoutMsec: Int
    /// "scheme://host:port" of a proxy, "" for none, nil for what the environment says.
    package let proxy: String?
    /// Opens a connection of its own and closes it afterwards. On a kept one libcurl sends a request again when the
    /// connection turns out to be dead, which a request that must not be sent twice cannot have.
    package let usesOwnConnection: Bool
    /// The answer comes in small pieces over a long time, for which a small buffer is as good and is kept that long.
    package let expectsStream: Bool

    package init(
        url: String, headers: [UInt8], body: (any RequestBody)?, connectTimeoutMsec: Int, proxy: String?,
        usesOwnConnection: Bool = false, expectsStream: Bool = false
    ) {
        self.expectsStream = expectsStream
        self.usesOwnConnection = usesOwnConnection
        self.url = url
        self.headers = headers
        self.body = body
        self.connectTimeoutMsec = connectTimeoutMsec
        self.proxy = proxy
    }
}
