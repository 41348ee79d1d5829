# SPDX-License-Identifier: Apache-2.0
"""The unmodified Codex CLI, which speaks Responses only, works with providers of every other dialect."""

import json
import pathlib
import tempfile
import unittest

from agents import Codex
from conversation import PIXEL
from gateway import Gateway, needs_gateway, provider
from strict import Call, StrictUpstream, Text, Think, Turn

# Codex brings its own tools for this name, among them a freeform apply_patch and tool_search.
MODEL = "gpt-5.5"
PATCH = "*** Begin Patch\n*** Add File: hello.txt\n+hello \"ccr\" äö\n*** End Patch\n"
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}


def shell(command):
    return Call("exec_command", {"cmd": command})


@needs_gateway
class TranslatedCodex(unittest.TestCase):
    def loop(self, dialect, **router):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="ccr-codex.")))
        image = folder / "pixel.png"
        image.write_bytes(PIXEL)
        turns = [
            Turn((Think("Two commands."), Text("I look around."), shell("echo o$((1))e"), shell("echo t$((1))o"))),
            Turn((Think("A patch."), Call("apply_patch", {"input": PATCH}))),
            Turn((Call("view_image", {"path": str(image)}),)),
            Turn((Text('{"answer": "all done"}'),)),
            Turn((Text('{"answer": "resumed"}'),)),
        ]
        schema = folder / "schema.json"
        schema.write_text(json.dumps(SCHEMA))
        base = "/v1beta" if dialect == "gemini" else "/v1"
        with StrictUpstream(dialect, turns) as upstream:
            strict = provider("strict", upstream.url + base, [MODEL], dialects=[dialect])
            with Gateway(Providers=[strict], Router=router) as gateway:
                codex = Codex(folder, gateway.url, MODEL)
                done = codex.exec("--output-schema", str(schema), "do the work", proxy=upstream.url)
                story = f"{upstream.refusals}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}\n{gateway.tail()}"
                self.assertEqual(done.returncode, 0, story)
                self.assertEqual(upstream.refusals, [], story)
                self.assertEqual(json.loads(done.stdout), {"answer": "all done"}, story)
                self.assertEqual((codex.work / "hello.txt").read_text(), 'hello "ccr" äö\n')
                again = codex.exec("resume", "--last", "go on", proxy=upstream.url)
                self.assertEqual(again.returncode, 0, again.stderr[-3000:])
                self.assertIn("resumed", again.stdout)
                self.assertEqual(upstream.refusals, [])
                streams = [bool(r.get("stream")) for r in upstream.requests]
        if router:
            self.assertNotIn(True, streams)
        seen = [json.dumps(r) for r in upstream.requests]
        self.assertEqual(len(seen), 5)
        self.assertIn("o1e", seen[1])
        self.assertIn("t1o", seen[1])
        self.assertIn("iVBORw0KGgo", seen[3], "the image of a tool's result")
        self.assertIn("all done", seen[4], "what the first run said")

    def test_a_tool_loop_on_chat_completions(self):
        self.loop("chat")

    def test_a_tool_loop_on_messages(self):
        self.loop("messages")

    def test_a_tool_loop_on_gemini(self):
        self.loop("gemini")

    def test_a_tool_loop_on_whole_answers_of_its_own_dialect(self):
        self.loop("responses", forceNonStreaming=True)

    def test_a_tool_loop_on_whole_answers_of_another_dialect(self):
        self.loop("chat", forceNonStreaming=True)


if __name__ == "__main__":
    unittest.main()
