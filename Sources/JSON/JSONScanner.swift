// SPDX-License-Identifier: Apache-2.0
// Looks at a document while it arrives: what has just been received is still in the processor's cache, which for a large
// one is a third of what reading it costs.

import CJSONScan
import CSimdjson

/// The tokens of one document after the other.
package final class JSONScanner {
    /// A `ccr_json_scan`. Other targets see what this class has, and not that type.
    private let memory: UnsafeMutableRawPointer
    /// So much of the document is UTF-8.
    private var checked = 0
    private var isUTF8 = true
    /// The document has so many tokens that they are looked for when all of it is there: memory for those of many documents
    /// that arrive at the same time is bounded.
    private var isPostponed = false

    /// Tokens that are kept while a document arrives, 1 MiB.
    private static let maximumEarlyTokens = 1 << 18

    package init() {
        let scan = UnsafeMutablePointer<ccr_json_scan>.allocate(capacity: 1)
        scan.initialize(to: ccr_json_scan())
        memory = UnsafeMutableRawPointer(scan)
    }

    deinit {
        ccr_json_scan_release(memory.scan)
        memory.deallocate()
    }

    /// Looks at what has come of a document.
    ///
    /// - Parameter text: from its beginning; may lie in another place each time.
    package func advance(_ text: UnsafeRawBufferPointer) {
        guard !isPostponed else { return }
        let before = memory.scan.pointee.position
        ccr_json_scan_blocks(memory.scan, text.baseAddress, text.count)
        guard memory.scan.pointee.position > before else { return }
        checkUTF8(text, to: memory.scan.pointee.position, isEnd: false)
        if memory.scan.pointee.count > JSONScanner.maximumEarlyTokens {
            ccr_json_scan_release(memory.scan)
            isPostponed = true
        }
    }

    /// Looks at the rest of a document.
    ///
    /// - Returns: why it is none. Grammar is not looked at.
    func finish(_ text: UnsafeRawBufferPointer) -> JSONError.Reason? {
        if isPostponed { restart() }
        let isPart = memory.scan.pointee.position <= text.count
        ccr_json_scan_end(memory.scan, text.baseAddress, text.count)
        guard isPart else { return .malformed }
        checkUTF8(text, to: text.count, isEnd: true)
        if !isUTF8 { return .invalidUTF8 }
        switch memory.scan.pointee.fault {
        case ccr_json_bad_string: return .invalidString
        case ccr_json_out_of_memory: return .outOfMemory
        default: return memory.scan.pointee.count == 0 ? .empty : nil
        }
    }

    private func checkUTF8(_ text: UnsafeRawBufferPointer, to end: Int, isEnd: Bool) {
        // Nothing but ASCII, and no character that was cut off before.
        guard memory.scan.pointee.is_foreign else { return checked = end }
        var end = end
        if !isEnd {
            // The character at the end may go on; its first byte tells.
            let start = max(checked, end - 4)
            if let first = text[start..<end].lastIndex(where: { $0 & 0xC0 != 0x80 }), text[first] >= 0x80 {
                end = first
            }
        }
        let part = UnsafeRawBufferPointer(rebasing: text[checked..<end])
        isUTF8 = isUTF8 && ccr_utf8_is_valid(part.baseAddress, part.count)
        checked = end
        memory.scan.pointee.is_foreign = end < memory.scan.pointee.position
    }

    /// Begins with another document.
    func restart() {
        ccr_json_scan_restart(memory.scan)
        forget()
    }

    /// Begins with another document and gives the memory back.
    func release() {
        ccr_json_scan_release(memory.scan)
        forget()
    }

    private func forget() {
        checked = 0
        isUTF8 = true
        isPostponed = false
    }

    // MARK: - What was found

    /// By token, the offset of its first byte; behind the last token stands the length of the text. Valid until the next
    /// document.
    var offsets: UnsafePointer<UInt32>? { UnsafePointer(memory.scan.pointee.offsets) }
    var count: Int { memory.scan.pointee.count }
    var hasEscapes: Bool { memory.scan.pointee.any }
    var hasPrintableEscapes: Bool { memory.scan.pointee.printable }
    var hasHalfPairs: Bool { memory.scan.pointee.half_pairs }
    var lengths: JSONLengths {
        JSONLengths(excess: memory.scan.pointee.excess, foreign: memory.scan.pointee.foreign)
    }
}

extension UnsafeMutableRawPointer {
    fileprivate var scan: UnsafeMutablePointer<ccr_json_scan> {
        assumingMemoryBound(to: ccr_json_scan.self)
    }
}
