// SPDX-License-Identifier: Apache-2.0
// The payloads of the refresher's messages. None carries a token but the reply to `print-token`.

package import Config
package import IPC

/// Opens the tokens of one provider.
package struct WorkerKeys: Equatable, Sendable, WireCodable {
    /// Number and 32 bytes; the first one is in use.
    package var keys: [(number: UInt32, key: Secret)]

    package init(keys: [(number: UInt32, key: Secret)]) {
        self.keys = keys
    }

    package static func == (a: WorkerKeys, b: WorkerKeys) -> Bool {
        a.keys.elementsEqual(b.keys) { $0.number == $1.number && $0.key == $1.key }
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(list: keys) { writer, key in
            writer.put(key.number)
            writer.put(key.key.expose())
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        keys = try reader.getList { (reader) throws(WireError) in
            (number: try reader.get(UInt32.self), key: Secret(bytes: try reader.getArray()))
        }
    }
}

/// Where a credential stands; the token itself is in tokens.db.
package struct CredentialNotice: Equatable, Sendable, WireCodable {
    package var credential: String
    package var generation: UInt64
    package var state: CredentialState
    /// Milliseconds before which another refusal brings nothing; 0 when it may.
    package var retryAfterMsec: UInt64

    package init(credential: String, generation: UInt64, state: CredentialState, retryAfterMsec: UInt64) {
        self.credential = credential
        self.generation = generation
        self.state = state
        self.retryAfterMsec = retryAfterMsec
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(credential)
        writer.put(generation)
        writer.put(state.rawValue)
        writer.put(retryAfterMsec)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        credential = try reader.getString()
        generation = try reader.get()
        guard let state = CredentialState(rawValue: try reader.getString()) else {
            throw .invalidValue("state of a credential")
        }
        self.state = state
        retryAfterMsec = try reader.get()
    }
}

/// A token that the provider answered with 401.
package struct TokenRefusal: Equatable, Sendable, WireCodable {
    package var credential: String
    package var generation: UInt64

    package init(credential: String, generation: UInt64) {
        self.credential = credential
        self.generation = generation
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(credential)
        writer.put(generation)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        credential = try reader.getString()
        generation = try reader.get()
    }
}

/// A provider wants a credential to be left alone; goes to the refresher and from there to the other workers.
package struct CredentialCooldown: Equatable, Sendable, WireCodable {
    package var credential: String
    /// 1…86,400.
    package var seconds: UInt32

    package init(credential: String, seconds: UInt32) {
        self.credential = credential
        self.seconds = seconds
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(credential)
        writer.put(seconds)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        credential = try reader.getString()
        seconds = try reader.get()
    }
}

/// What a person asks the refresher to do.
package struct CredentialCommand: Equatable, Sendable, WireCodable {
    package enum Verb: UInt8, CaseIterable, Sendable {
        case status = 1
        case refresh = 2
        case login = 3
        case logout = 4
        case importFile = 5
        case printToken = 6
        case rotateKey = 7
        case backUp = 8
        /// Puts a copy of the vault in its place; the refresher starts anew.
        case restore = 9
        case remove = 10
        /// The token as a file of other programs holds it.
        case export = 11
        /// The same with the refresh token.
        case handOver = 12
        /// A login in a browser on this machine.
        case loginInBrowser = 13
        /// As `importFile`, without asking for a token at once.
        case importQuietly = 14
        /// As `importFile`, whatever account was there before.
        case replace = 15
        /// Stores an access token, with or without what renews it: `payload` is a JSON object.
        case store = 16
        /// What `handOver` answered is in a file now, so that ccr forgets it: `payload` is that answer.
        case givenAway = 17
    }

    package var verb: Verb
    /// A credential, or for `backUp` and `restore` the path of the copy; "" where there is none.
    package var name: String
    /// An imported file.
    package var payload: Secret

    package init(_ verb: Verb, name: String = "", payload: Secret = Secret("")) {
        self.verb = verb
        self.name = name
        self.payload = payload
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(verb.rawValue)
        writer.put(name)
        writer.put(payload.expose())
    }

    package init(from reader: inout WireReader) throws(WireError) {
        verb = try reader.getCase()
        name = try reader.getString()
        payload = Secret(bytes: try reader.getArray())
    }
}

/// One step of the answer.
package struct CredentialReply: Equatable, Sendable, WireCodable {
    /// Nothing follows.
    package var isLast: Bool
    package var succeeded: Bool
    /// For people; of `printToken` the token.
    package var text: String
    /// The same for programs, as JSON; empty when there is nothing.
    package var json: [UInt8]

    package init(isLast: Bool = true, succeeded: Bool, text: String, json: [UInt8] = []) {
        self.isLast = isLast
        self.succeeded = succeeded
        self.text = text
        self.json = json
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(isLast)
        writer.put(succeeded)
        writer.put(text)
        writer.put(json)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        isLast = try reader.getBool()
        succeeded = try reader.getBool()
        text = try reader.getString()
        json = try reader.getArray()
    }
}
