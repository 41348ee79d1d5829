// SPDX-License-Identifier: Apache-2.0
import Foundation
import Gateway
import JSON
import Testing

@testable import Dialects

/// Error bodies as providers send them, and what they mean.
@Suite struct FailureTableTests {
    struct Refusal: Sendable {
        let status: Int
        let body: String
        let means: FailureClass
        var after: Int?
        var parameter = ""

        init(
            _ status: Int, _ body: String, _ means: FailureClass, after: Int? = nil, parameter: String = ""
        ) {
            self.status = status
            self.body = body
            self.means = means
            self.after = after
            self.parameter = parameter
        }
    }

    static let refusals = [
        // OpenAI
        Refusal(
            429,
            #"{"error":{"message":"Rate limit reached. Please try again in 1.5s.","type":"requests","code":"rate_limit_exceeded"}}"#,
            .rate, after: 1_500),
        Refusal(
            429,
            #"{"error":{"message":"Please try again in 6m0s","type":"tokens","code":"rate_limit_exceeded"}}"#,
            .rate, after: 360_000),
        Refusal(429, #"{"error":{"message":"Too many. Retry after 20 seconds."}}"#, .rate, after: 20_000),
        Refusal(429, #"{"error":{"message":"Too many. Try again in 2 minutes."}}"#, .rate, after: 120_000),
        // Nobody is believed for longer than a week.
        Refusal(
            429, #"{"error":{"type":"usage_limit_reached","message":"no","resets_in_seconds":10000000}}"#,
            .quota, after: 604_800_000),
        Refusal(
            429, #"{"error":{"message":"no","type":"insufficient_quota","code":"credit_balance_exhausted"}}"#,
            .quota),
        Refusal(429, #"{"error":{"message":"no","type":"insufficient_quota","code":null}}"#, .quota),
        Refusal(503, #"{"error":{"code":"server_is_overloaded","message":"busy"}}"#, .overload),
        Refusal(503, #"{"error":{"code":"slow_down","message":"busy"}}"#, .rate),
        Refusal(
            401, #"{"error":{"message":"No API key","type":"invalid_request_error","code":null}}"#,
            .authentication),
        Refusal(404, #"{"error":{"message":"no such model","code":"model_not_found"}}"#, .missing),
        Refusal(
            400,
            #"{"error":{"message":"Unsupported parameter: 'temperature' is not supported with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_parameter"}}"#,
            .parameter, parameter: "temperature"),
        Refusal(
            400,
            #"{"error":{"message":"Unsupported value: 'reasoning.effort' does not support 'minimal'","param":"reasoning.effort","code":"unsupported_value"}}"#,
            .parameter, parameter: "reasoning"),
        Refusal(
            400,
            #"{"error":{"message":"Unrecognized request argument supplied: verbosity","type":"invalid_request_error"}}"#,
            .parameter, parameter: "verbosity"),
        // A request without what it is about would be another one.
        Refusal(
            400,
            #"{"error":{"message":"Unsupported value","param":"messages[0].role","code":"unsupported_value"}}"#,
            .client),
        Refusal(
            400, #"{"error":{"message":"This model's maximum context length is 8192 tokens","code":null}}"#,
            .context),
        // Anthropic
        Refusal(
            529, #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, .overload),
        Refusal(429, #"{"type":"error","error":{"type":"rate_limit_error","message":"no"}}"#, .rate),
        Refusal(
            429,
            #"{"type":"error","error":{"type":"rate_limit_error","message":"no","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
            .quota),
        Refusal(
            400,
            #"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access"}}"#,
            .quota),
        Refusal(
            400,
            #"{"type":"error","error":{"type":"invalid_request_error","message":"context_management: Extra inputs are not permitted"}}"#,
            .parameter, parameter: "context_management"),
        Refusal(
            400,
            #"{"type":"error","error":{"type":"invalid_request_error","message":"messages.0.content: Field required"}}"#,
            .client),
        // ChatGPT's backend
        Refusal(
            429,
            #"{"error":{"type":"usage_limit_reached","message":"no","plan_type":"plus","resets_at":1800000060}}"#,
            .quota, after: 60_000),
        Refusal(
            429, #"{"error":{"type":"usage_limit_reached","message":"no","resets_in_seconds":5}}"#, .quota,
            after: 5_000),
        // Google
        Refusal(
            429,
            #"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"no","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}]}}]"#,
            .rate, after: 34_070),
        Refusal(
            429,
            #"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"no","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}]}}"#,
            .quota),
        Refusal(
            429, #"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"quota, limit: 0"}}"#, .quota),
        Refusal(
            400,
            #"{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"API key not valid. Please pass"}}"#,
            .authentication),
        Refusal(
            400,
            #"{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"Unknown name \"foo\": Cannot find field."}}"#,
            .parameter, parameter: "foo"),
        // Parts that a provider cannot take
        Refusal(
            404, #"{"error":{"message":"No endpoints found that support image input","code":404}}"#, .missing),
        Refusal(
            400,
            #"{"error":{"message":"Invalid content type. image_url is only supported by certain models.","type":"invalid_request_error"}}"#,
            .capability, parameter: "image_block"),
        Refusal(
            400,
            #"{"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: Invalid `signature` in `thinking` block"}}"#,
            .capability, parameter: "thinking_signature"),
        // Bedrock, xAI, Mistral, no JSON
        Refusal(400, #"{"__type":"ServiceQuotaExceededException","message":"no"}"#, .rate),
        Refusal(424, #"{"message":"model error"}"#, .server),
        Refusal(403, #"{"code":"x","error":"no access"}"#, .forbidden),
        Refusal(422, #"{"detail":[{"msg":"bad"}]}"#, .client),
        Refusal(502, "<html>bad gateway</html>", .server), Refusal(429, "", .rate),
        Refusal(402, "{}", .quota), Refusal(504, "", .timeout), Refusal(413, "", .client),
    ]

    @Test(arguments: refusals)
    func `a refusal of any provider means one thing`(refusal: Refusal) {
        let parser = JSONParser()
        let bytes = Array(refusal.body.utf8)
        let error = bytes.withUnsafeBytes {
            UpstreamErrorBody.read(
                $0, status: refusal.status, provider: "p", nowUnix: 1_800_000_000, parser: parser)
        }
        #expect(error.report?.class == refusal.means)
        #expect(error.report?.status == refusal.status)
        #expect(error.report?.retryAfterMsec == refusal.after)
        #expect(error.report?.parameter == refusal.parameter)
    }

    @Test(
        arguments: [
            ("120ms", 0.12), ("1.5s", 1.5), ("6m0s", 360), ("1h2m3s", 3_723), ("2d", 172_800), ("", nil),
            ("5", nil), ("s", nil), ("1x", nil), ("-1s", nil), ("1..5s", nil),
        ] as [(String, Double?)])
    func `lengths of time are read`(text: String, seconds: Double?) {
        #expect(Duration.seconds(text) == seconds)
    }
}

/// Holds docs/failures.md against the table of codes.
@Suite struct FailureDocumentTests {
    private static let lines: [String] = {
        let root = #filePath.replacing(/\/Tests\/DialectsTests\/.*/, with: "")
        // Without the document every comparison fails, which tells enough.
        let text = (try? String(contentsOfFile: root + "/docs/failures.md", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }()

    @Test(arguments: FailureClass.allCases)
    func `the codes of a class stand in its row`(failure: FailureClass) {
        let codes = FailureTable.codes.filter { $0.class == failure }.map { "`\($0.sign)`" }
        guard !codes.isEmpty else { return }
        let row = "| `\(failure.name)` | \(codes.joined(separator: ", ")) |"
        #expect(Self.lines.contains(row), "\(row)")
    }

    @Test func `every capability has a row with its words`() {
        var rows: [String: [String]] = [:]
        for entry in FailureTable.capabilities {
            rows[entry.capability, default: []].append("“\(entry.sign)”")
        }
        for (capability, words) in rows {
            let row = "| `\(capability)` | \(words.joined(separator: ", ")) |"
            #expect(Self.lines.contains(row), "\(row)")
        }
    }

    @Test func `every wording has a row`() {
        for wording in FailureTable.wordings {
            let row =
                "| `\(wording.meaning.class.name)` | \(wording.within.name): “\(wording.meaning.sign)” |"
            #expect(Self.lines.contains(row), "\(row)")
        }
    }
}
