// SPDX-License-Identifier: Apache-2.0
import Config
import CredentialStore
import Credentials
import Foundation
import IPC
import Testing

/// Messages and records about credentials on the wire, as the fuzz target for messages numbers them.
@Suite("Messages about credentials")
struct CredentialMessageTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let number: UInt8
        let bytes: [UInt8]
        let again: @Sendable (ArraySlice<UInt8>) throws -> [UInt8]

        init<Value: WireCodable & SendableMetatype>(_ name: String, _ number: UInt8, _ value: Value) {
            testDescription = name
            self.number = number
            func encoded(_ value: Value) -> [UInt8] {
                var writer = WireWriter()
                writer.put(value)
                return writer.bytes
            }
            bytes = encoded(value)
            again = { bytes in
                try bytes.withUnsafeBytes { view in
                    var reader = WireReader(view)
                    let value: Value = try reader.get()
                    try reader.end()
                    var writer = WireWriter()
                    writer.put(value)
                    return writer.bytes
                }
            }
        }
    }

    private static let keys: SigningKeys = {
        var keys = SigningKeys(
            accessKeyID: "A", secretAccessKey: Secret("s"), sessionToken: Secret("t"), region: "r",
            service: "b")
        keys.expiresAt = 2000
        return keys
    }()

    private static let published = PublishedToken(
        fields: [(name: "Authorization", value: Secret("Bearer a"))], origin: "https://h", keys: keys)

    private static let spec: CredentialSpec = {
        var spec = CredentialSpec(name: "main", provider: "p", kind: .command, secret: .environment("RT"))
        spec.settings = ["region": "r", "mode": "own"]
        spec.tokenFields = ["a": "b"]
        spec.command = ["/bin/true", "x"]
        spec.commandEnvironment = ["HOME"]
        return spec
    }()

    static let all = [
        Sample(
            "worker-keys", 20,
            WorkerKeys(keys: [(number: 1, key: Secret("k")), (number: 2, key: Secret("l"))])),
        Sample(
            "notice", 21,
            CredentialNotice(credential: "main", generation: 3, state: .backoff, retryAfterMsec: 7)),
        Sample("refusal", 22, TokenRefusal(credential: "main", generation: 3)),
        Sample("cooldown", 23, CredentialCooldown(credential: "main", seconds: 60)),
        Sample("command", 24, CredentialCommand(.importFile, name: "main", payload: Secret("{}"))),
        Sample(
            "reply", 25,
            CredentialReply(isLast: false, succeeded: true, text: "open it", json: Array("{}".utf8))),
        Sample(
            "helper-command", 26,
            HelperCommand(words: ["/bin/true", "a"], environment: ["PATH=/bin"], timeoutMsec: 30_000)),
        Sample(
            "helper-answer", 27,
            HelperAnswer(
                .exited, status: 75, output: Array("t".utf8), isOversized: false, reason: "", errors: [1])),
        Sample("signing-keys", 28, keys), Sample("token", 29, published), Sample("spec", 30, spec),
        Sample(
            "spool", 31,
            SpooledGrant(
                intent: 1, baseGeneration: 2, sentFingerprint: [1, 2], refresh: Secret("r"), token: published,
                lifetime: 60, arrivedAt: 1000, accountID: "acc")),
    ]

    @Test("come back as they were, and cut short or with more behind them not at all", arguments: all)
    func form(_ sample: Sample) throws {
        #expect(try sample.again(sample.bytes[...]) == sample.bytes)
        for length in 0..<sample.bytes.count {
            #expect(throws: WireError.self, "after \(length) bytes") {
                try sample.again(sample.bytes[..<length])
            }
        }
        #expect(throws: WireError.trailingBytes(1)) { try sample.again((sample.bytes + [0])[...]) }
    }

    @Test("are the seeds of the fuzz target", arguments: all)
    func seeds(_ sample: Sample) throws {
        let root = #filePath.components(separatedBy: "/Tests/")[0]
        let file = URL(fileURLWithPath: "\(root)/fuzz/corpus/messages/\(sample.testDescription)")
        let bytes = Data([sample.number] + sample.bytes)
        if ProcessInfo.processInfo.environment["CCR_WRITE_GOLDEN"] == "1" { try bytes.write(to: file) }
        #expect(try Data(contentsOf: file) == bytes, "write it anew with CCR_WRITE_GOLDEN=1")
    }
}
