# SPDX-License-Identifier: Apache-2.0
"""A token endpoint that rotates refresh tokens and misbehaves on demand, and a provider that wants its tokens."""

import http.server
import itertools
import json
import threading
import time
import urllib.parse

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


class Authority:
    """One server: /token rotates, /device and /poll log in, /v1/chat/completions wants an access token that lives.

    `behaviours` holds dictionaries that change single token calls, first come first served: status, body, headers,
    before and after (seconds of delay before and after the rotation), drop ("before" or "after" the rotation).
    """

    def __init__(self, lifetime=3600, grace=0.0, rotate=True):
        self.lifetime, self.grace, self.rotate = lifetime, grace, rotate
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.refresh, self.access = "canary-rt-0", None
        self.valid = {}  # access token -> its end
        self.retired = {}  # refresh token -> when it was replaced
        self.sent = []  # the refresh tokens of all calls
        self.behaviours = []
        self.calls = self.running = self.most_running = 0
        self.refuse_all = False
        self.requests = self.refused = 0
        self.authorizations = []
        self.device_answers = []
        self.bodies = []
        handler = type("Handler", (_Handler,), {"authority": self})
        self.server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def accept(self, token):
        """Take this as the one good access token."""
        self.access, self.valid = token, {token: time.monotonic() + 3600}

    def grant(self):
        number = next(self.numbers)
        self.access = f"canary-at-{number}"
        self.valid[self.access] = time.monotonic() + self.lifetime
        answer = {"access_token": self.access, "token_type": "Bearer", "expires_in": self.lifetime}
        if self.rotate:
            self.retired[self.refresh] = time.monotonic()
            self.refresh = f"canary-rt-{number}"
            answer["refresh_token"] = self.refresh
        return 200, answer

    def token(self, fields):
        """Status and JSON of a token call."""
        if fields.get("grant_type") != "refresh_token":
            return self.grant()
        given = fields.get("refresh_token")
        self.sent.append(given)
        replaced = self.retired.get(given)
        in_grace = replaced is not None and time.monotonic() - replaced < self.grace
        if given == self.refresh or in_grace:
            return self.grant()
        return 401, {"error": {"code": "refresh_token_reused"}}


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, *_):
        """Clients that are killed in the middle of an answer are what these tests are about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    authority = None
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "json" in self.headers.get("Content-Type", ""):
            return json.loads(raw)
        return {k: v[0] for k, v in urllib.parse.parse_qs(raw.decode()).items()}

    def answer(self, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        kind = "text/html" if data.startswith(b"<") else "application/json"
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(data))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.answer(404, {})

    def do_POST(self):
        a = self.authority
        path = self.path.partition("?")[0]
        if path == "/v1/chat/completions":
            return self.complete()
        fields = self.body()
        if path == "/device":
            page = {"verification_uri": "https://login.example/device", "interval": 1, "expires_in": 60}
            return self.answer(200, {"device_code": "canary-dc", "user_code": "ABCD-1234", **page})
        if path == "/token" and "device_code" in fields.get("grant_type", ""):
            with a.lock:
                if a.device_answers:
                    return self.answer(200, {"error": a.device_answers.pop(0)})
                return self.answer(*a.grant())
        if path != "/token":
            return self.answer(404, {})
        with a.lock:
            a.calls += 1
            a.running += 1
            a.most_running = max(a.most_running, a.running)
            a.bodies.append(fields)
            how = a.behaviours.pop(0) if a.behaviours else {}
        try:
            self.misbehave(fields, how)
        finally:
            with a.lock:
                a.running -= 1

    def misbehave(self, fields, how):
        a = self.authority
        time.sleep(how.get("before", 0))
        if how.get("drop") == "before":
            self.close_connection = True
            return
        if "status" in how:
            self.answer(how["status"], how.get("body", {}), how.get("headers", ()))
            return
        with a.lock:
            status, answer = a.token(fields)
        answer = {**answer, **how.get("more", {})}
        for name in how.get("without", ()):
            answer.pop(name, None)
        time.sleep(how.get("after", 0))
        if how.get("drop") == "after":
            self.close_connection = True
            return
        self.answer(status, answer)

    def complete(self):
        a = self.authority
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        given = self.headers.get("Authorization", "")
        with a.lock:
            a.requests += 1
            a.authorizations.append(given)
            good = a.valid.get(given.removeprefix("Bearer "), 0) > time.monotonic() and not a.refuse_all
            a.refused += not good
        self.answer(200 if good else 401, ANSWER if good else {"error": {"message": "canary-upstream no"}})
