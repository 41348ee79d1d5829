// SPDX-License-Identifier: Apache-2.0
// One HTTP request to an upstream and its answer: a libcurl easy handle, used again for request after request.
// Source: libcurl-easy(3), curl_easy_pause(3), CURLOPT_HEADERFUNCTION(3).

import Bytes
import CCurl
import Glibc

/// An easy handle and its current request. Made and owned by a `TransferPool`.
package final class Transfer: PoolMember {
    private unowned let pool: TransferPool
    /// Held until the request is over; a weak reference would cost more with every report.
    private var delegate: (any TransferDelegate)?
    private var body: (any RequestBody)?
    private var bodyOffset = 0
    private var headerList: UnsafeMutablePointer<curl_slist>?
    /// Set between a 1xx status line and the end of that head.
    private var isInterim = false
    private var headComplete = false
    private var configured: (url: String, connectTimeoutMsec: Int, proxy: String?)?
    private var isGet = false
    /// Whether a connection that was kept is of no use for this request.
    private var opensConnection = false {
        didSet {
            guard opensConnection != oldValue else { return }
            ccr_easy_set_long(easy, CURLOPT_FRESH_CONNECT, opensConnection ? 1 : 0)
        }
    }
    /// Whether this request's connection is of no use for another one.
    private var closesConnection = false {
        didSet {
            guard closesConnection != oldValue else { return }
            ccr_easy_set_long(easy, CURLOPT_FORBID_REUSE, closesConnection ? 1 : 0)
        }
    }
    private var hasAnswered = false
    private var expectsStream = false
    private(set) var isPaused = false
    private var isGivenUp = false

    /// libcurl's buffer for what it receives, in bytes: half a page for events of some hundred bytes, 5,000 of which take
    /// 10 MB less than with libcurl's own default, which documents keep.
    private static let streamBuffer = 2_048
    private static let documentBuffer = Int(CURL_MAX_WRITE_SIZE)

    init(pool: TransferPool) {
        self.pool = pool
        super.init()
        // libcurl leaves these variables to its command line tool; operators expect them to work everywhere.
        if let file = getenv("SSL_CERT_FILE") { ccr_easy_set_string(easy, CURLOPT_CAINFO, file) }
        if let directory = getenv("SSL_CERT_DIR") { ccr_easy_set_string(easy, CURLOPT_CAPATH, directory) }
        ccr_easy_set_long(easy, CURLOPT_MAXAGE_CONN, pool.unusedConnectionSeconds)
        ccr_easy_set_owner(
            easy, Unmanaged.passUnretained(self).toOpaque(), Unmanaged.passUnretained(pool).toOpaque())
    }

    deinit {
        curl_slist_free_all(headerList)
    }

    func prepare(_ request: TransferRequest, delegate: any TransferDelegate) {
        self.delegate = delegate
        body = request.body
        bodyOffset = 0
        isInterim = false
        headComplete = false
        hasAnswered = false
        isPaused = false
        isGivenUp = false
        // The options of the last request stay set; most requests of a worker differ in headers and body only.
        if configured?.url != request.url { ccr_easy_set_string(easy, CURLOPT_URL, request.url) }
        if configured?.connectTimeoutMsec != request.connectTimeoutMsec {
            ccr_easy_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeoutMsec)
        }
        if configured?.proxy != request.proxy { ccr_easy_set_string(easy, CURLOPT_PROXY, request.proxy) }
        configured = (request.url, request.connectTimeoutMsec, request.proxy)
        var list: UnsafeMutablePointer<curl_slist>?
        request.headers.withUnsafeBytes { lines in
            var start = 0
            while start < lines.count, let end = lines.firstIndex(of: 0, from: start) {
                list = curl_slist_append(
                    list, lines.baseAddress?.advanced(by: start).assumingMemoryBound(to: CChar.self))
                start = end + 1
            }
        }
        ccr_easy_set_list(easy, CURLOPT_HTTPHEADER, list)
        curl_slist_free_all(headerList)
        headerList = list
        opensConnection = request.usesOwnConnection
        closesConnection = request.usesOwnConnection
        if expectsStream != request.expectsStream {
            expectsStream = request.expectsStream
            ccr_easy_set_long(
                easy, CURLOPT_BUFFERSIZE, expectsStream ? Transfer.streamBuffer : Transfer.documentBuffer)
        }
        if isGet != (request.body == nil) {
            isGet = request.body == nil
            ccr_easy_set_long(easy, isGet ? CURLOPT_HTTPGET : CURLOPT_POST, 1)
        }
        if let body = request.body {
            ccr_easy_set_body(easy, body.contiguous?.baseAddress, Int64(body.size))
        }
    }

    /// Whether libcurl has taken the request's body: it is not read again.
    package var hasSentBody: Bool { body.map { ccr_easy_uploaded(easy) >= $0.size } ?? true }

    /// Offers body bytes again after a `.pause`; may call the delegate before it returns.
    package func resume() {
        guard isPaused else { return }
        isPaused = false
        curl_easy_pause(easy, CURLPAUSE_CONT)
        pool.progressed()
    }

    /// Ends the transfer without another report. Must not be called from within a delegate's body callback.
    package func cancel() {
        guard delegate != nil else { return }
        finish()
        abandon()
        pool.recycle(self)
    }

    /// Nobody wants the rest, of which the upstream learns by the end of the connection. Over HTTP/2 libcurl would keep it,
    /// with the RST_STREAM in a buffer until there is something else to send (before 8.15).
    private func abandon() {
        closesConnection = true
    }

    /// The same request once more, on a new connection.
    private func startOver() {
        opensConnection = true
        bodyOffset = 0
        pool.restart(self)
    }

    /// Lets go of the request.
    private func finish() {
        delegate = nil
        body = nil
    }

    override func ended(_ code: CURLcode) {
        // A kept connection turned out to be dead, as over TLS only its use shows. libcurl repeats the request, but not
        // from within a large body, and five times in the life of a handle; and over HTTP/2 it stumbles over what the
        // first attempt has left.
        let isDead = code == CURLE_SEND_ERROR && ccr_easy_new_connections(easy) == 0 || code == CURLE_HTTP2
        if isDead, !hasAnswered, !opensConnection { return startOver() }
        let delegate = delegate
        let proxyAnswer = ccr_easy_proxy_answer(easy)
        finish()
        pool.recycle(self)
        if code != CURLE_OK, proxyAnswer >= 300 {
            delegate?.transferEnded(.failed(.proxy, "the proxy answered \(proxyAnswer)"))
        } else if code != CURLE_OK {
            delegate?.transferEnded(.failed(TransferFailure(code), String(cString: curl_easy_strerror(code))))
        } else if !headComplete {
            // libcurl is content with part of a head.
            delegate?.transferEnded(.failed(.broken, "the connection ended before the answer"))
        } else if isGivenUp {
            // And it forgets a refusal of bytes that were offered again after a pause.
            delegate?.transferEnded(.failed(.broken, "given up"))
        } else {
            delegate?.transferEnded(.complete)
        }
    }

    // MARK: - libcurl's callbacks

    func received(header bytes: UnsafeRawBufferPointer) {
        var line = bytes
        while let last = line.last, last == ASCII.lineFeed || last == ASCII.carriageReturn {
            line = UnsafeRawBufferPointer(rebasing: line.dropLast())
        }
        hasAnswered = true
        // After the body these are trailers, which mean nothing to any dialect.
        guard !headComplete else { return }
        if line.hasPrefix("HTTP/") {
            // A new status line: an interim answer (100, 103) came before this one.
            isInterim = line.firstIndex(of: ASCII.space).map { line[($0 + 1)...].first == 0x31 } ?? false
        }
        if isInterim { return }
        if line.isEmpty {
            headComplete = true
            // The answer has begun, so the request is not repeated and its body may go, unless the upstream answers
            // before it has all of it: over HTTP/2 and from 64 KiB on libcurl reads the caller's memory until the end.
            if let body, ccr_easy_uploaded(easy) >= body.size { self.body = nil }
            delegate?.transferReceivedHead(status: ccr_easy_response_code(easy))
        } else {
            delegate?.transferReceived(headLine: line)
        }
    }

    func received(body bytes: UnsafeRawBufferPointer) -> BodyDisposition {
        let disposition = delegate?.transferReceived(body: bytes) ?? .giveUp
        isPaused = disposition == .pause
        if disposition == .giveUp {
            isGivenUp = true
            abandon()
        }
        return disposition
    }

    func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard let body else { return 0 }
        let count = body.read(from: bodyOffset, into: buffer)
        bodyOffset += count
        return count
    }

    func seek(_ offset: Int) -> Bool {
        guard let body, (0...body.size).contains(offset) else { return false }
        bodyOffset = offset
        return true
    }
}
