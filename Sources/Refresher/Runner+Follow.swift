// SPDX-License-Identifier: Apache-2.0
// A credential that follows the login file of another program: its tokens are used as they are, nothing is renewed and
// the file is never written. The other program truncates the file and writes it anew, so half a file is not an error.

import CredentialStore
import Credentials
import Journal
import Posix

extension Runner {
    /// How often the file is looked at, and after how long one that could not be read.
    private static let lookUsec: UInt64 = 500_000
    private static let unreadableUsec: [UInt64] = [50_000, 100_000, 250_000, 500_000, 1_000_000, 2_000_000]
    /// The largest file that is read.
    private static let maximumBytes = 128 << 10

    /// Takes a changed file up.
    func lookAtFile() {
        guard let path = spec.followedFile else { return }
        let stamp = FileIdentity(path: path)
        if stamp != seenFile || unreadableLooks > 0, !isRunning { start(cause: "file", forced: false) }
        let delay =
            unreadableLooks > 0
            ? Self.unreadableUsec[min(unreadableLooks, Self.unreadableUsec.count) - 1] : Self.lookUsec
        lookLater(delay)
    }

    /// The attempt of such a credential: reads the file.
    func takeFollowed(_ path: String) {
        let stamp = FileIdentity(path: path)
        let file: ImportedFile
        do {
            let bytes = try PrivateFile.read(path, limit: Self.maximumBytes)
            file = try ImportedFile(bytes, kind: spec.kind, follows: true, parser: environment.parser)
        } catch {
            unreadableLooks += 1
            let problem = (error as? ImportError).map { "\(path) \($0)" } ?? "\(error)"
            let isLasting = unreadableLooks >= Self.unreadableUsec.count
            if machine.holdsToken(now: environment.bootMsec) {
                machine.unchanged(now: environment.bootMsec)
                if unreadableLooks == Self.unreadableUsec.count {
                    environment.journal.log(
                        .warning, .credentialTrouble,
                        "credential \(spec.name): \(problem); its token is used to its end",
                        [LogField("CCR_CREDENTIAL", spec.name)])
                }
            } else if (error as? ImportError)?.mayBeHalfWritten == true, !isLasting {
                // The writer is in the middle of it: nothing changes but the next look.
                machine.unchanged(now: environment.bootMsec)
            } else {
                settle(from: attempt.before) { machine.awaitLogin(problem) }
            }
            return finish("unreadable")
        }
        seenFile = stamp
        unreadableLooks = 0
        adopt(file, from: path)
    }

    private func adopt(_ file: ImportedFile, from path: String) {
        do throws(StoreError) {
            let held = try vault.row(spec.name)?.accountID ?? ""
            if let account = file.accountID, !held.isEmpty, account != held {
                return end(
                    .denied(
                        "\(path) is of another account; ccr credentials import --replace \(spec.name) takes it",
                        mayProbe: false))
            }
        } catch {
            return end(.transient("\(error)", retryAfter: nil))
        }
        let left = file.expiresAt.map { $0 - now }
        guard let access = file.access, left.map({ $0 > 0 }) ?? true else {
            settle(from: attempt.before) {
                machine.awaitLogin("the token in \(path) has expired; run the program that writes it")
            }
            return finish("expired")
        }
        take(
            TokenGrant(token: access, lifetime: left, accountID: file.accountID, headers: file.headers),
            keeping: nil)
    }
}
