# SPDX-License-Identifier: Apache-2.0
"""ChatGPT and Copilot from the login to the answer: refusals, limits, what each service demands of requests."""

import json
import subprocess
import unittest
import urllib.error
import urllib.parse
import urllib.request

import invariants
from harness import ECHO, PROGRAM, Case, Stack, wait_for
from oauth import Authority
from refresher import Refresher
from services import ChatGPT, Copilot, codex_model
from test_scenarios_stack import Whole

HELLO = [{"role": "system", "content": "be short"}, {"role": "user", "content": "hi"}]


class Subscription(Case):
    def open(self, service, kind, entry):
        self.service = self.enterContext(service)
        base = self.service.url + ("/backend-api/codex" if kind == "chatgpt" else "")
        credential = {"name": "main", "token_url": self.service.url + "/token", **entry}
        self.stack = self.enterContext(
            Stack(
                {"name": kind, "kind": kind, "api_base_url": base, "models": ["*"], "credentials": [credential]}, ECHO,
                crashes=True))

    command = Whole.command
    credential = Whole.credential

    def models(self):
        """The names in /v1/models without pins and without those of the embedded provider."""
        names = [m["id"] for m in self.stack.get("/v1/models").json()["data"]]
        return [name for name in names if "," not in name and not name.startswith("echo")]

    def wait_listed(self, names):
        wait_for(f"the models {names}", 10, lambda: self.models() == names)

    def log_in(self):
        code, out, err = self.command("login", "main")
        self.assertEqual((code, err), (0, ""))
        self.assertNotIn("canary", out)
        return out

    def tearDown(self):
        texts = {"log": self.stack.log_text(), "metrics": self.stack.get("/metrics").body,
                 "health": self.stack.get("/health").body}
        invariants.check(self.stack.config["STATE_DIR"], self.stack.pids(), texts, self.service.sent)
        self.assertEqual(self.service.complaints, [])

    def ask(self, model, path="/v1/chat/completions", **more):
        body = {"model": f"{self.kind},{model}", "messages": HELLO, **more}
        return self.stack.post(path, body, timeout=20)


class ChatGPTAccount(Subscription):
    kind = "chatgpt"

    def setUp(self):
        service = ChatGPT(lifetime=3600)
        self.open(
            service, "chatgpt",
            {"kind": "codex_oauth", "device_url": service.url + "/api/accounts/deviceauth/usercode",
             "device_token_url": service.url + "/api/accounts/deviceauth/token",
             "revoke_url": service.url + "/revoke"})
        self.assertEqual(self.ask("gpt-5-codex").status, 502)
        self.service.device_answers = [403, 404]
        out = self.log_in()
        self.assertIn("WXYZ-1", out)
        self.assertIn("ChatGPT account", out, "the terms are said")

    def text(self, answer):
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()["choices"][0]["message"]["content"]

    def test_login_request_refusal_refresh_replay(self):
        found = self.ask("gpt-5-codex", temperature=0.5, max_tokens=9, user="me", metadata={"a": "b"})
        self.assertEqual(self.text(found), "hello", "rebuilt from the events, since the last one holds no output")
        with self.service.lock:
            self.service.valid = {}
        self.assertEqual(self.text(self.ask("gpt-5-codex")), "hello")
        (first, body1), (second, body2) = self.service.seen[-2:]
        self.assertEqual(body1, body2)
        self.assertNotEqual(first["Authorization"], second["Authorization"])
        self.assertEqual(self.service.refused, 1)
        self.assertEqual(self.service.calls, 2, "the login's first token and one renewal")

    def test_the_models_of_the_account_are_listed_and_answered(self):
        self.wait_listed(["gpt-5-codex", "gpt-5"])
        answer = self.stack.post("/v1/chat/completions", {"model": "gpt-5", "messages": HELLO}, timeout=20)
        self.assertEqual(self.text(answer), "hello")
        pins = [m["id"] for m in self.stack.get("/v1/models").json()["data"] if m["id"].startswith("chatgpt,")]
        self.assertEqual(pins, ["chatgpt,gpt-5-codex", "chatgpt,gpt-5"])
        codex = [m["slug"] for m in self.stack.get("/v1/models").json()["models"]]
        self.assertIn("gpt-5", codex)
        listed = self.service.listed
        for _ in range(20):
            self.models()
        self.assertEqual(self.service.listed, listed, "what is known is not asked for again")

    def test_a_list_that_cannot_be_renewed_stays_in_use(self):
        self.wait_listed(["gpt-5-codex", "gpt-5"])
        for trouble in [(500, b"<html>"), (200, b"<html>portal</html>"), (200, {"models": 7}), (200, b"[" * 5_000_000)]:
            start = len(self.stack.log_text())
            self.service.models = trouble
            old = self.stack.kill_child("worker chatgpt")
            self.stack.wait_replaced("worker chatgpt", old, seconds=10)
            self.stack.wait_for_log("the models of chatgpt are not known", 10, start)
            self.assertEqual(self.models(), ["gpt-5-codex", "gpt-5"])
        self.service.models = [codex_model("gpt-6", 1), codex_model("gpt-5", 3), codex_model("auto-review", 2, "hide")]
        old = self.stack.kill_child("worker chatgpt")
        self.stack.wait_replaced("worker chatgpt", old, seconds=10)
        self.wait_listed(["gpt-6", "gpt-5"])

    def test_a_usage_limit_rests_the_credential_until_it_ends(self):
        self.service.limit = {"error": {"type": "usage_limit_reached", "plan_type": "pro", "resets_in_seconds": 7000}}
        self.assertEqual(self.ask("gpt-5-codex").status, 429)
        wait_for("the metric", 5, lambda: 6900 < self.stack.metric("ccr_credential_cooldown_seconds") <= 7000)
        requests = self.service.requests
        answer = self.ask("gpt-5-codex")
        self.assertEqual(answer.status, 429)
        self.assertTrue(6900 < int(answer.header("retry-after")) <= 7000)
        self.assertEqual(self.service.requests, requests, "it is not asked meanwhile")

    def test_a_logout_revokes_and_the_next_request_says_what_to_do(self):
        secret = self.service.refresh
        self.assertEqual(self.command("logout", "main")[0], 0)
        wait_for("the revocation", 5, lambda: self.service.revoked)
        self.assertEqual(self.service.revoked[0]["token"], secret)
        self.assertTrue(wait_for("the state", 5, lambda: self.credential()["needs_login"]))
        self.assertIn(b"no credential", self.ask("gpt-5-codex").body)


class CopilotAccount(Subscription):
    kind = "copilot"

    def setUp(self):
        service = Copilot(lifetime=1800)
        self.open(
            service, "copilot",
            {"kind": "copilot", "token_url": service.url + "/copilot_internal/v2/token",
             "device_url": service.url + "/device", "device_token_url": service.url + "/token"})
        self.log_in()

    def test_each_model_is_asked_where_it_is_answered(self):
        for model, chat, messages in [
            ("gpt-5-codex", "/responses", "/responses"),
            ("claude-sonnet-4.5", "/chat/completions", "/v1/messages"),
            ("gemini-2.5-pro", "/chat/completions", "/chat/completions"),
        ]:
            with self.subTest(model):
                answer = self.ask(model)
                self.assertEqual(answer.status, 200, answer.body)
                self.assertEqual(answer.json()["choices"][0]["message"]["content"], "hello")
                self.assertEqual(self.service.paths[-1], chat)
                body = {"model": f"copilot,{model}", "max_tokens": 9, "messages": HELLO[1:]}
                answer = self.stack.post("/v1/messages", body, timeout=20)
                self.assertEqual(answer.status, 200, answer.body)
                self.assertEqual(answer.json()["content"][0]["text"], "hello")
                self.assertEqual(self.service.paths[-1], messages)

    def test_the_models_of_the_account_are_listed_and_asked_where_the_list_says(self):
        self.wait_listed(
            ["gpt-5-codex", "claude-sonnet-4.5", "gemini-2.5-pro", "brand-new", "text-embedding-3-small"])
        answer = self.stack.post("/v1/chat/completions", {"model": "brand-new", "messages": HELLO}, timeout=20)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(self.service.paths[-1], "/responses")

    def test_login_exchange_refusal_exchange_replay(self):
        self.assertEqual(self.ask("gemini-2.5-pro").status, 200)
        with self.service.lock:
            self.service.valid = {}
        self.assertEqual(self.ask("gemini-2.5-pro").status, 200)
        self.assertEqual(self.service.refused, 1)
        self.assertEqual(len(self.service.exchanged), 2)
        self.assertTrue(all(e["Authorization"].startswith("token ") for e in self.service.exchanged))

    def test_fields_say_who_began_a_request_and_whether_it_holds_an_image(self):
        answered = [*HELLO, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "go on"}]
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        seen = [{"role": "user", "content": [{"type": "text", "text": "what is it?"}, image]}]
        for messages in (HELLO, answered, seen):
            self.assertEqual(self.ask("gemini-2.5-pro", messages=messages).status, 200)

    def test_every_event_of_an_item_carries_one_id(self):
        body = {"model": "copilot,gpt-5-codex", "input": "hi", "stream": True}
        answer = self.stack.post("/v1/responses", body, timeout=20)
        self.assertEqual(answer.status, 200, answer.body)
        events = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: {")]
        ids = {e.get("item_id") or e.get("item", {}).get("id") for e in events}
        self.assertEqual(len(ids - {None}), 1, ids)
        self.assertEqual(events[-1]["type"], "response.completed")


class Browser(Case):
    def test_a_login_in_a_browser_comes_back_to_the_refresher(self):
        authority = self.enterContext(Authority(lifetime=1000))
        port = 14551
        refresher = self.enterContext(
            Refresher(
                {"name": "main", "kind": "oauth2", "token_url": authority.url + "/token", "client_id": "client",
                 "authorize_url": authority.url + "/authorize", "redirect_port": port}))
        refresher.start()
        asking = subprocess.Popen(
            [PROGRAM, "login", "main", "--browser", "--config", str(refresher.config)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(asking.kill)
        line = ""
        while not line.startswith("http"):
            line = asking.stdout.readline()
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(line.strip()).query)
        self.assertEqual(query["code_challenge_method"], ["S256"])
        back = query["redirect_uri"][0].replace("localhost", "127.0.0.1")

        def visit(**fields):
            try:
                with urllib.request.urlopen(f"{back}?{urllib.parse.urlencode(fields)}", timeout=5) as page:
                    return page.status, page.read()
            except urllib.error.HTTPError as e:
                return e.code, e.read()

        self.assertEqual(visit(code="canary-stolen", state="wrong")[0], 404)
        self.assertIsNone(asking.poll(), "a stranger ends no login")
        status, page = visit(code="canary-code", state=query["state"][0])
        self.assertEqual(status, 200)
        out, err = asking.communicate(timeout=20)
        self.assertEqual((asking.returncode, err), (0, ""))
        self.assertNotIn("canary", out)
        self.assertEqual(refresher.wait_for("fresh")["state"], "fresh")
        exchange = authority.bodies[0]
        self.assertEqual(exchange["code"], "canary-code")
        self.assertEqual(exchange["redirect_uri"], query["redirect_uri"][0])
        refresher.check(authority.sent)


if __name__ == "__main__":
    unittest.main()
