// SPDX-License-Identifier: Apache-2.0
package import Gateway
package import JSON

package struct EchoAnswer {
    package var status: Int; package var contentType: String; package var chunks: [[UInt8]]
}
package enum EchoProvider {
    package static func answer(
        endpoint: Endpoint, streaming: Bool, model: String, body: [UInt8], requestID: String,
        parser: JSONParser
    ) -> EchoAnswer { EchoAnswer(status: 200, contentType: "", chunks: []) }
}
