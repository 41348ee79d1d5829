// SPDX-License-Identifier: Apache-2.0
// Copies of requests that go to another model, for comparison: sent after the request itself, answered to nobody, and
// given up whenever there is something better to do.

import Gateway
import Posix
import Routing
import Runtime

/// A copy under way.
struct Shadow {
    var course: Course
    let grant: Grant
    let link: WorkerLink
    let bodyFile: BodyFile?
    let requestID: String
    let endpoint: Endpoint
    let isStreaming: Bool
    let estimatedTokens: Int
    let startedUsec: UInt64
}

extension FrontProcess {
    /// Copies under way at once.
    private static let maximumShadows = 8

    /// Sends a copy, if that takes nothing from anybody.
    func copy(_ request: ClientRequest, to target: ShadowTarget) {
        guard shadows.count < FrontProcess.maximumShadows, !isDraining, !gate.isHalfFull,
            gauges.activeRequests * 2 < config.limits.requestsInFlight,
            let endpoint = request.endpoint, let body = request.body, body.count <= BodyMemory.maximumBytes,
            let link = workers.leastBusy(target.candidate.providerIndex),
            let (course, grant) = withPolicy({ $0.shadow(target.candidate, request.course.tokens, now) })
        else { return }
        let tag = nextTag()
        guard let posted = post(request, grant, tag: tag, token: nil, isDiscarded: true, to: link) else {
            var course = course
            return withPolicy { $0.unsent(&course, now) }
        }
        shadows[tag] = Shadow(
            course: course, grant: grant, link: link, bodyFile: posted.file, requestID: request.id,
            endpoint: endpoint, isStreaming: request.isStreaming,
            estimatedTokens: request.facts?.estimatedTokens ?? 0, startedUsec: now)
    }

    /// The worker has ended it. What became of it is counted and means nothing to requests of clients.
    func shadowEnded(_ tag: UInt64, status: Int, _ outcome: ExchangeOutcome, _ usage: Usage = Usage()) {
        guard var shadow = shadows.removeValue(forKey: tag) else { return }
        policy.abandoned(&shadow.course, now)
        let candidate = shadow.grant.candidate
        let duration = now - shadow.startedUsec
        account(
            RequestRecord(
                sequence: 0, requestID: shadow.requestID, startedUsec: Clock.realtimeUsec() - duration,
                durationUsec: duration, firstByteUsec: 0, client: "", endpoint: shadow.endpoint.path,
                provider: candidate.provider, model: candidate.model, status: status, outcome: outcome,
                streaming: shadow.isStreaming, usage: usage, backpressureCount: 0, failedAttempts: [],
                rejection: nil, estimatedInput: shadow.estimatedTokens,
                cost: config.prices[candidate.providerIndex].cost(of: usage, model: candidate.model),
                origin: .shadow))
    }

    /// A worker has ended, and what it was copying with it.
    func shadowsEnded(with link: WorkerLink) {
        for (tag, shadow) in shadows where shadow.link === link {
            shadowEnded(tag, status: 0, .upstreamFailed)
        }
    }

    /// Front is about to end.
    func cancelShadows() {
        for (tag, shadow) in shadows {
            abandon(tag, at: shadow.link)
            // Its worker sends it until it hears of that.
            shadow.bodyFile?.isLost = true
            shadowEnded(tag, status: 0, .aborted)
        }
    }
}
