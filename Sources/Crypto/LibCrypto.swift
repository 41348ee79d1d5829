// SPDX-License-Identifier: Apache-2.0
// The one-time set-up of libcrypto.
// Source: OPENSSL_init_crypto(3ssl).

import CCrypto

enum LibCrypto {
    // By itself libcrypto reads openssl.cnf at its first use; processes that hash open no files.
    private static let isReady = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_LOAD_CONFIG), nil) == 1

    /// Must come before any other call.
    static func prepare() {
        guard isReady else { fatalError("libcrypto cannot be initialised") }
    }
}
