// SPDX-License-Identifier: Apache-2.0
// One request on its way through front: what the client asked, which candidates remain, what became of it.

import Bytes
import Gateway
import HTTP1
import Posix
import Routing

final class ClientRequest {
    let head: RequestHead
    /// The connection holds this request as long as it waits for it, and lets go when it is answered or closed.
    let connection: Connection
    let startedUsec: UInt64
    /// "req_…"; given when the request is admitted.
    var id = ""
    var tag: UInt64 = 0
    var target: PathTarget?
    var client = ClientKind.other
    /// The place of its key in the configuration; nil when none was needed.
    var clientKey: Int?
    /// What it has taken of its key's windows.
    var hold: ClientLedger.Hold?
    /// It counts as one of the requests at providers.
    var hasTurn = false
    /// It is on its way from candidate to candidate.
    var hasSetOut = false
    /// A provider has been asked.
    var wasAsked = false
    var body: BodyStore?
    /// The copy of a large body that the present candidate's worker reads.
    var bodyFile: BodyFile?
    var facts: RequestBody?
    var headers = HeaderBlock()
    /// Those that it may ask, until it sets out; the first ones are what the rules led to.
    var candidates: [RouteCandidate] = []
    var leading = 0
    var overrides = ParameterOverrides()
    var decision: RouteDecision?
    /// Its way from candidate to candidate.
    var course = Course([], deadlineUsec: 0)
    /// Who is being asked, or was asked last.
    var grant: Grant?
    /// When it looks again for somebody to ask.
    var wakeUsec: UInt64 = 0
    var failedAttempts: [FailedAttempt] = []
    var lastError: GatewayError?
    /// The answer if nobody is left, of a provider that was asked beside another one.
    var refusal: Refusal?
    var isCommitted = false
    var isAbandoned = false
    /// The link that holds the handoff, until the handoff is over.
    var link: WorkerLink?
    /// While somebody else is asked too, or may be.
    var race: Race?
    /// When a candidate without a running worker is given up.
    var waitUntilUsec: UInt64 = 0

    init(_ head: RequestHead, connection: Connection, startedUsec: UInt64) {
        self.head = head
        self.connection = connection
        self.startedUsec = startedUsec
    }

    var path: String { head.path }

    var endpoint: Endpoint? {
        if case .worker(let endpoint, _) = target { return endpoint }
        return nil
    }

    var dialect: Dialect { endpoint?.dialect ?? PathTable.dialect(of: path) }

    var isStreaming: Bool { facts?.isStreaming ?? false }

    var candidate: RouteCandidate? { grant?.candidate }

    /// Whether the connection may serve another request after this one, as far as the client is concerned.
    var clientKeepsAlive: Bool { head.keepAlive && head.minorVersion == 1 }
}
