# SPDX-License-Identifier: Apache-2.0
"""A token endpoint that rotates refresh tokens and misbehaves on demand, and a provider that wants its tokens."""

import base64
import email.utils
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


def web_token(account, lifetime, age=0, **claims):
    """A JSON web token as the ChatGPT service makes them; nobody checks the signature."""
    now = int(time.time()) - age
    auth = {"chatgpt_account_id": account, "chatgpt_plan_type": "pro"}
    claims = {"iat": now, "exp": now + lifetime, "https://api.openai.com/auth": auth, **claims}
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, claims)]
    return ".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in (*parts, b"canary-signature"))


class Authority:
    """One server: /token rotates, /device and /poll log in, /v1/chat/completions wants an access token that lives.

    `behaviours` holds dictionaries that change single token calls, first come first served: status, body, headers,
    before and after (seconds of delay before and after the rotation), drop ("before" or "after" the rotation), drip
    (bytes of an answer that never ends), cut (an answer that is cut short), more and without (members of the answer).
    `exchange` does the same for GitHub's exchange: status and body, or lifetime, refresh_in, and by how many seconds
    the server's clock is ahead.
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
        # Errors or "drop", or one of them with the seconds before it.
        self.device_answers = []
        self.polls = 0
        self.bodies = []
        self.exchange = []
        self.exchanged = []
        self.revoked = []
        self.cached = None
        self.requested, self.keeps_bodies = [], False
        self.limited = {}
        self.stream_refuses = False
        self.answered = None
        handler = type("Handler", (_Handler,), {"authority": self})
        self.server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def claims(self, token):
        """The claims of a JSON web token."""
        body = token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))

    def accept(self, token):
        """Take this as the one good access token."""
        self.access, self.valid = token, {token: time.monotonic() + 3600}

    def grant(self, comes_with_refresh=True):
        number = next(self.numbers)
        self.access = f"canary-at-{number}"
        self.valid[self.access] = time.monotonic() + self.lifetime
        answer = {"access_token": self.access, "token_type": "Bearer", "expires_in": self.lifetime}
        if self.rotate and comes_with_refresh:
            self.retired[self.refresh] = time.monotonic()
            self.refresh = f"canary-rt-{number}"
            answer["refresh_token"] = self.refresh
        return 200, answer

    def token(self, fields):
        """Status and JSON of a token call."""
        if fields.get("grant_type") != "refresh_token":
            # RFC 6749 section 4.4.3: a client's own token comes without one.
            return self.grant(comes_with_refresh=fields.get("grant_type") != "client_credentials")
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
        self.send_response_only(status)
        if not any(name == "Date" for name, _ in headers):
            self.send_header("Date", self.date_time_string())
        kind = "text/html" if data.startswith(b"<") else "application/json"
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(data))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        a = self.authority
        path = self.path.partition("?")[0]
        if path == "/metadata":
            with a.lock:
                a.calls += 1
            token, end = a.cached
            return self.answer(200, {"access_token": token, "expires_in": int(end - time.monotonic())})
        if path != "/copilot_internal/v2/token":
            return self.answer(404, {})
        with a.lock:
            a.calls += 1
            a.exchanged.append(dict(self.headers.items()))
            how = a.exchange.pop(0) if a.exchange else {}
            if "status" in how:
                return self.answer(how["status"], how["body"], how.get("headers", ()))
            number = next(a.numbers)
            a.access = f"tid=canary-at-{number};exp=1:canary"
            a.valid[a.access] = time.monotonic() + a.lifetime
        now = time.time() + how.get("ahead", 0)
        life = how.get("lifetime", a.lifetime)
        self.answer(
            200,
            {
                "token": a.access,
                "expires_at": int(now + life),
                "refresh_in": how.get("refresh_in", max(1, int(life * 0.8))),
                "endpoints": {"api": how.get("api", a.url)},
                "chat_enabled": True,
            },
            [("Date", email.utils.formatdate(now, usegmt=True))],
        )

    def do_POST(self):
        a = self.authority
        path = self.path.partition("?")[0]
        if path == "/v1/chat/completions":
            return self.complete()
        fields = self.body()
        if path == "/revoke":
            with a.lock:
                a.revoked.append(fields)
            return self.answer(200, {})
        if path == "/token" and fields.get("grant_type") == "authorization_code":
            with a.lock:
                a.bodies.append(fields)
                return self.answer(*a.grant())
        if path == "/device":
            page = {"verification_uri": "https://login.example/device", "interval": 1, "expires_in": 60}
            return self.answer(200, {"device_code": "canary-dc", "user_code": "ABCD-1234", **page})
        if path == "/token" and "device_code" in fields.get("grant_type", ""):
            with a.lock:
                a.polls += 1
                error = a.device_answers.pop(0) if a.device_answers else None
            if isinstance(error, tuple):
                time.sleep(error[0])
                error = error[1]
            with a.lock:
                if error == "drop":
                    self.close_connection = True
                    return None
                if error:
                    return self.answer(200, {"error": error})
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
        if "drip" in how or "cut" in how:
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{")
            for _ in range(how.get("drip", 0)):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.5)
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
        a.answered = time.monotonic()
        self.answer(status, answer)

    def complete(self):
        a = self.authority
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        given = self.headers.get("Authorization", "")
        with a.lock:
            if a.keeps_bodies:
                a.requested.append(body)
            limit = a.limited.get(given)
            a.requests += 1
            a.authorizations.append(given)
            good = a.valid.get(given.removeprefix("Bearer "), 0) > time.monotonic() and not a.refuse_all
            a.refused += not good
        if limit:
            return self.answer(429, {"error": {"message": "limit"}}, [("Retry-After", str(limit))])
        if good and a.stream_refuses:
            return self.refuse_inside()
        self.answer(200 if good else 401, ANSWER if good else {"error": {"message": "canary-upstream no"}})

    def refuse_inside(self):
        """A stream that begins well and then says that the token is not good any more."""
        chunk = {**ANSWER, "object": "chat.completion.chunk"}
        chunk["choices"] = [{"index": 0, "delta": {"role": "assistant", "content": "hi"}}]
        error = {"error": {"type": "authentication_error", "code": "invalid_api_key", "message": "no"}}
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for event in (chunk, error):
            self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
            self.wfile.flush()
            time.sleep(0.3)
