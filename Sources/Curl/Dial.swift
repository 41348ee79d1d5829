// SPDX-License-Identifier: Apache-2.0
// A TCP connection for somebody else's use: libcurl looks the name up without blocking, tries the addresses one beside the
// other (RFC 8305), and lets go of the socket.
// Source: CURLOPT_CONNECT_ONLY(3), CURLINFO_ACTIVESOCKET(3).

import CCurl
package import Posix

/// How a dial ended.
package enum DialResult: ~Copyable {
    /// A connected, non-blocking socket with TCP_NODELAY, owned by the receiver of this value.
    case connected(FileDescriptor)
    /// A class for decisions and a text for people, which never holds the URL.
    case failed(TransferFailure, String)
}

/// One dial. Made by `TransferPool.dial`; whoever started it holds it until its end is told or it is cancelled.
package final class Dial: PoolMember {
    private unowned let pool: TransferPool
    private var completion: ((consuming DialResult) -> Void)?

    init(
        _ origin: String, connectTimeoutMsec: Int, pool: TransferPool,
        completion: @escaping (consuming DialResult) -> Void
    ) {
        self.pool = pool
        self.completion = completion
        super.init()
        ccr_easy_set_owner(
            easy, Unmanaged.passUnretained(self).toOpaque(), Unmanaged.passUnretained(pool).toOpaque())
        ccr_easy_set_string(easy, CURLOPT_URL, origin)
        ccr_easy_set_string(easy, CURLOPT_PROXY, "")
        ccr_easy_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, connectTimeoutMsec)
        ccr_easy_set_long(easy, CURLOPT_CONNECT_ONLY, 1)
    }

    /// Ends the dial without another report.
    package func cancel() {
        guard completion != nil else { return }
        completion = nil
        pool.remove(self)
    }

    override func ended(_ code: CURLcode) {
        let completion = completion
        self.completion = nil
        // libcurl closes its own descriptor when it lets go of the handle.
        let descriptor = code == CURLE_OK ? try? FileDescriptor(duplicating: ccr_easy_socket(easy)) : nil
        pool.remove(self)
        if let descriptor {
            completion?(.connected(descriptor))
        } else if code == CURLE_OK {
            completion?(.failed(.connect, "no descriptor is left"))
        } else {
            completion?(.failed(TransferFailure(code), String(cString: curl_easy_strerror(code))))
        }
    }
}
