// SPDX-License-Identifier: Apache-2.0
import Config
import JSON
import Testing

@testable import Credentials

/// The published test suite of Signature Version 4: its keys, its date, its requests and the signatures it gives.
@Suite("AWS signatures")
struct SignatureTests {
    /// 2015-08-30 12:36:00 UTC.
    private static let now = 1_440_938_160

    private static let keys = SigningKeys(
        accessKeyID: "AKIDEXAMPLE", secretAccessKey: Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        region: "us-east-1", service: "service")

    struct Vector: CustomTestStringConvertible, Sendable {
        let name: String
        var method = "GET"
        var target = "/"
        var fields: [(name: String, value: String)] = []
        var body = ""
        let signature: String

        var testDescription: String { name }
    }

    @Test(
        "the signatures are those of the published suite",
        arguments: [
            Vector(
                name: "get-vanilla",
                signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            Vector(
                name: "get-vanilla-query-order-key-case", target: "/?Param2=value2&Param1=value1",
                signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
            Vector(
                name: "get-vanilla-empty-query-key", target: "/?Param1=value1",
                signature: "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
            Vector(
                name: "get-header-value-trim",
                fields: [("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")],
                signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
            Vector(
                name: "post-vanilla", method: "POST",
                signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            Vector(
                name: "post-header-key-sort", method: "POST", fields: [("My-Header1", "value1")],
                signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
            Vector(
                name: "post-x-www-form-urlencoded", method: "POST",
                fields: [("Content-Type", "application/x-www-form-urlencoded")], body: "Param1=value1",
                signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
        ])
    func vectors(_ vector: Vector) throws {
        let signature = AWSSignature(
            method: vector.method, target: vector.target,
            fields: [("Host", "example.amazonaws.com")] + vector.fields, body: Array(vector.body.utf8))
        let headers = signature.headers(Self.keys, now: Self.now)
        #expect(headers.map(\.name) == ["X-Amz-Date", "Authorization"])
        #expect(headers.first?.value == "20150830T123600Z")
        let authorization = try #require(headers.last?.value)
        #expect(
            authorization.hasPrefix(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders="
            ))
        #expect(authorization.hasSuffix("Signature=\(vector.signature)"))
    }

    @Test(
        "a model's name with escapes in the path is escaped once more, and short-lived keys send their token")
    func bedrock() throws {
        var keys = Self.keys
        keys.sessionToken = Secret("session")
        func authorization(_ target: String, again: Bool) -> String? {
            let signature = AWSSignature(method: "POST", target: target, fields: [("Host", "h")], body: [])
            let headers = signature.headers(keys, now: Self.now, encodesPathAgain: again)
            #expect(headers.contains { $0.name == "X-Amz-Security-Token" && $0.value == "session" })
            #expect(
                headers.last?.value.contains("SignedHeaders=host;x-amz-date;x-amz-security-token,") == true)
            return headers.last?.value
        }
        #expect(
            authorization("/model/a%3A0/converse", again: true)
                == authorization("/model/a%253A0/converse", again: false))
        #expect(
            authorization("/model/a%3A0/converse", again: true)
                != authorization("/model/a%3A0/converse", again: false))
    }

    @Test(
        "dates are written in the basic format of ISO 8601",
        arguments: [
            (0, "19700101T000000Z"), (951_782_400, "20000229T000000Z"), (4_102_444_799, "20991231T235959Z"),
        ])
    func dates(_ seconds: Int, _ text: String) {
        #expect(Timestamp.basic(seconds) == text)
    }

    @Test(
        "keys are read as credential_process prints them and survive the way to a worker",
        arguments: [
            (#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s"}"#, true),
            (
                #"{"AccessKeyId":"A","SecretAccessKey":"s","SessionToken":"t","Expiration":"2026-11-21T08:49:37Z"}"#,
                true
            ),
            (#"{"AccessKeyId":"A"}"#, false),
            (#"{"AccessKeyId":"A","SecretAccessKey":"s","Expiration":"soon"}"#, false),
            ("A s", false),
        ])
    func form(_ text: String, _ isGood: Bool) {
        #expect((SigningKeys(Array(text.utf8), parser: JSONParser()) != nil) == isGood)
    }
}
