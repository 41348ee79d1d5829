// SPDX-License-Identifier: Apache-2.0
// Decides how a request is put to this worker's provider: as it is, translated into a dialect the provider speaks, or not
// at all because the answer can be estimated here.

import Dialects
import Gateway
import JSON

/// How one request is answered.
enum RequestPlan {
    /// The provider speaks the client's dialect: bytes pass.
    case passThrough(url: String)
    /// The provider is asked in another dialect, or in the client's own with another form of answer.
    case translated(Translation, body: [UInt8], endpoint: Endpoint, url: String)
    /// No provider is asked.
    case local(EchoAnswer)

    var translation: Translation? {
        if case .translated(let translation, _, _, _) = self { return translation }
        return nil
    }
}

/// The rules for one provider. Noncopyable, since its owner would copy it for every request.
struct RequestPlanner: ~Copyable {
    private var config: WorkerConfig
    /// Learns from what the provider reports.
    var calibration = TokenCalibration()

    init(_ config: WorkerConfig) {
        self.config = config
    }

    /// The provider says in which dialects its models are answered, which counts more than what is known of their kind
    /// and less than what the operator says.
    mutating func learn(_ models: [OfferedModel], over known: [ModelDialects]) {
        config.profile.modelDialects =
            models.filter { !$0.dialects.isEmpty }.map { ModelDialects($0.name.lowercased(), $0.dialects) }
            + known
    }

    /// The path on which a dialect is asked for an answer.
    private static func endpoint(_ dialect: Dialect, streaming: Bool) -> Endpoint {
        switch dialect {
        case .chat: .chatCompletions
        case .responses: .responses
        case .messages: .messages
        case .gemini: streaming ? .streamGenerateContent : .generateContent
        }
    }

    /// - Parameters:
    ///   - model: what the provider calls the model the handoff names, and what is known of it.
    ///   - body: the whole body with its changes in place; asked for only when it has to be read.
    ///   - nowUnix: seconds since 1970.
    ///   - parser: any parser; values that the caller has from it become invalid.
    /// - Throws: an error for the client.
    func plan(
        _ handoff: HandoffRequest, _ model: ResolvedModel, nowUnix: Int, parser: JSONParser,
        body: () -> [UInt8]
    ) throws(GatewayError) -> RequestPlan {
        let streaming = upstreamStreams(handoff, model)
        // State of other providers must not reach this one, not even between a client and a provider of one dialect, and
        // what this one gave in an envelope has to be unpacked.
        let inArray = handoff.endpoint == .streamGenerateContent && !handoff.query.contains("alt=sse")
        // A provider that gives every event of an item another id gets its events written anew, with one id for each.
        let repairsIDs =
            handoff.endpoint == .responses && streaming && config.profile.rules.has(.unstableItemIDs)
        let mustRead =
            handoff.endpoint.isTranslatable
            && (handoff.carriesEnvelope || streaming != handoff.streaming || inArray || repairsIDs
                || needsEncoder(handoff, model))
        let isAnswered = config.profile.answers(
            model.name, in: handoff.endpoint.dialect, own: model.rules.dialects)
        // Bodies of the other endpoints are not read, so state of other providers cannot be taken out of them.
        let isTainted = handoff.carriesEnvelope && !handoff.endpoint.isTranslatable
        if let url = url(handoff.endpoint, streaming: handoff.streaming), !mustRead, !isTainted,
            isAnswered || !handoff.endpoint.isTranslatable
        {
            return .passThrough(url: UpstreamURL.make(url, model: model.name, for: handoff))
        }
        if handoff.endpoint.isEstimable {
            return .local(EchoAnswer.count(calibrated(handoff), handoff.endpoint))
        }
        guard handoff.endpoint.isTranslatable,
            let (endpoint, url) = translationTarget(handoff.endpoint.dialect, model, streaming: streaming)
        else {
            throw GatewayError(
                .invalidRequest,
                isTainted && url(handoff.endpoint, streaming: handoff.streaming) != nil
                    ? """
                    the conversation holds thoughts or a summary of several providers, which provider \
                    \(config.provider) cannot take on \(handoff.endpoint.clientPath); leave out the items whose \
                    encrypted_content begins with "\(ReasoningEnvelope.prefix)", or ask for a summary instead
                    """ : "provider \(config.provider) does not answer \(handoff.endpoint.clientPath)")
        }
        let request = TranslationRequest(
            client: handoff.endpoint.dialect, upstream: endpoint.dialect,
            target: RequestTarget(
                origin: Origin(provider: config.provider, model: model.name), streaming: streaming,
                rules: config.profile.rules, model: model.rules),
            streamingByPath: handoff.endpoint.hasModelInPath ? handoff.streaming : nil,
            inArray: inArray, effort: model.effort, standardEffort: handoff.effort,
            requestID: handoff.requestID, nowUnix: nowUnix)
        let (translation, encoded) = try Translation.make(
            request, body: body(), clientModel: handoff.clientModel, estimatedInput: calibrated(handoff),
            parser: parser)
        return .translated(
            translation, body: encoded,
            endpoint: endpoint,
            // What a client of the same dialect says beside its body holds for the provider too.
            url: endpoint.dialect == handoff.endpoint.dialect
                ? UpstreamURL.make(url, model: model.name, for: handoff)
                : UpstreamURL.make(url, model: model.name))
    }

    /// An effort is set that this provider is told in another form than a word, which takes the whole request to write.
    private func needsEncoder(_ handoff: HandoffRequest, _ model: ResolvedModel) -> Bool {
        guard !handoff.effort.isEmpty, !config.isEcho else { return false }
        let form = model.rules.applied(to: config.profile.rules).thinking(handoff.endpoint.dialect)
        return form != .none && !RequestAdapter.writesEffort(handoff.endpoint.dialect, form)
    }

    /// The URL of an endpoint; nil for what the provider does not answer. The embedded provider has none to speak of.
    private func url(_ endpoint: Endpoint, streaming: Bool) -> String? {
        if config.isEcho { return config.profile.serves(endpoint) ? "" : nil }
        return config.url(endpoint, streaming: streaming)
    }

    /// The path that the provider is asked on, and its URL; nil when it answers on none.
    private func translationTarget(_ client: Dialect, _ model: ResolvedModel, streaming: Bool) -> (
        Endpoint, String
    )? {
        for dialect in config.profile.dialects(for: client)
        where config.profile.answers(model.name, in: dialect, own: model.rules.dialects) {
            let endpoint = RequestPlanner.endpoint(dialect, streaming: streaming)
            if let url = url(endpoint, streaming: streaming) { return (endpoint, url) }
        }
        return nil
    }

    /// Whether the provider is asked for a stream: as the client wants, unless it or its model offers only one of both.
    private func upstreamStreams(_ handoff: HandoffRequest, _ model: ResolvedModel) -> Bool {
        let quirks = model.rules.applied(to: config.profile.rules.quirks)
        if quirks.contains(.streamOnly) { return true }
        return handoff.streaming && !quirks.contains(.documentOnly)
    }

    private func calibrated(_ handoff: HandoffRequest) -> Int {
        calibration.calibrated(handoff.estimatedInput, model: handoff.model)
    }
}
