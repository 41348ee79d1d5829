// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

@testable import Posix

@Suite("Commit token")
struct CommitTokenTests {
    @Test("is taken once, through whichever descriptor")
    func once() throws {
        let token = try CommitToken()
        let copy = CommitToken(
            adopting: FileDescriptor(owning: fcntl(token.raw, F_DUPFD_CLOEXEC, 3)))
        #expect(copy.take())
        #expect(!copy.take())
        #expect(!token.take())
    }

    @Test("can be taken once more when it was restored, however often")
    func restored() throws {
        let token = try CommitToken()
        for isTaken in [true, false, false] {
            if isTaken { #expect(token.take()) }
            token.restore()
        }
        #expect(token.take())
        #expect(!token.take())
    }
}
