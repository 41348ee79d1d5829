// SPDX-License-Identifier: Apache-2.0
// The way back from a C callback to the Swift object it was registered with.

/// The object whose unretained pointer was given as a callback's context; it must outlive the registration.
@inline(__always)
package func owner<Object: AnyObject>(_ context: UnsafeMutableRawPointer?) -> Object {
    guard let context else { fatalError("callback without its context") }
    return Unmanaged<Object>.fromOpaque(context).takeUnretainedValue()
}
