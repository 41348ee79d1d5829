// SPDX-License-Identifier: Apache-2.0
// The files in which fronts hand large bodies over. A front uses a file again for the next body, so its mapping is kept:
// making one for every body, or copying out of the file, costs more than sending does.
// Source: docs/decisions/0026-a-large-body-is-received-where-its-worker-reads-it.md.

import Glibc
import Posix
import Runtime

final class BodyFiles {
    /// The one that was used last is at the end.
    private var views: [SharedMemoryView] = []
    private var disuse = Disuse()

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
        // A larger one does not come again.
        guard file.size <= BodyMemory.maximumBytes else { return view }
        if views.count == BodyMemory.maximumCount { views.removeFirst() }
        views.append(view)
        return view
    }

    /// Lets go of the files when none has come for a while: front has given them up. Returns whether some are left.
    func sweep(_ now: UInt64) -> Bool {
        if disuse.isLong(now) { views = [] }
        return !views.isEmpty
    }
}
