// SPDX-License-Identifier: Apache-2.0
// The configuration's way from the supervisor to the exporter.

import Gateway
import IPC
import Testing

@Suite struct ExporterConfigTests {
    @Test(arguments: [[], ["openai"], ["openai", "an\u{FC}", ""]])
    func `what is written is read, and every shorter message is refused`(providers: [String]) throws {
        let config = ExporterConfig(stateDirectory: "/var/lib/ccr", providers: providers, version: "1.2.3")
        var writer = WireWriter()
        writer.put(config)
        try writer.bytes.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            let read: ExporterConfig = try reader.get()
            try reader.end()
            #expect(read == config)
            for count in 0..<bytes.count {
                var reader = WireReader(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                #expect(throws: WireError.truncated) { try ExporterConfig(from: &reader) }
            }
        }
    }
}
