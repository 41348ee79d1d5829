// SPDX-License-Identifier: Apache-2.0
// The closed list of messages between ccr's processes. Every message starts with the version and its kind. What a worker
// tells its front within one turn of its loop travels together: message behind message in one datagram.
// Raise `version` with every change of a message: both ends come from one build, except across an upgrade in place.

import Bytes

/// What a message is; the first word of each name is the sender.
package enum MessageKind: UInt8, CaseIterable {
    /// front → worker: a client's connection and request.
    case frontHandoff = 1
    /// front → worker: the client must not be answered any more.
    case frontAbandon = 2
    /// worker or exporter → front: the response head is on its way to the client.
    case workerCommitted = 3
    /// worker → front: nothing was sent to the client; front may try the next candidate.
    case workerFailed = 4
    /// worker or exporter → front: the answer is complete or was broken off.
    case workerDone = 5
    /// front → exporter: usage records.
    case frontRecords = 6
    /// exporter → front: records up to this number are on disk.
    case exporterAck = 7
    /// supervisor → child: a new peer; its socket comes along.
    case supervisorAttach = 8
    /// supervisor → child: finish what runs, then exit.
    case supervisorDrain = 9
    /// supervisor → front and exporter: the state of every process.
    case supervisorStatus = 10
    /// front → exporter: a client's connection and its GET request.
    case frontQuery = 11
    /// refresher → worker: the keys that open its provider's tokens, and where those are.
    case refresherKeys = 12
    /// refresher → worker: a credential has changed.
    case refresherNotice = 13
    /// worker → refresher: the provider refused a token.
    case workerRefusal = 14
    /// command line → refresher: something to do.
    case commandRequest = 15
    /// refresher → command line: what became of it; more may follow.
    case refresherReply = 16
    /// refresher → helper: the programs that it may start, once.
    case refresherCommands = 17
    /// refresher → helper: start one of them.
    case refresherRun = 18
    /// helper → refresher: what came of a run.
    case helperAnswer = 19
    /// front → refresher: a request to an admin path.
    case frontCommand = 20
    /// refresher → front: its answer.
    case refresherAnswer = 21
    /// refresher → front and exporter: how every credential is.
    case refresherReport = 22
    /// worker → refresher: the provider wants a credential to be left alone.
    case workerCooldown = 23
    /// front → worker: which models may the provider's account use?
    case frontModels = 24
    /// worker → front: these.
    case workerModels = 25
    /// front → exporter: how the failure policy is.
    case frontPolicy = 26
    /// front → worker, first of all: where to note which answers have begun.
    case frontCommitLog = 27
}

/// The version and the kind, with which every message begins.
package enum MessageHead {
    /// Both ends must agree.
    package static let version: UInt8 = 10

    /// Starts a message.
    @inline(__always)
    package static func begin(_ kind: MessageKind, in writer: inout WireWriter) {
        writer.removeAll()
        append(kind, to: &writer)
    }

    /// Starts a message behind others that travel with it.
    @inline(__always)
    package static func append(_ kind: MessageKind, to writer: inout WireWriter) {
        writer.put(version)
        writer.put(kind.rawValue)
    }

    /// The whole message `supervisorDrain` for a process that speaks `version`. Its form never changes, so that a
    /// supervisor can end processes of the version that it has replaced.
    package static func drain(version: UInt8) -> [UInt8] { [version, MessageKind.supervisorDrain.rawValue] }

    /// Reads the start of a message.
    @inline(__always)
    package static func kind(_ reader: inout WireReader) throws(WireError) -> MessageKind {
        let version: UInt8 = try reader.get()
        guard version == MessageHead.version else { throw .invalidValue("protocol version \(version)") }
        return try reader.getCase(MessageKind.self)
    }
}
