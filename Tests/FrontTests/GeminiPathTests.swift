// SPDX-License-Identifier: Apache-2.0
// Gemini's paths, keys and bodies.

import Gateway
import JSON
import Testing

@testable import Front

@Suite("Gemini's paths") struct GeminiPathTests {
    @Test(
        "Model and method stand in the path",
        arguments: [
            ("/v1beta/models/gemini-3-pro:generateContent", Endpoint.generateContent, "gemini-3-pro"),
            ("/v1/models/m:streamGenerateContent", .streamGenerateContent, "m"),
            ("/v1beta/models/a%2Fb%20c:countTokens", .geminiCountTokens, "a/b c"),
            ("/v1beta/models/a:b:generateContent", .generateContent, "a:b"),
            ("/preset/fast/v1beta/models/m:generateContent", .generateContent, "m"),
        ])
    func found(path: String, endpoint: Endpoint, model: String) throws {
        let parsed = try #require(GeminiPath(withPreset: path))
        #expect(parsed.endpoint == endpoint)
        #expect(parsed.modelName == model)
        let preset = path.hasPrefix("/preset") ? "fast" : nil
        #expect(try PathTable.find(method: "POST", path: path) == .worker(endpoint, preset: preset))
        #expect(throws: PathFault.wrongMethod(allowed: "POST")) {
            try PathTable.find(method: "GET", path: path)
        }
        #expect(PathTable.allowedMethods(path: path) == "POST")
        #expect(PathTable.dialect(of: path) == .gemini)
        #expect(PathTable.logName(path) == "(other path)")
    }

    @Test(
        "Anything else is none of them",
        arguments: [
            "/v1beta/models", "/v1beta/models/m", "/v1beta/models/:generateContent",
            "/v1beta/models/m:embedContent",
            "/v1beta/models/m:", "/v2/models/m:generateContent", "/models/m:generateContent", "/v1/models/m",
        ])
    func unknown(path: String) {
        #expect(GeminiPath(path[...]) == nil)
        #expect(throws: PathFault.unknown) { try PathTable.find(method: "POST", path: path) }
    }

    @Test("A model that is no text has no name", arguments: ["%", "%4", "%zz", "%ff", "a%C3"])
    func encoded(model: String) throws {
        let path = try #require(GeminiPath("/v1beta/models/\(model):generateContent"[...]))
        #expect(path.modelName == nil)
    }

    @Test(
        "A key may stand in the query",
        arguments: [
            ("key=abc", "abc"), ("alt=sse&key=abc&x=1", "abc"), ("key=", ""), ("keys=abc", nil), ("", nil),
        ])
    func key(query: String, key: String?) {
        #expect(GeminiPath.withKey(query) { String(decoding: $0, as: UTF8.self) } == key)
    }

    @Test("The served paths are told with Gemini's")
    func summary() {
        #expect(PathTable.summary.contains("POST /v1beta/models/{model}:streamGenerateContent"))
    }

    @Test("What the path says stands above the body, which stays as it is")
    func body() throws {
        let parser = JSONParser()
        let text = #"{"contents":[],"model":"other","stream":7}"#
        let body = try Array(text.utf8).withUnsafeBytes {
            try RequestBody(
                $0, parser: parser, path: RequestBody.Path(model: "m", isStreaming: true))
        }
        #expect(body.model == "m")
        #expect(body.isStreaming)
        #expect(body.modelRange == nil)
        #expect(body.splices(model: "n", maxTokens: nil, temperature: nil, dialect: .gemini).isEmpty)
        #expect(throws: GatewayError.self) {
            try Array(text.utf8).withUnsafeBytes {
                try RequestBody(
                    $0, parser: parser,
                    path: RequestBody.Path(model: String(repeating: "m", count: 513), isStreaming: true))
            }
        }
    }

    @Test(
        "Parameters of presets go where Gemini has them, and leave the client's alone",
        arguments: [
            (
                #"{"contents":[]}"#,
                #"{"generationConfig":{"maxOutputTokens":5,"temperature":1.0},"contents":[]}"#
            ),
            (#"{}"#, #"{"generationConfig":{"maxOutputTokens":5,"temperature":1.0}}"#),
            (
                #"{"generationConfig": {}}"#,
                #"{"generationConfig": {"maxOutputTokens":5,"temperature":1.0}}"#
            ),
            (
                #"{"generationConfig":{"temperature":2}}"#,
                #"{"generationConfig":{"maxOutputTokens":5,"temperature":2}}"#
            ),
            (
                #"{"generationConfig":{"temperature":2,"maxOutputTokens":9}}"#,
                #"{"generationConfig":{"temperature":2,"maxOutputTokens":9}}"#
            ),
        ])
    func parameters(text: String, changed: String) throws {
        let parser = JSONParser()
        let body = try Array(text.utf8).withUnsafeBytes {
            try RequestBody(
                $0, parser: parser, path: RequestBody.Path(model: "m", isStreaming: true))
        }
        #expect(
            apply(body.splices(model: "n", maxTokens: 5, temperature: 1, dialect: .gemini), to: text)
                == changed)
    }
}
