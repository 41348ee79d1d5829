# SPDX-License-Identifier: Apache-2.0
"""The unmodified Claude Code, which speaks Messages only, works with providers of every other dialect."""

import json
import pathlib
import tempfile
import unittest

from agents import Claude
from conversation import PIXEL
from gateway import Gateway, needs_gateway, provider
from strict import Call, StrictUpstream, Text, Think, Turn

MODEL = "some-model"


@needs_gateway
class TranslatedClaudeCode(unittest.TestCase):
    def loop(self, dialect, **router):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="ccr-claude.")))
        work = folder / "work"
        image, file = work / "pixel.png", work / "note.txt"
        helper = {"description": "ask a helper", "prompt": "greet me", "subagent_type": "general-purpose"}
        helper["run_in_background"] = False
        turns = [
            Turn((Think("First a command."), Text("I run it."), Call("Bash", {"command": "echo o$((1))e"}))),
            Turn((Call("Read", {"file_path": str(file)}), Call("Read", {"file_path": str(image)}))),
            Turn(
                (
                    Think("Now change it."),
                    Call("Edit", {"file_path": str(file), "old_string": "old", "new_string": "new äö"}),
                )
            ),
            Turn((Call("ToolSearch", {"query": "select:WebFetch", "max_results": 1}),)),
            Turn((Call("Agent", helper),)),
            Turn((Text("Hi from the subagent."),)),
            Turn((Text("All done."),)),
            Turn((Text("And on it goes."),)),
        ]
        base = "/v1beta" if dialect == "gemini" else "/v1"
        with StrictUpstream(dialect, turns) as upstream:
            strict = provider("strict", upstream.url + base, [MODEL], dialects=[dialect])
            with Gateway(Providers=[strict], Router=router) as gateway:
                claude = Claude(folder, gateway.url, MODEL)
                image.write_bytes(PIXEL)
                file.write_text("old text\n")
                done, result = claude.print("do the work")
                story = f"{upstream.refusals}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}\n{gateway.tail()}"
                self.assertEqual(upstream.refusals, [], story)
                self.assertEqual(done.returncode, 0, story)
                self.assertEqual((result["result"], result["is_error"]), ("All done.", False), story)
                self.assertEqual(file.read_text(), "new äö text\n")
                again, result = claude.print("go on", "--continue")
                self.assertEqual(upstream.refusals, [])
                self.assertEqual((result["result"], result["is_error"]), ("And on it goes.", False), again.stderr)
        if router:
            self.assertNotIn(True, [r.get("stream") for r in upstream.requests])
        seen = [json.dumps(r) for r in upstream.requests]
        self.assertTrue(any("o1e" in s for s in seen))
        self.assertTrue(any("iVBORw0KGgo" in s for s in seen), "the image that was read")
        self.assertTrue(any("Hi from the subagent." in s for s in seen))
        self.assertIn("All done.", seen[-1])

    def test_a_tool_loop_on_chat_completions(self):
        self.loop("chat")

    def test_a_tool_loop_on_responses(self):
        self.loop("responses")

    def test_a_tool_loop_on_gemini(self):
        self.loop("gemini")

    def test_a_tool_loop_on_whole_answers_of_its_own_dialect(self):
        self.loop("messages", forceNonStreaming=True)

    def test_a_tool_loop_on_whole_answers_of_another_dialect(self):
        self.loop("chat", forceNonStreaming=True)


if __name__ == "__main__":
    unittest.main()
