# SPDX-License-Identifier: Apache-2.0
"""Requests signed with AWS keys, against a service that checks every signature, and Bedrock's bearer key."""

import hashlib
import hmac
import http.server
import json
import pathlib
import tempfile
import threading
import time
import unittest

import invariants
from dialects import CHAT
from harness import ECHO, Case, Stack, wait_for
from oauth import ANSWER, Authority


class Bedrock:
    """Answers what is signed with its key and a time close to its own."""

    def __init__(self):
        self.key, self.secret, self.session = "AKIDEXAMPLE", "canary-secret", "canary-session"
        self.ahead = 0
        self.faults = []
        self.requests = 0
        handler = type("Handler", (_Bedrock,), {"service": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def signature(self, method, path, headers, body, stamp):
        """The signature that the request should have, and the fields that it covers."""
        names = ["host", "x-amz-date", "x-amz-security-token"]
        lines = [method, path, "", *[f"{n}:{headers[n]}" for n in names], "", ";".join(names)]
        request = "\n".join([*lines, hashlib.sha256(body).hexdigest()])
        scope = f"{stamp[:8]}/us-east-1/bedrock/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = ("AWS4" + self.secret).encode()
        for part in (stamp[:8], "us-east-1", "bedrock", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signed = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        return f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signed}"


class _Bedrock(http.server.BaseHTTPRequestHandler):
    service = None
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind=""):
        data = json.dumps(body).encode()
        self.send_response_only(status)
        now = time.time() + self.service.ahead
        self.send_header("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now)))
        if kind:
            self.send_header("x-amzn-ErrorType", kind)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        s = self.service
        s.requests += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        stamp = headers["x-amz-date"]
        when = time.strptime(stamp, "%Y%m%dT%H%M%SZ")
        age = time.time() + s.ahead - (time.mktime(when) - time.timezone)
        if abs(age) > 300:
            s.faults.append("skew")
            return self.answer(403, {"message": "Signature expired"}, "InvalidSignatureException")
        if f"Credential={s.key}/" not in headers["authorization"]:
            s.faults.append("unknown")
            return self.answer(403, {"message": "no"}, "UnrecognizedClientException:http://internal/")
        if headers["authorization"] != s.signature("POST", self.path, headers, body, stamp):
            s.faults.append("signature")
            return self.answer(403, {"message": "no"}, "InvalidSignatureException")
        self.answer(200, ANSWER)


class Signatures(Case):
    def setUp(self):
        self.service = self.enterContext(Bedrock())
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.put()
        program = self.folder / "keys.sh"
        program.write_text(f"#!/bin/sh\ncat {self.folder}/keys\n")
        program.chmod(0o700)
        entry = {
            "name": "bedrock", "kind": "openai-compatible", "api_base_url": self.service.url + "/v1", "models": ["m"],
            "credentials": [
                {"name": "aws", "kind": "aws_sigv4", "region": "us-east-1", "command": [str(program)]}],
        }
        self.stack = self.enterContext(Stack(entry, ECHO))
        wait_for("an answer", 10, lambda: self.ask().status == 200)

    def put(self):
        s = self.service
        (self.folder / "keys").write_text(json.dumps({
            "Version": 1, "AccessKeyId": s.key, "SecretAccessKey": s.secret, "SessionToken": s.session}))

    def ask(self, **more):
        return self.stack.post(CHAT.path, {**CHAT.request("m", stream=False), **more}, timeout=20)

    def tearDown(self):
        texts = {"log": self.stack.log_text(), "metrics": self.stack.get("/metrics").body}
        invariants.check(self.stack.config["STATE_DIR"], self.stack.pids(), texts)

    def test_every_request_is_signed_over_its_own_body(self):
        for text in ("a", "b" * 300_000):
            self.assertEqual(self.ask(user=text).status, 200)
        self.assertEqual(self.service.faults, [])

    def test_a_clock_that_is_wrong_is_corrected_by_the_services(self):
        self.service.ahead = 3600
        self.assertEqual([self.ask().status for _ in range(3)], [200] * 3)
        self.assertEqual(self.service.faults, ["skew"], "once")

    def test_keys_that_the_service_does_not_take_any_more_are_replaced_in_the_same_request(self):
        self.service.secret = "canary-newer"
        self.service.key = "AKIDNEWER"
        self.put()
        self.assertEqual(self.ask().status, 200)
        self.assertEqual(self.service.faults, ["unknown"], "asked once more, with the new keys")


class Bearer(Case):
    def test_a_bearer_key_of_bedrock_is_a_static_key(self):
        authority = self.enterContext(Authority())
        authority.accept("canary-absk")
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "key").write_text("canary-absk\n")
        (folder / "key").chmod(0o600)
        entry = {
            "name": "bedrock", "kind": "openai-compatible", "api_base_url": authority.url + "/v1", "models": ["m"],
            "credentials": [{"name": "aws", "kind": "static", "secret": f"file:{folder}/key"}],
        }
        stack = self.enterContext(Stack(entry, ECHO))
        wait_for("an answer", 10, lambda: stack.post(CHAT.path, CHAT.request("m", stream=False)).status == 200)
        self.assertEqual(authority.authorizations[-1], "Bearer canary-absk")


if __name__ == "__main__":
    unittest.main()
