// SPDX-License-Identifier: Apache-2.0
// The kinds of events ccr logs, each with the MESSAGE_ID that journalctl filters and explains it by.
// Source: systemd.journal-fields(7) "MESSAGE_ID=".

/// A kind of event; documented in docs/logging.md.
package enum LogKind: CaseIterable, Sendable {
    /// A process is up and serving.
    case processReady
    /// The supervisor started a child.
    case processStarted
    /// A child ended, expected or not.
    case processEnded
    /// A child missed its watchdog and was killed.
    case watchdogMissed
    /// The whole stack begins to end.
    case draining
    /// The stack has ended.
    case stopped
    /// A configuration is in force.
    case configLoaded
    /// A configuration was refused; the old one stays in force.
    case configRefused
    /// A file that workers read was replaced; they are started anew.
    case filesReplaced
    /// The supervisor has become another version of itself.
    case upgraded
    /// A new executable was refused; the running version goes on.
    case upgradeRefused
    /// A request has been answered.
    case requestFinished
    /// A candidate did not answer.
    case candidateFailed
    /// A request waits inside ccr until somebody can be asked.
    case requestWaits
    /// A provider is late, and somebody else is asked too.
    case requestHedged
    /// A model at a provider is left alone, or is well again.
    case circuitChanged
    /// A credential is left alone for a time, as its provider wants it.
    case credentialPaused
    /// A credential failed too often, or an operator banned it or ended a ban.
    case credentialBanned
    /// A client's bytes were refused before they became a request.
    case clientRefused
    /// A limit of ccr was reached.
    case limitReached
    /// The usage database is damaged, full or out of reach.
    case storeTrouble
    /// The kernel, or whoever started ccr, does not let a process give up what it should.
    case sandboxIncomplete
    /// A process asked for something that its sandbox does not allow.
    case sandboxRefused
    /// A credential has a new token.
    case credentialRenewed
    /// A credential was not renewed, or needs a person.
    case credentialTrouble
    /// An own process said something that cannot be: a bug.
    case protocolViolation

    /// 128 random bits in hexadecimal, fixed for ever per kind.
    package var messageID: String {
        switch self {
        case .processReady: "d0f649a0a53353bf48f8537bab30b3be"
        case .processStarted: "899661506fb9c648751b380a465b60e1"
        case .processEnded: "5c59fc9645da5871a16c54803618d939"
        case .watchdogMissed: "26b31b5d4cc1f19f206e341cdf99270e"
        case .draining: "9839f397aac30186dc3ac199b65418c0"
        case .stopped: "885264b2e487810fde9b2edb944e66f3"
        case .configLoaded: "72def70bff7a35f945c93f0d338767ed"
        case .configRefused: "ce2c17c75fbf0ce73c5dd071dc4249c1"
        case .filesReplaced: "979aabd7a873dd45e39309eb813b72b1"
        case .upgraded: "59e1b303d1ba92e9ae1fb73b947ae1f0"
        case .upgradeRefused: "0e87cbb872e13bef406282a9b736215a"
        case .requestFinished: "7a4369cd1be9363c2ba6d53e7c365ada"
        case .candidateFailed: "079065934eb291119fda3848e9b8292e"
        case .requestWaits: "617797fa61b3e425d9a37046b2c96480"
        case .requestHedged: "4632df763b2b43c9ba59578e1c9f613e"
        case .circuitChanged: "e56c0763e3fa0964da3e7bf936856110"
        case .credentialPaused: "1a600aec7fe4bc71dd118bd00095c74c"
        case .credentialBanned: "710d962d03b5311c5629536f80cc9c6f"
        case .clientRefused: "9eca126b6bb752ff14b8e7491fcd6c7e"
        case .limitReached: "4bb1c223aac87c8aeb68ef4a2e606c1d"
        case .storeTrouble: "45dab3d9f4279c2aeb326ea7f79d1cd0"
        case .sandboxIncomplete: "0fc41e4c28b0330abcc76a0051cf4998"
        case .sandboxRefused: "79615bf0f6e6acae60900b4a2e81cc89"
        case .credentialRenewed: "a6d8e64ee91d42a8938d26cd2e98daf9"
        case .credentialTrouble: "1ec99eb5236440ea8662fa7f836d3bf5"
        case .protocolViolation: "29fed8e1b888d4555964954f65d011c9"
        }
    }
}
