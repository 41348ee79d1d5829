// SPDX-License-Identifier: Apache-2.0
// One request for a provider of another dialect: the body it is asked with, and what its answer needs to become the
// client's.

package import Gateway
package import JSON

/// What the worker knows of a request that has to be translated.
package struct TranslationRequest {
    /// The dialect the client speaks.
    package let client: Dialect
    /// The dialect the provider is asked in; may be the client's own, when only the form of the answer differs.
    package let upstream: Dialect
    /// Who is asked; the model is the provider's name of it.
    package let target: RequestTarget
    /// What the path says about streaming, where the path and not the body says it.
    package let streamingByPath: Bool?
    /// The client's stream is one JSON array (Gemini without `alt=sse`).
    package let inArray: Bool
    /// The effort that the model's name stands for, in place of the request's.
    package let effort: String?
    /// The effort of requests that say nothing of how much to think; "" for none.
    package let standardEffort: String
    package let requestID: String
    /// Seconds since 1970, for answers that tell when they were made.
    package let nowUnix: Int

    package init(
        client: Dialect, upstream: Dialect, target: RequestTarget, streamingByPath: Bool?,
        inArray: Bool = false, effort: String? = nil, standardEffort: String = "", requestID: String,
        nowUnix: Int
    ) {
        self.client = client
        self.upstream = upstream
        self.target = target
        self.streamingByPath = streamingByPath
        self.inArray = inArray
        self.effort = effort
        self.standardEffort = standardEffort
        self.requestID = requestID
        self.nowUnix = nowUnix
    }
}

/// Does not change; one object, since an answer that passes should not carry room for it.
package final class Translation {
    private let request: TranslationRequest
    private let context: AnswerContext
    private let notes: RequestNotes
    /// Sequences that the provider cannot be told.
    private let stop: [String]
    private let maximumCalls: Int
    /// The answer is to be a summary of the conversation.
    private let compacts: Bool
    /// The client wants a stream of events.
    package let clientStreams: Bool
    /// What the request lost.
    package var losses: Losses { notes.losses }
    package var client: Dialect { request.client }
    /// The client's answer is a stream of events, between which pings may stand.
    package var takesPings: Bool { clientStreams && !request.inArray }
    package var upstreamStreams: Bool { request.target.streaming }

    private init(
        _ request: TranslationRequest, _ context: AnswerContext, _ notes: RequestNotes, stop: [String],
        maximumCalls: Int, compacts: Bool, clientStreams: Bool
    ) {
        self.request = request
        self.context = context
        self.notes = notes
        self.stop = stop
        self.maximumCalls = maximumCalls
        self.compacts = compacts
        self.clientStreams = clientStreams
    }

    /// Reads a client's body and writes the provider's.
    ///
    /// - Parameters:
    ///   - body: the client's JSON.
    ///   - clientModel: the name that answers repeat.
    ///   - estimatedInput: for dialects that tell input tokens before the provider does.
    ///   - parser: any parser; values that the caller has from it become invalid.
    /// - Returns: the translation and the body for the provider.
    /// - Throws: an error for the client that names the field.
    package static func make(
        _ request: TranslationRequest, body: [UInt8], clientModel: String, estimatedInput: Int,
        parser: JSONParser
    ) throws(GatewayError) -> (Translation, [UInt8]) {
        var canonical = try body.withUnsafeBytes { view in
            Result { () throws(GatewayError) in try decode(request, body, view, parser) }
        }.get()
        canonical.sourceBytes = body.count
        if let effort = request.effort {
            canonical.reasoning.effort = effort
        } else if !request.standardEffort.isEmpty, canonical.leavesEffortOpen {
            canonical.reasoning.effort = request.standardEffort
            canonical.effortIsGiven = true
        }
        let isForeign = request.upstream != request.client
        if isForeign, let refusal = canonical.foreignRefusal { throw refusal }
        let compacts = canonical.compacts && isForeign
        if isForeign {
            Compaction.prepare(&canonical)
            canonical.takeOutInlineTools()
        }
        HostedSearch.prepare(&canonical, for: request.target.rules, in: request.upstream)
        var notes = RequestNotes()
        let encoded = try CodecTable.requests(request.upstream).encode(canonical, for: request.target, &notes)
        let translation = Translation(
            request,
            AnswerContext(
                model: clientModel, createdUnix: request.nowUnix,
                wantsStreamUsage: canonical.wantsStreamUsage, ids: AnswerIDs(requestID: request.requestID),
                estimatedInput: estimatedInput),
            notes,
            stop: request.upstream == .responses ? canonical.sampling.stop : notes.untoldStops,
            maximumCalls: canonical.allowsParallelCalls == false ? 1 : .max, compacts: compacts,
            clientStreams: canonical.streaming)
        return (translation, encoded)
    }

    /// - Parameter view: the bytes of `body`.
    private static func decode(
        _ request: TranslationRequest, _ body: [UInt8], _ view: UnsafeRawBufferPointer, _ parser: JSONParser
    ) throws(GatewayError) -> CanonicalRequest {
        let root: JSONValue
        do {
            root = try parser.parse(view)
        } catch {
            throw GatewayError(.invalidRequest, "the body is no valid JSON: \(error)")
        }
        guard root.isObject, let map = SourceMap(parser) else {
            throw GatewayError(.invalidRequest, "the request is not a JSON object")
        }
        return try CodecTable.requests(request.client).decode(
            RequestSource(
                root: root, text: body, map: map, model: request.target.origin.model,
                streaming: request.streamingByPath))
    }

    /// The machine for an answer in this form.
    package func translator(_ form: AnswerTranslator.Form) -> AnswerTranslator {
        AnswerTranslator(
            decoder: CodecTable.decoder(
                request.upstream, target: request.target,
                // The encoder invents ids as well, so those of the decoder have a stem of their own.
                ids: AnswerIDs(requestID: request.requestID + "u")),
            encoder: CodecTable.encoder(request.client, context, inArray: request.inArray),
            restorer: AnswerRestorer(
                names: notes.toolNames, stop: stop, maximumCalls: maximumCalls,
                compaction: compacts ? Compaction(origin: request.target.origin) : nil),
            form: form, clientStreams: clientStreams, estimatedInput: context.estimatedInput)
    }

    /// The content type of the answer as the client gets it.
    package var contentType: String {
        clientStreams && !request.inArray ? "text/event-stream; charset=utf-8" : "application/json"
    }
}
