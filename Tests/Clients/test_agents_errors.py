# SPDX-License-Identifier: Apache-2.0
"""What the unmodified agents do with failures of a provider, of their own dialect and of another one."""

import json
import pathlib
import tempfile
import unittest

from agents import Claude, Codex
from conversation import PIXEL
from gateway import Gateway, needs_gateway, provider
from strict import Call, StrictUpstream, Text, Turn

MODEL = "some-model"
TOO_LONG = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."


def holds_image(body):
    return "iVBORw0KGgo" in json.dumps(body)


@needs_gateway
class Errors(unittest.TestCase):
    def stack(self, dialect, *turns):
        """A provider and a gateway of their own, and in `self.folder` a place for the client."""
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="ccr-errors.")))
        # What Codex sends to its own dialect passes as it is; here only the refusals matter.
        upstream = self.enterContext(StrictUpstream(dialect, turns, lenient=dialect == "responses"))
        strict = provider("strict", upstream.url + "/v1", [MODEL, "gpt-5.5"], dialects=[dialect])
        return upstream, self.enterContext(Gateway(Providers=[strict]))

    def test_codex_sees_that_the_conversation_is_too_long(self):
        for dialect in ("responses", "chat"):
            with self.subTest(dialect):
                upstream, gateway = self.stack(dialect, Turn((Text("never"),)))
                upstream.refuse = lambda body: (400, {"message": TOO_LONG, "code": "context_length_exceeded"})
                done = Codex(self.folder, gateway.url, "gpt-5.5").exec("hello", proxy=upstream.url)
                self.assertIn("context window", done.stdout + done.stderr)
                self.assertEqual(len(upstream.requests), 1)

    def test_codex_stops_at_once_when_the_key_is_wrong(self):
        upstream, gateway = self.stack("responses", Turn((Text("never"),)))
        upstream.refuse = lambda body: (401, {"message": "that key is dead", "code": "invalid_api_key"})
        done = Codex(self.folder, gateway.url, "gpt-5.5").exec("hello", proxy=upstream.url)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("that key is dead", done.stdout + done.stderr)
        self.assertEqual(len(upstream.requests), 1)

    def test_claude_code_sees_that_the_conversation_is_too_long(self):
        for dialect in ("messages", "chat"):
            with self.subTest(dialect):
                upstream, gateway = self.stack(dialect, Turn((Text("never"),)))
                upstream.refuse = lambda body: (400, {"message": TOO_LONG, "type": "invalid_request_error"})
                _, result = Claude(self.folder, gateway.url, MODEL).print("hello")
                self.assertIn("too long", result["result"].lower())
                self.assertEqual(len(upstream.requests), 1, "one exchange is all there is; nothing to compact")

    def test_claude_code_leaves_out_an_image_that_the_provider_cannot_take(self):
        for dialect in ("messages", "chat"):
            with self.subTest(dialect):
                upstream, gateway = self.stack(dialect)
                image = self.folder / "work" / "pixel.png"
                upstream.begin([Turn((Call("Read", {"file_path": str(image)}),)), Turn((Text("No picture, then."),))])
                upstream.refuse = lambda body: (
                    (400, {"message": "image input is not supported", "type": "invalid_request_error"})
                    if holds_image(body)
                    else None
                )
                claude = Claude(self.folder, gateway.url, MODEL)
                image.write_bytes(PIXEL)
                done, result = claude.print("look at the picture")
                self.assertEqual(result["result"], "No picture, then.", done.stderr[-1000:] + gateway.tail())
                self.assertEqual([holds_image(r) for r in upstream.requests], [False, True, False])


if __name__ == "__main__":
    unittest.main()
