// SPDX-License-Identifier: Apache-2.0
// The answer of a provider that speaks another dialect than the client: what Answer does with the translator's bytes in
// place of the provider's.

import Dialects
import Gateway
import JSON

extension Answer {
    /// What was left out of the request, and up to now of the answer.
    var losses: Losses {
        var losses = request.dropped
        if let translation { losses.add(translation.losses) }
        if let translator { losses.add(translator.losses) }
        return losses
    }

    /// Whether the body goes to the client piece by piece.
    var isTranslatedStream: Bool { translator != nil && translation?.clientStreams == true }

    /// The content type for the client; nil when the provider's own passes.
    var translatedType: String? {
        guard let translation else { return nil }
        return translator == nil ? "application/json" : translation.contentType
    }

    /// The client has everything, while the provider may go on for long: a stop sequence that only ccr knows was reached,
    /// or an error was told.
    var needsNoMore: Bool { isCommitted && translator?.endsEarly == true }

    mutating func beginTranslation() {
        guard status < 300, let translation else { return }
        let isStream = isEventStream || (translation.upstreamStreams && !isJSON)
        translator = translation.translator(isStream ? .eventStream : .document)
    }

    /// Opens the client's stream before the provider has said anything, since it may think for long over a whole answer.
    mutating func openEarly() {
        isOpenEarly = true
        status = 200
        beginTranslation()
    }

    /// The head of a provider whose client's stream is open already: what it refuses can only be told inside of it.
    mutating func lateHeadReceived(status: Int) -> Step {
        isOpenEarly = false
        guard status < 300 else {
            lateRefusal = status
            return .hold
        }
        beginTranslation()
        return .hold
    }

    mutating func translate(_ bytes: UnsafeRawBufferPointer, _ parser: JSONParser) -> Step {
        guard translator != nil, lateRefusal == nil else {
            // An error's body, whose beginning says what matters.
            if held.count < UpstreamErrorBody.maximumBytes { held.append(contentsOf: bytes) }
            return .hold
        }
        translator?.received(bytes, parser: parser)
        let output = translator?.takeOutput() ?? []
        if isCommitted { return output.isEmpty ? .hold : .send(output) }
        held.append(contentsOf: output)
        switch translator?.phase {
        case .failed(let error): return .fail(describe(error))
        case .finished: return commit()
        case .content where isTranslatedStream: return commit()
        case .content, .undecided, nil: return .hold
        }
    }

    mutating func translationCompleted(_ parser: JSONParser) -> Ending {
        if let lateRefusal {
            return translationBroke(readError(status: lateRefusal, parser).error)
        }
        guard translator != nil else {
            if case .fail(let failure) = translateError(parser) { return .fail(failure) }
            return .finish(last: [])
        }
        translator?.ended(parser: parser)
        let output = translator?.takeOutput() ?? []
        if case .failed(let error) = translator?.phase {
            return isCommitted ? .breakOff(failureEvent: output) : .fail(describe(error))
        }
        if isCommitted { return .finish(last: output) }
        held.append(contentsOf: output)
        _ = commit()
        return .finish(last: [])
    }

    mutating func translationBroke(_ error: GatewayError) -> Ending {
        // Everything the dialect needs has been sent; what got lost is the end of the transport.
        if translator?.phase == .finished { return .finish(last: []) }
        translator?.broke(error)
        return .breakOff(failureEvent: isTranslatedStream ? translator?.takeOutput() ?? [] : [])
    }

    /// The provider refused: the same error in the client's dialect.
    mutating func translateError(_ parser: JSONParser) -> Step {
        let failure = readError(status: status, parser)
        if request.terms.cover(failure.report) { return .fail(failure) }
        renderError(failure)
        return commit()
    }

    /// Makes the provider's error the client's answer.
    mutating func renderError(_ failure: Failure) {
        answers(with: failure.report)
        // Only Anthropic's clients know 529.
        if status == 529, translation?.client != .messages { status = 503 }
        held = ErrorBody.render(
            failure.error, dialect: translation?.client ?? .chat, requestID: request.requestID)
    }

    /// Names the provider; its own words go to the client alone.
    private func describe(_ error: GatewayError) -> Failure {
        let named = GatewayError(
            error.kind, "provider \(request.provider): \(error.message)", quote: error.quote,
            retryAfter: error.retryAfter, report: error.report)
        return evaluated(named)
    }
}
