// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import JSON

@Suite struct WordScanTests {
    @Test func `the first byte to escape is found wherever it stands`() {
        let text = Array("plain text of some length, é and 😀 in it".utf8)
        for special in [0x00, 0x1F, 0x22, 0x5C] as [UInt8] {
            for index in text.indices {
                var bytes = text
                bytes[index] = special
                // A later one must not hide it.
                bytes.append(contentsOf: [special, 0x22])
                bytes.withUnsafeBytes { view in
                    #expect(WordScan.firstSpecial(in: view, from: 0) == index)
                    #expect(WordScan.firstSpecial(in: view, from: index) == index)
                    #expect(WordScan.firstSpecial(in: view, from: index + 1) == text.count)
                }
            }
        }
    }

    @Test func `no other byte is taken for one`() {
        for byte in 0x20...0xFF as ClosedRange<UInt8> where byte != 0x22 && byte != 0x5C {
            for count in 1...17 {
                [UInt8](repeating: byte, count: count).withUnsafeBytes { view in
                    #expect(WordScan.firstSpecial(in: view, from: 0) == nil)
                    #expect(WordScan.isASCII(view) == (byte < 0x80))
                }
            }
        }
    }

    @Test func `one byte beyond ASCII is seen at every place`() {
        for index in 0..<17 {
            var bytes = [UInt8](repeating: 0x61, count: 17)
            bytes[index] = 0x80
            bytes.withUnsafeBytes { #expect(!WordScan.isASCII($0)) }
        }
    }
}
