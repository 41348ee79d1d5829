// SPDX-License-Identifier: Apache-2.0
// The error type of every system call wrapper.
// Source: errno(3).

import Glibc

/// A failed system call: the error number and the name of the call.
package struct Errno: Error, Equatable, CustomStringConvertible {
    /// The value of `errno`, as in errno(3).
    package let code: Int32
    /// The call that failed, for example "connect".
    package let call: String

    /// Captures `errno`; call it before anything else can change it.
    package init(_ call: String) {
        self.code = errno
        self.call = call
    }

    /// Names a known error number.
    package init(_ call: String, code: Int32) {
        self.code = code
        self.call = call
    }

    /// "connect: Connection refused".
    package var description: String { "\(call): \(String(cString: strerror(code)))" }
}

/// What a non-blocking read, write, accept or receive came to.
package enum IOResult: Equatable {
    /// This many bytes were moved; at least one.
    case bytes(Int)
    /// Nothing can be moved now.
    case wouldBlock
    /// The peer ended the stream.
    case end
}
