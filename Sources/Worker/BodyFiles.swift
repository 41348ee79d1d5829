// SPDX-License-Identifier: Apache-2.0
// The files in which fronts hand large bodies over. A front uses a file again for the next body, so its mapping is kept:
// making one for every body, or copying out of the file, costs more than sending does.
// Source: docs/decisions/0010-bodies-are-copied-into-a-memfd-of-the-provider.md.

import Glibc
import Posix
import Runtime

final class BodyFiles {
    /// The one that was used last is at the end.
    private var views: [SharedMemoryView] = []
    private var disuse = Disuse()

    /// As many as a front keeps for a provider, and the largest that it keeps: no larger one comes again.
    private static let maximumCount = 8
    private static let maximumBytes = 8 << 20

    /// The file of a descriptor, whose first `size` bytes are a body.
    ///
    /// - Throws: EINVAL when the file may shrink or is shorter.
    func view(of descriptor: borrowing FileDescriptor, size: Int) throws(Errno) -> SharedMemoryView {
        disuse.used()
        let file = try SharedFile(descriptor)
        guard size >= 0, size <= file.size else { throw Errno("fstat", code: EINVAL) }
        if let place = views.lastIndex(where: { $0.file.isSame(as: file) }) {
            let view = views.remove(at: place)
            if view.file.size >= size {
                views.append(view)
                return view
            }
        }
        let view = try SharedMemoryView(descriptor, file)
        guard file.size <= BodyFiles.maximumBytes else { return view }
        if views.count == BodyFiles.maximumCount { views.removeFirst() }
        views.append(view)
        return view
    }

    /// Lets go of the files when none has come for a while: front has given them up. Returns whether some are left.
    func sweep(_ now: UInt64) -> Bool {
        if disuse.isLong(now) { views = [] }
        return !views.isEmpty
    }
}
