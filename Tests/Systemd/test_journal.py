# SPDX-License-Identifier: Apache-2.0
"""What an administrator reads in the journal: one request's story, explanations, typed fields."""

from dialects import CHAT
from harness import Upstream, provider
from machine import PORT, Case, Installed, wait_for
from scripted import whole
from wire import post

REQUEST_FINISHED = "7a4369cd1be9363c2ba6d53e7c365ada"
CANDIDATE_FAILED = "079065934eb291119fda3848e9b8292e"


class Journal(Case):
    @classmethod
    def setUpClass(cls):
        cls.machine = cls.enterClassContext(Installed())
        cls.up = cls.enterClassContext(Upstream())
        cls.up.scripts["broken"] = whole(b"{}", status=503)
        cls.machine.write_config(
            Providers=[
                provider("bad", cls.up.url + "/v1", ["broken"]),
                provider("good", cls.up.url + "/v1", ["ok"]),
            ],
            Router={"default": "bad,broken", "tiers": ["bad,broken", "good,ok"]},
        )
        answer = post(PORT, CHAT.path, CHAT.request("broken", stream=False), timeout=20)
        assert answer.status == 200, (answer.status, answer.body)
        cls.request = answer.header("x-ccr-request-id")
        cls.story = wait_for("the story of a request", 10, cls.read_story)

    @classmethod
    def read_story(cls):
        entries = cls.machine.journal("-u", "ccr", f"CCR_REQUEST_ID={cls.request}")
        return entries if entries and entries[-1]["MESSAGE_ID"] == REQUEST_FINISHED else None

    def test_one_request_can_be_followed(self):
        self.assertEqual([e["MESSAGE_ID"] for e in self.story], [CANDIDATE_FAILED, REQUEST_FINISHED])
        self.assertEqual([e["CCR_UPSTREAM"] for e in self.story], ["bad", "good"])

    def test_fields_have_their_types(self):
        last = self.story[-1]
        self.assertEqual(last["PRIORITY"], "6")
        self.assertEqual(last["SYSLOG_IDENTIFIER"], "ccr")
        self.assertEqual(last["CCR_ROLE"], "front")
        self.assertEqual(int(last["CCR_STATUS"]), 200)
        self.assertGreater(int(last["CCR_DURATION_USEC"]), 0)
        self.assertEqual(last["CCR_OUTCOME"], "completed")
        self.assertEqual(last["_SYSTEMD_UNIT"], "ccr.service")

    def test_entries_are_explained(self):
        text = self.machine.run("journalctl", "-u", "ccr", "--catalog", "--no-pager", f"CCR_REQUEST_ID={self.request}")
        self.assertIn("Subject: The provider bad did not answer a request", text)
        self.assertIn(f"journalctl CCR_REQUEST_ID={self.request}", text)

    def test_every_process_writes_to_the_journal_with_its_role(self):
        self.machine.drop_in("ccr.service", "[Service]\nEnvironment=CCR_LOG=debug\n")
        self.machine.run("systemctl", "restart", "ccr.service")
        roles = {e.get("CCR_ROLE") for e in self.machine.journal("-u", "ccr")}
        self.assertLessEqual({"supervisor", "front", "worker", "exporter"}, roles)
        providers = {e.get("CCR_PROVIDER") for e in self.machine.journal("-u", "ccr", "CCR_ROLE=worker")}
        self.assertEqual(providers, {"bad", "good"})
