// SPDX-License-Identifier: Apache-2.0
import Config
import CredentialStore
import Credentials
import Testing

@Suite("Published tokens")
struct TokenDatabaseTests {
    private let keys = KeyRing.make()

    private func row(_ name: String, provider: String, generation: UInt64, sequence: UInt64 = 0, text: String)
        -> TokenRow
    {
        var row = TokenRow(
            credential: name, provider: provider, generation: generation, sequence: sequence, state: .fresh,
            reason: "", sealed: [], expiresAt: 100, bootID: "b", deadline: 7, retryAt: nil)
        row.sealed = Envelope.seal(
            token(text).sealedForm, keys.keys(for: .worker(provider: provider))[0], row.place)
        return row
    }

    @Test("H4: a worker's key opens its provider's rows and no other's")
    func separation() throws {
        let folder = try Folder()
        let writer = try TokenDatabase(path: folder.file("tokens.db"))
        try writer.publish(row("a", provider: "A", generation: 1, text: "at-a"), now: 1)
        try writer.publish(row("b", provider: "B", generation: 1, text: "at-b"), now: 1)
        let reader = try TokenReader(path: folder.file("tokens.db"))
        let own = try #require(try reader.rows(of: "A").first)
        let foreign = try #require(try reader.rows(of: "B").first)
        let key = keys.keys(for: .worker(provider: "A"))
        let opened = try #require(Envelope.open(own.sealed, key, own.place))
        #expect(PublishedToken(sealedForm: opened) == token("at-a"))
        #expect(Envelope.open(foreign.sealed, key, foreign.place) == nil)
        #expect(Envelope.open(foreign.sealed, key, own.place) == nil)
    }

    @Test("I3: what is published never goes back, and publishing again changes nothing")
    func monotony() throws {
        let folder = try Folder()
        let writer = try TokenDatabase(path: folder.file("tokens.db"))
        let reader = try TokenReader(path: folder.file("tokens.db"))
        let second = row("a", provider: "A", generation: 2, text: "at-2")
        #expect(try writer.publish(second, now: 1))
        #expect(try !writer.publish(second, now: 2))
        #expect(
            try !writer.publish(row("a", provider: "A", generation: 1, sequence: 9, text: "at-1"), now: 3))
        var state = row("a", provider: "A", generation: 2, sequence: 1, text: "at-2")
        state.state = .backoff
        #expect(try writer.publish(state, now: 4))
        #expect(try reader.rows(of: "A") == [state])
    }

    @Test(
        "E9: a reader sees each new row at its next statement, while it stays open and after the writer has gone"
    )
    func reading() throws {
        let folder = try Folder()
        var writer: TokenDatabase? = try TokenDatabase(path: folder.file("tokens.db"))
        let reader = try TokenReader(path: folder.file("tokens.db"))
        for generation in 1...5 {
            let text = "at-\(generation)"
            try writer?.publish(row("a", provider: "A", generation: UInt64(generation), text: text), now: 1)
            #expect(try reader.rows(of: "A").first?.generation == UInt64(generation))
        }
        writer = nil
        #expect(try reader.rows(of: "A").first?.generation == 5)
        #expect(try TokenReader(path: folder.file("tokens.db")).rows(of: "A").first?.generation == 5)
        #expect(try folder.mode("tokens.db") == 0o640)
        #expect(try folder.mode("tokens.db-wal") == 0o640)
    }

    @Test("E8: a reader that comes before the first writer is told so and succeeds later")
    func early() throws {
        let folder = try Folder()
        #expect(throws: StoreError.self) { try TokenReader(path: folder.file("tokens.db")) }
        _ = try TokenDatabase(path: folder.file("tokens.db"))
        #expect(try TokenReader(path: folder.file("tokens.db")).rows(of: "A").isEmpty)
    }

    @Test("credentials that are not configured any more disappear")
    func removal() throws {
        let folder = try Folder()
        let writer = try TokenDatabase(path: folder.file("tokens.db"))
        try writer.publish(row("a", provider: "A", generation: 1, text: "x"), now: 1)
        try writer.publish(row("b", provider: "A", generation: 1, text: "y"), now: 1)
        try writer.keepOnly(["b"])
        #expect(try TokenReader(path: folder.file("tokens.db")).rows(of: "A").map(\.credential) == ["b"])
    }
}
