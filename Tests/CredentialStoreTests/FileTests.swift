// SPDX-License-Identifier: Apache-2.0
import Config
import CredentialStore
import Credentials
import Foundation
import Glibc
import Testing

@Suite("Private files")
struct FileTests {
    @Test("H1, F5: an open mode, a link and a directory in the place of a file are each refused by name")
    func refusals() throws {
        let folder = try Folder()
        let path = folder.file("key")
        try PrivateFile.write(path, Array("secret".utf8))
        #expect(try PrivateFile.read(path, limit: 100) == Array("secret".utf8))
        chmod(path, 0o644)
        #expect(throws: StoreError.file("\(path) has mode 0644; make it 0600 (chmod 600 \(path))")) {
            try PrivateFile.read(path, limit: 100)
        }
        #expect(try PrivateFile.read(path, limit: 100, acceptsOpenMode: true) == Array("secret".utf8))
        symlink(path, folder.file("link"))
        #expect(throws: StoreError.file("\(folder.file("link")) is a symbolic link; name the file itself")) {
            try PrivateFile.read(folder.file("link"), limit: 100, acceptsOpenMode: true)
        }
        #expect(throws: StoreError.file("\(folder.path) is no regular file")) {
            try PrivateFile.read(folder.path, limit: 100, acceptsOpenMode: true)
        }
        #expect(throws: StoreError.file("\(path) is larger than 5 bytes")) {
            try PrivateFile.read(path, limit: 5, acceptsOpenMode: true)
        }
    }

    @Test(
        "H1: a vault that others can read, or in a directory that others can write, is refused with the repair"
    )
    func vaultModes() throws {
        let folder = try Folder()
        let keys = KeyRing.make()
        _ = try vault(folder, keys: keys)
        chmod(folder.file("vault.db"), 0o640)
        let text = "\(folder.file("vault.db")) has mode 0640, which lets others in; "
        #expect(throws: StoreError.file(text + "repair it with chmod go= \(folder.file("vault.db"))")) {
            try Vault(path: folder.file("vault.db"), keys: keys)
        }
        chmod(folder.path, 0o770)
        #expect(throws: StoreError.self) { try PrivateFile.prepareDirectory(folder.path) }
        #expect(throws: StoreError.self) { try PrivateFile.prepareDirectory(folder.path, .groupMayRead) }
        chmod(folder.path, 0o750)
        try PrivateFile.prepareDirectory(folder.path, .groupMayRead)
        chmod(folder.path, 0o700)
    }

    @Test("H6: files are private whatever the umask is")
    func umask() throws {
        let folder = try Folder()
        let before = Glibc.umask(0)
        defer { _ = Glibc.umask(before) }
        try PrivateFile.write(folder.file("key"), [1])
        _ = try Spool(directory: folder.path, credential: "a/b")
        #expect(try folder.mode("key") == 0o600)
        let spool = try #require(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).first { $0 != "key" })
        #expect(try folder.mode(spool) == 0o600)
    }

    @Test("the master key is made once, and its file has the form that is read")
    func masterKey() throws {
        let folder = try Folder()
        let file = MasterKeyFile(directory: folder.path, credentials: nil)
        let ring = try file.load(vaultExists: false)
        #expect(try file.load(vaultExists: true) == ring)
        try file.save(ring.rotated())
        #expect(try file.load(vaultExists: true).masters.map(\.number) == [2, 1])
        #expect(try folder.mode("master.key") == 0o600)
        for text in ["", "ccr-key 0 AA", "ccr-key 1 AA", "nonsense"] {
            #expect(throws: StoreError.self) { try KeyRing(Array(text.utf8)) }
        }
        #expect(try KeyRing([UInt8](repeating: 7, count: 32)).masters.first?.number == 1)
    }
}

@Suite("Spool")
struct SpoolTests {
    private let grant = SpooledGrant(
        intent: 4, baseGeneration: 2, sentFingerprint: [1, 2], refresh: Secret("rt-2"), token: token("at"),
        lifetime: 60, arrivedAt: 9, accountID: "acct")

    @Test("D5: a grant that was put aside is there for the next process, and gone after the wipe")
    func roundTrip() throws {
        let folder = try Folder()
        let keys = KeyRing.make()
        let spool = try Spool(directory: folder.path, credential: "main")
        #expect(try spool.load(keys: keys) == .nothing)
        try spool.probe()
        try spool.store(grant, keys: keys)
        let later = try Spool(directory: folder.path, credential: "main")
        #expect(try later.load(keys: keys) == .grant(grant))
        #expect(try later.load(keys: .make()) == .unreadable)
        try later.wipe()
        #expect(try spool.load(keys: keys) == .nothing)
    }

    @Test("D10: a spool that was altered or belongs to another credential does not open and is kept aside")
    func damage() throws {
        let folder = try Folder()
        let keys = KeyRing.make()
        try Spool(directory: folder.path, credential: "a").store(grant, keys: keys)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        try FileManager.default.copyItem(
            atPath: folder.file(try #require(names.first)), toPath: folder.file("Yg"))
        let other = try Spool(directory: folder.path, credential: "b")
        #expect(try other.load(keys: keys) == .unreadable)
        try other.keepAside(now: 5)
        #expect(try other.load(keys: keys) == .nothing)
        #expect(try folder.mode("Yg.unreadable-5") == 0o600)
    }

    @Test("what waits is found for credentials that nobody configures, and copies beside it are not it")
    func waiting() throws {
        let folder = try Folder()
        let keys = KeyRing.make()
        for name in ["b/ü", "a", "empty"] {
            let spool = try Spool(directory: folder.path, credential: name)
            if name != "empty" { try spool.store(grant, keys: keys) }
        }
        try Spool(directory: folder.path, credential: "a").keepAside(now: 5)
        try PrivateFile.write(folder.file("README"), [1])
        #expect(try Spool.waiting(in: folder.path) == ["b/ü"])
        try Spool.remove(of: "b/ü", in: folder.path)
        try Spool.remove(of: "never there", in: folder.path)
        #expect(try Spool.waiting(in: folder.path) == [])
        #expect(throws: StoreError.self) { try Spool.waiting(in: folder.file("nowhere")) }
    }

    @Test("a file that was cut keeps what is in it")
    func cut() throws {
        let folder = try Folder()
        let keys = KeyRing.make()
        try Spool(directory: folder.path, credential: "a").store(grant, keys: keys)
        #expect(truncate(folder.file("YQ"), 4096) == 0)
        #expect(try Spool(directory: folder.path, credential: "a").load(keys: keys) == .grant(grant))
    }

    @Test("D8: the spool takes a grant when no file can grow any more, as on a full disk")
    func fullDisk() async {
        await #expect(processExitsWith: .success) {
            let folder = try Folder()
            let keys = KeyRing.make()
            let vault = try vault(folder, keys: keys)
            let spool = try Spool(directory: folder.path, credential: "main")
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: rlim_t(Spool.bytes), rlim_max: rlim_t.max)
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            try spool.probe()
            let grant = SpooledGrant(
                intent: 0, baseGeneration: 0, sentFingerprint: [], refresh: Secret("rt-2"),
                token: token("at"),
                lifetime: 60, arrivedAt: 9, accountID: "")
            try spool.store(grant, keys: keys)
            var failed = false
            for number in 0..<200 where !failed {
                do throws(StoreError) {
                    try vault.audit(
                        AuditEntry(credential: "main", event: "transient", cause: "timer", note: "\(number)"),
                        now: 1)
                } catch {
                    failed = true
                    precondition(!error.isFinal)
                }
            }
            precondition(failed, "the limit was not reached")
            let kept = try spool.load(keys: keys)
            precondition(kept == .grant(grant))
            limit.rlim_cur = rlim_t.max
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            try vault.audit(AuditEntry(credential: "main", event: "ok", cause: "timer"), now: 2)
            let secret = try vault.secret("main", "refresh")?.text
            precondition(secret == "rt-1")
        }
    }
}
