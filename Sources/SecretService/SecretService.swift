// SPDX-License-Identifier: Apache-2.0
// Reads one secret from the desktop's keyring over the session bus. Asks, never stores, and opens no dialog.
// Source: Secret Service API Draft 0.2 (freedesktop.org), sd-bus(3).

import CSystemd
import Glibc

package enum SecretService {
    /// Why nothing was found out. No text holds anything of a secret.
    package enum Failure: Error, Equatable {
        /// There is no session bus to talk to.
        case noBus
        /// Nobody on the bus keeps secrets.
        case noService
        /// The secret is there, but a person has to unlock the keyring first.
        case locked
        /// Several secrets fit.
        case ambiguous(Int)
        /// The service said no, or something that cannot be understood.
        case refused(String)
    }

    /// The largest secret that is taken.
    package static let maximumBytes = 128 << 10
    /// The time for each answer of the service.
    static let answerUsec: UInt64 = 5_000_000

    private static let destination = "org.freedesktop.secrets"
    private static let root = "/org/freedesktop/secrets"
    private static let service = "org.freedesktop.Secret.Service"

    /// The secret whose item has these attributes; nil when there is none.
    package static func lookUp(_ attributes: [(name: String, value: String)]) throws(Failure) -> [UInt8]? {
        let bus = try SessionBus(answerUsec: answerUsec)
        let session = try openSession(bus)
        var question = try bus.call(destination, root, service, "SearchItems")
        try question.append(attributes)
        let found = try bus.send(question)
        var items = try found.objectPaths()
        let locked = try found.objectPaths()
        guard items.count + locked.count <= 1 else { throw .ambiguous(items.count + locked.count) }
        if let path = locked.first { items = try unlock(path, bus) }
        guard let item = items.first else { return nil }
        return try secret(of: item, session, bus)
    }

    /// A session in which secrets pass as they are: the bus connects processes of one user, over a socket of theirs.
    private static func openSession(_ bus: borrowing SessionBus) throws(Failure) -> String {
        var question = try bus.call(destination, root, service, "OpenSession")
        try question.append("plain")
        try question.append(variant: "")
        let answer = try bus.send(question)
        try answer.skip("v")
        return try answer.objectPath()
    }

    /// The item if it could be unlocked without a person.
    private static func unlock(_ item: String, _ bus: borrowing SessionBus) throws(Failure) -> [String] {
        var question = try bus.call(destination, root, service, "Unlock")
        try question.append(objectPaths: [item])
        let unlocked = try bus.send(question).objectPaths()
        guard !unlocked.isEmpty else { throw .locked }
        return unlocked
    }

    private static func secret(
        of item: String, _ session: String, _ bus: borrowing SessionBus
    ) throws(Failure) -> [UInt8] {
        var question = try bus.call(destination, item, "org.freedesktop.Secret.Item", "GetSecret")
        try question.append(objectPath: session)
        let answer = try bus.send(question)
        // Session, parameters, value, type.
        try answer.enter("r", "oayays")
        try answer.skip("oay")
        let bytes = try answer.bytes()
        guard bytes.count <= maximumBytes else {
            throw .refused("the secret is larger than \(maximumBytes) bytes")
        }
        return bytes
    }
}
