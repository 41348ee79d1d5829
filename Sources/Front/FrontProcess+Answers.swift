// SPDX-License-Identifier: Apache-2.0
// The answers front gives itself, and the account of every request: one log line, one record.

import Bytes
import Dialects
import Gateway
import HTTP1
import Journal
import Posix
import Routing

extension FrontProcess {
    // MARK: - Errors

    /// Answers a request that was not admitted.
    func answer(_ error: GatewayError, to request: ClientRequest, close: Bool) {
        gauges.activeRequests += 1
        finish(request, with: error, close: close)
    }

    /// Answers bytes that are no request, or a request that broke a limit while it arrived; then closes.
    func refused(_ connection: Connection, _ error: GatewayError, request: ClientRequest?) {
        if let request {
            gauges.activeRequests += 1
            return finish(request, with: error, close: true)
        }
        journal.log(
            .info, .clientRefused, error.message,
            [LogField("CCR_STATUS", error.kind.status), LogField("CCR_REASON", error.kind.name)])
        account(
            RequestRecord(
                sequence: 0, requestID: "", startedUsec: Clock.realtimeUsec(), durationUsec: 0,
                firstByteUsec: 0,
                client: ClientKind.other.name, endpoint: "", provider: "", model: "",
                status: error.kind.status,
                outcome: .rejected, streaming: false, usage: Usage(), backpressureCount: 0,
                failedAttempts: [],
                rejection: error.kind))
        connection.send(
            render(error, dialect: .chat, requestID: "", method: nil, keepAlive: false), thenClose: true)
    }

    /// Ends a request with an error in its dialect.
    func finish(_ request: ClientRequest, with error: GatewayError, close: Bool? = nil) {
        let told = FrontProcess.wording(error, for: request)
        let isEvent = FrontProcess.isToldByEvent(error, to: request)
        record(
            request, status: isEvent ? 200 : told.kind.status, outcome: .rejected, rejection: error.kind,
            message: error.message)
        let connection = request.connection
        let keepAlive = close.map { !$0 } ?? (request.clientKeepsAlive && !isDraining)
        connection.send(
            isEvent
                ? FrontProcess.failedStream(told, requestID: request.id, keepAlive: keepAlive)
                : render(
                    told, dialect: request.dialect, requestID: request.id, method: request.head.methodName,
                    keepAlive: keepAlive, path: request.path),
            thenClose: !keepAlive)
    }

    /// The terms of an attempt, and the failures that this client has to be told in words that no provider has.
    static func terms(_ terms: ReturnTerms, _ request: ClientRequest) -> ReturnTerms {
        var terms = terms
        switch (request.client, request.dialect) {
        case (.codex, .responses):
            terms.always.formUnion(FailureSet([.context, .authentication, .forbidden, .missing]))
        case (.claudeCode, .messages): terms.always.formUnion(FailureSet([.context, .capability]))
        default: break
        }
        return terms
    }

    /// Claude Code leaves out what it is told like this and goes on; a plain 400 it tries six times.
    static func wording(
        _ error: GatewayError, _ report: FailureReport, for request: ClientRequest
    ) -> GatewayError {
        guard report.class == .capability, request.client == .claudeCode, request.dialect == .messages else {
            return error
        }
        return GatewayError(.invalidRequest, "capability_rejected: \(report.parameter)")
    }

    /// Codex tries 401 to 404 and 413 five times more; 400 with the code invalid_prompt it shows to its user at once.
    private static func wording(_ error: GatewayError, for request: ClientRequest) -> GatewayError {
        guard request.client == .codex, request.dialect == .responses else { return error }
        switch error.kind {
        case .budgetSpent, .permission, .modelNotFound, .tooLarge: break
        // Of the client's own key it may fetch another one, of the provider's it cannot.
        case .authentication where request.wasAsked: break
        default: return error
        }
        return GatewayError(.invalidRequest, error.message, quote: error.quote)
    }

    /// Codex compacts a conversation that is too long when a stream says so, and does not know it from a status.
    private static func isToldByEvent(_ error: GatewayError, to request: ClientRequest) -> Bool {
        error.kind == .contextTooLong && request.client == .codex && request.endpoint == .responses
            && request.isStreaming
    }

    private static func failedStream(_ error: GatewayError, requestID: String, keepAlive: Bool) -> [UInt8] {
        let observer = ResponseObserver(endpoint: .responses, isEventStream: true)
        let body = FailureEvent.render(error, after: observer, requestID: requestID)
        var bytes: [UInt8] = []
        ResponseHead.begin(status: 200, into: &bytes)
        ResponseHead.header("content-type", "text/event-stream", into: &bytes)
        ResponseHead.header("x-request-id", requestID, into: &bytes)
        ResponseHead.end(framing: .length(body.count), keepAlive: keepAlive, isHTTP11: true, into: &bytes)
        bytes.append(contentsOf: body)
        return bytes
    }

    private func render(
        _ error: GatewayError, dialect: Dialect, requestID: String, method: String?, keepAlive: Bool,
        path: String = ""
    ) -> [UInt8] {
        let body = ErrorBody.render(error, dialect: dialect, requestID: requestID)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(body.count + 256)
        ResponseHead.begin(status: error.kind.status, into: &bytes)
        ResponseHead.header("content-type", "application/json", into: &bytes)
        for (name, value) in ErrorBody.headers(error, dialect: dialect, requestID: requestID) {
            _ = name.utf8CString.withUnsafeBytes { name in
                ResponseHead.header(UnsafeRawBufferPointer(rebasing: name.dropLast()), value, into: &bytes)
            }
        }
        if error.kind == .methodNotAllowed, let allowed = PathTable.allowedMethods(path: path) {
            ResponseHead.header("allow", allowed, into: &bytes)
        }
        if error.kind == .upgradeRequired { ResponseHead.header("upgrade", "HTTP/1.1", into: &bytes) }
        ResponseHead.end(framing: .length(body.count), keepAlive: keepAlive, isHTTP11: true, into: &bytes)
        if method != "HEAD" { bytes.append(contentsOf: body) }
        return bytes
    }

    // MARK: - Own answers

    /// Answers with a JSON body that front has at hand.
    func answerLocally(_ request: ClientRequest, status: Int = 200, body: [UInt8]) {
        record(request, status: status, outcome: .completed, rejection: nil)
        let connection = request.connection
        let keepAlive = request.clientKeepsAlive && !isDraining
        var bytes: [UInt8] = []
        bytes.reserveCapacity(body.count + 256)
        ResponseHead.begin(status: status, into: &bytes)
        ResponseHead.header("content-type", "application/json", into: &bytes)
        ResponseHead.header("x-ccr-request-id", request.id, into: &bytes)
        ResponseHead.end(framing: .length(body.count), keepAlive: keepAlive, isHTTP11: true, into: &bytes)
        if request.head.methodName != "HEAD" { bytes.append(contentsOf: body) }
        connection.send(bytes, thenClose: !keepAlive)
    }

    // MARK: - Accounts

    /// Ends the account of a request: gauges, one log line, one record.
    func record(
        _ request: ClientRequest, status: Int, outcome: ExchangeOutcome, usage: Usage = Usage(),
        firstByteUsec: UInt64 = 0, backpressureCount: UInt32 = 0, losses: Losses = Losses(),
        transformers: [String] = [], rejection: ErrorKind?, message: String = ""
    ) {
        tick()
        request.bodyFile = nil
        request.body = nil
        giveBack(request, usage)
        policyChanged()
        gauges.activeRequests -= 1
        if request.isStreaming { gauges.activeStreams -= 1 }
        let duration = now - request.startedUsec
        let candidate = outcome == .rejected ? nil : request.candidate
        if journal.isEnabled(.info) {
            var fields = [
                LogField("CCR_REQUEST_ID", request.id), LogField("CCR_STATUS", status),
                LogField("CCR_DURATION_USEC", Int(clamping: duration)), LogField("CCR_OUTCOME", outcome.name),
            ]
            if let candidate {
                fields.append(LogField("CCR_UPSTREAM", candidate.provider))
                fields.append(LogField("CCR_MODEL", candidate.model))
            }
            if let rejection { fields.append(LogField("CCR_REASON", rejection.name)) }
            journal.log(.info, .requestFinished, fields) { line in
                request.head.appendMethod(to: &line)
                line.append(ASCII.space)
                let path = request.endpoint?.clientPath ?? PathTable.logName(request.path)
                line.append(contentsOf: path.utf8)
                line.append(ASCII.space)
                line.append(decimal: status)
                guard !message.isEmpty else { return }
                line.append(": ")
                line.append(contentsOf: message.prefix(160).utf8)
            }
        }
        // Front's own answers (health, models) are no traffic.
        guard request.endpoint != nil || rejection != nil else { return }
        account(
            RequestRecord(
                sequence: 0, requestID: request.id, startedUsec: Clock.realtimeUsec() - duration,
                durationUsec: duration,
                firstByteUsec: firstByteUsec, client: request.client.name,
                endpoint: request.endpoint?.path ?? "",
                provider: candidate?.provider ?? "", model: candidate?.model ?? "", status: status,
                outcome: outcome,
                streaming: request.isStreaming, usage: usage, backpressureCount: backpressureCount,
                failedAttempts: request.failedAttempts, rejection: rejection, transformers: transformers,
                estimatedInput: request.facts?.estimatedTokens ?? 0, losses: losses,
                key: request.clientKey.map { config.clients[$0].name } ?? "",
                kind: request.decision?.kindName ?? "",
                cost: cost(of: request, usage, status: status, at: candidate),
                waitedUsec: request.course.waited(now), policyEvents: request.course.events))
    }
}
