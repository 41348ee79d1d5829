// SPDX-License-Identifier: Apache-2.0
// Fuzzes the messages between processes: the first byte chooses the message, the rest is its body. A message that
// is accepted must survive being written and read again. A broken peer must end as an error, not as a trap.
// Source: Sources/IPC/Wire.swift; https://llvm.org/docs/LibFuzzer.html.

import CredentialStore
import Credentials
import Gateway
import IPC

private func encoded(_ message: some WireCodable) -> [UInt8] {
    var writer = WireWriter()
    writer.put(message)
    return writer.bytes
}

private func decoded<Message: WireCodable>(_: Message.Type, _ bytes: UnsafeRawBufferPointer) -> Message? {
    var reader = WireReader(bytes)
    do throws(WireError) {
        let message = try reader.get(Message.self)
        try reader.end()
        return message
    } catch {
        return nil
    }
}

private func roundTrip<Message: WireCodable>(_ type: Message.Type, _ bytes: UnsafeRawBufferPointer) {
    guard let message = decoded(type, bytes) else { return }
    let first = encoded(message)
    guard let again = first.withUnsafeBytes({ decoded(type, $0) }), encoded(again) == first else {
        fatalError("\(type) does not survive being written")
    }
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start, count > 0 else { return 0 }
    let body = UnsafeRawBufferPointer(start: start + 1, count: count - 1)
    switch start.pointee {
    case 1: roundTrip(HandoffRequest.self, body)
    case 2: roundTrip(HandoffQuery.self, body)
    case 3: roundTrip(HandoffCommitted.self, body)
    case 4: roundTrip(HandoffFailed.self, body)
    case 5: roundTrip(HandoffDone.self, body)
    case 6: roundTrip(RecordBatch.self, body)
    case 7: roundTrip(RecordAck.self, body)
    case 8: roundTrip(ProcessStatus.self, body)
    case 9: roundTrip(WorkerConfig.self, body)
    case 10: roundTrip(CredentialReport.self, body)
    case 11: roundTrip(AdminRequest.self, body)
    case 12: roundTrip(AdminAnswer.self, body)
    case 13: roundTrip(OfferedModels.self, body)
    case 14: roundTrip(PolicyReport.self, body)
    case 20: roundTrip(WorkerKeys.self, body)
    case 21: roundTrip(CredentialNotice.self, body)
    case 22: roundTrip(TokenRefusal.self, body)
    case 23: roundTrip(CredentialCooldown.self, body)
    case 24: roundTrip(CredentialCommand.self, body)
    case 25: roundTrip(CredentialReply.self, body)
    case 26: roundTrip(HelperCommand.self, body)
    case 27: roundTrip(HelperAnswer.self, body)
    case 28: roundTrip(SigningKeys.self, body)
    case 29: roundTrip(PublishedToken.self, body)
    case 30: roundTrip(CredentialSpec.self, body)
    case 31: roundTrip(SpooledGrant.self, body)
    default: break
    }
    return 0
}
