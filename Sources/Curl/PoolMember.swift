// SPDX-License-Identifier: Apache-2.0
// What a `TransferPool` lets run: an easy handle and the object that is told of its end.
// Source: libcurl-easy(3).

import CCurl

/// An easy handle and what becomes of it.
package class PoolMember {
    let easy: UnsafeMutableRawPointer

    init() {
        guard let easy = ccr_easy_init() else { fatalError("curl_easy_init: out of memory") }
        self.easy = easy
    }

    deinit {
        curl_easy_cleanup(easy)
    }

    /// libcurl is done with the handle.
    func ended(_ code: CURLcode) {}
}
