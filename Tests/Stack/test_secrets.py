# SPDX-License-Identifier: Apache-2.0
"""No prompt, answer, key or header value in any log line, metric, error or process title, at the level debug."""

import base64
import os
import pathlib
import tempfile

from dialects import CHAT, DIALECTS
from harness import Case, Stack, Upstream, free_port, provider, wait_for
from scripted import CLOSE, JSON, Script, whole
from wire import Wire, post_bytes


def canary(name):
    return f"canary-{name}-7f3a"


class Secrets(Case):
    def test_nothing_shows_a_canary(self):
        up = self.enterContext(Upstream())
        state = self.enterContext(tempfile.TemporaryDirectory())
        query = f"?sig={canary('query')}"
        stack = self.enterContext(
            Stack(
                provider(
                    "up",
                    up.url + "/v1" + query,
                    ["m"],
                    api_key=canary("provider-key"),
                    extra_headers={"X-Extra": canary("extra-header")},
                ),
                provider(
                    "dead", f"http://127.0.0.1:{free_port()}/v1{query}", ["d"], api_key=canary("dead-key")
                ),
                APIKEY=canary("client-key"),
                Clients=[{"name": "laptop", "key": canary("laptop-key")}],
                STATE_DIR=state,
                crashes=True,
                RATE_LIMIT_MAX_TOTAL_WAIT_MS=1,
            )
        )
        own = [("Authorization", f"Bearer {canary('client-key')}"), ("X-Note", canary("header"))]
        wrong = [("Authorization", f"Bearer {canary('wrong-key')}"), ("Cookie", canary("cookie"))]
        answer = [JSON, ("X-Answer", canary("answer-header")), ("Set-Cookie", canary("set-cookie"))]
        scripts = [
            lambda d: Script([*d.opening(), d.delta(canary("delta")), *d.closing()]),
            lambda d: Script([*d.opening(), d.delta(canary("delta")), CLOSE]),
            lambda d: Script([d.error_event(canary("error-event"))]),
            lambda d: whole(b'{"error":{"message":"%s"}}' % canary("error-body").encode(), 400, answer),
            lambda d: whole(b'{"error":{"message":"%s"}}' % canary("error-body").encode(), 500, answer),
            lambda d: whole(canary("no-json").encode(), 200, answer),
            lambda d: Script([], before=[canary("no-http").encode() + b"\r\n\r\n", CLOSE]),
        ]
        for d in DIALECTS:
            for script in scripts:
                up.scripts["m"] = script(d)
                for streaming in (True, False):
                    stack.post(d.path, d.request("m", streaming, canary("prompt")), own)
            stack.post(d.path, d.request("dead,d", text=canary("prompt")), own)
            stack.post(d.path, d.request("nobody,m", text=canary("prompt")), own)
            stack.post(d.path, d.request("m", text=canary("prompt")), wrong)
            stack.post(d.path, b'{"model":"m","' + canary("broken-json").encode(), own)
            stack.post(d.path + "?q=" + canary("client-query"), d.request("m", text=canary("prompt")), own)
        stack.get("/" + canary("path"))
        with Wire(stack.port) as wire:
            wire.send(b"POST / HTTP/1.1\r\n" + canary("no-colon").encode() + b"\r\n\r\n")
            wire.read_answer()
        with Wire(stack.port) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request("m", text=canary("aborted")), own))
        # A crash must not print what the process held.
        up.scripts["m"] = Script([*CHAT.opening(), CHAT.delta(canary("delta")), CLOSE])
        old = stack.kill_child("worker up")
        stack.wait_replaced("worker up", old)
        wait_for("an answer", 3, lambda: stack.post(CHAT.path, CHAT.request("m"), own).status == 200)
        old = stack.kill_child("worker up", 11)
        stack.wait_replaced("worker up", old, 2)
        self.check("/metrics", stack.get("/metrics", headers=own).body)
        for path in ("/v1/latencies", "/v1/usage", "/v1/frontend-metrics", "/health"):
            self.check(path, stack.get(path, headers=own).body)
        for name, pid in stack.pids().items():
            for file in ("cmdline", "comm", "environ"):
                try:
                    self.check(f"{file} of {name}", pathlib.Path(f"/proc/{pid}/{file}").read_bytes())
                except PermissionError:
                    # That nobody else can read it is the point.
                    pass
        self.check("the log", stack.log_text().encode())
        for file in pathlib.Path(state).rglob("*"):
            if file.is_file():
                self.check(os.fspath(file), file.read_bytes())

    def check(self, place, data):
        for needle in (b"canary", base64.b64encode(b"canary").rstrip(b"=")):
            at = data.find(needle)
            if at >= 0:
                self.fail(f"{place} shows a secret: {data[max(0, at - 200) : at + 60]!r}")
