// SPDX-License-Identifier: Apache-2.0
import Foundation
import Gateway
import JSON
import Testing

@testable import Dialects

@Suite struct ChatFromMessagesTests {
    @Test(arguments: ["tool-result", "tool-search", "title", "web-search", "earlier-model"])
    func `a request of Claude Code becomes one of Chat`(name: String) throws {
        let body = try MessagesFixture.body(name)
        let request = try CodecSupport.decode(MessagesRequests.self, Array(body.utf8), model: "gpt")
        try CodecSupport.expect(
            try CodecSupport.encode(ChatRequests.self, request).body,
            isGolden: "messages-to-chat-\(name).json")
    }
}
