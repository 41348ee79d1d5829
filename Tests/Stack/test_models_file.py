# SPDX-License-Identifier: Apache-2.0
"""ModelsFile: a table of models of the operator's own, in place of the built-in one."""

import json
import pathlib
import subprocess

from dialects import CHAT
from harness import PROGRAM, Case, Stack, Upstream, provider
from scripted import whole

ROW = {"match": "gpt-5.1*", "name": "gpt-5.1", "efforts": ["low", "medium"], "default_effort": "medium", "variants": True}


class ModelsFile(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        cls.up.scripts["gpt-5.1"] = whole(CHAT.whole())
        cls.stack = cls.enterClassContext(Stack(provider("p", cls.up.url + "/v1", ["gpt-5.1"], kind="openai")))
        cls.file = pathlib.Path(cls.stack.folder.name, "models.json")

    def asked(self):
        """Model and effort as the provider sees them when a client asks for gpt-5.1-high."""
        answer = self.stack.post(CHAT.path, CHAT.request("p,gpt-5.1-high", stream=False))
        self.assertEqual(answer.status, 200, answer.body)
        body = json.loads(self.up.requests[-1].body)
        return body["model"], body.get("reasoning_effort")

    def table(self):
        done = subprocess.run(
            [PROGRAM, "models", "--table", "--config", str(self.stack.path)], capture_output=True, text=True, timeout=20
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_a_replaced_table_changes_what_is_listed_and_asked(self):
        self.assertLessEqual({"gpt-5.1", "gpt-5.1-low", "gpt-5.1-high"}, self.stack.model_names())
        self.assertEqual(self.asked(), ("gpt-5.1", "high"))
        built_in = self.table()
        self.file.write_text(json.dumps(built_in))
        self.stack.reload(ModelsFile="models.json")
        self.assertEqual(self.table(), built_in)
        self.assertEqual(self.asked(), ("gpt-5.1", "high"))
        self.file.write_text(json.dumps({"Models": [ROW]}))
        self.stack.reload()
        self.assertEqual(self.table(), {"Models": [ROW]})
        names = self.stack.model_names()
        self.assertLessEqual({"gpt-5.1", "gpt-5.1-low", "gpt-5.1-medium"}, names)
        self.assertNotIn("gpt-5.1-high", names)
        self.assertEqual(self.asked(), ("gpt-5.1", "medium"))
