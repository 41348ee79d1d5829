// SPDX-License-Identifier: Apache-2.0
// Random numbers from the kernel, without a file and without a state that a fork could copy.
// Source: getentropy(3): at most 256 bytes a call, never short, fails only on a bad address or an old kernel.

import Glibc

package enum Random {
    /// `count` random bytes.
    package static func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            fill(UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }

    /// A random number of 64 bits.
    package static func uint64() -> UInt64 {
        var value: UInt64 = 0
        withUnsafeMutableBytes(of: &value) { fill($0) }
        return value
    }

    private static func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        var offset = 0
        while offset < buffer.count {
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[offset...].prefix(256))
            guard let base = piece.baseAddress, getentropy(base, piece.count) == 0 else {
                fatalError("getentropy: errno \(errno)")
            }
            offset += piece.count
        }
    }
}
