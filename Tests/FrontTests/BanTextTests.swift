// SPDX-License-Identifier: Apache-2.0
// Bans in words and in JSON.

import JSON
import Routing
import Testing

@testable import Front

@Suite("Words of bans") struct BanTextTests {
    private func ban(
        _ credential: String, _ model: String, until: UInt64?, reason: String = "", status: Int = 0
    ) -> Ban {
        Ban(
            provider: "up", credential: credential, model: model, origin: status > 0 ? .fail2ban : .admin,
            reason: reason, status: status, sinceUsec: 40_000_000, untilUsec: until)
    }

    @Test("A line names whom, for what, for how long, who said so and why")
    func lines() {
        #expect(BanText.line(ban("", "", until: nil), 0) == "provider up is banned, for ever (admin)")
        #expect(
            BanText.line(
                ban("two", "m", until: 90_000_000, reason: "3 times status 429", status: 429), 40_000_000)
                == "credential two is banned for model m, for 50 s (fail2ban: 3 times status 429)")
        #expect(BanText.end(ban("two", "m", until: nil)) == "credential two is banned no more for model m")
    }

    @Test(
        "An object has dates, null for what is not told apart, and the seconds that are left, the last one whole"
    )
    func objects() {
        var writer = JSONWriter()
        BanText.write(
            ban("two", "m", until: 90_000_000, reason: "x", status: 500), 88_500_000,
            realtimeUsec: 1_000_700_000,
            to: &writer)
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == #"{"provider":"up","credential":"two","model":"m","origin":"fail2ban","reason":"x","error_code":500,"#
                + #""since":"1970-01-01T00:15:52Z","permanent":false,"until":"1970-01-01T00:16:42Z","remaining_seconds":2}"#
        )
        var other = JSONWriter()
        BanText.write(ban("", "", until: nil), 40_000_000, realtimeUsec: 951_782_400_000_000, to: &other)
        #expect(
            String(decoding: other.bytes, as: UTF8.self)
                == #"{"provider":"up","credential":null,"model":null,"origin":"admin","reason":"","error_code":null,"#
                + #""since":"2000-02-29T00:00:00Z","permanent":true,"until":null,"remaining_seconds":null}"#)
    }
}
