# SPDX-License-Identifier: Apache-2.0
"""The upstream gets the client's body byte for byte, except for the name of the model."""

import gzip
import random
import subprocess
import zlib

from dialects import CHAT, MESSAGES
from harness import Case, Stack, Upstream, provider
from wire import JSON_TYPE, Wire, request_bytes

# MODEL stands for the value that is replaced.
BODIES = {
    "model first": b'{"model":MODEL,"messages":[]}',
    "model last": b'{"messages":[],"model":MODEL}',
    "model alone": b'{"model":MODEL}',
    "odd spacing": b' \r\n\t{ "a" : [ 1 ,2 , 3 ]\t,\n "model"\r\n:\t MODEL , "b":{ } } \n',
    "escapes": b'{"m":"\\u00e9\\ud83d\\ude42\\/\\n\\"model\\":","model":MODEL,"z":"\\u0000 \\u2028"}',
    "UTF-8": '{"m":"äöü 世界 🙂","model":MODEL}'.encode(),
    "numbers": b'{"n":[18446744073709551615,-9223372036854775808,1e308,-0.0,0.1000000000000000055,1E+2],"model":MODEL}',
    "nested models": b'{"x":{"model":"other"},"model":MODEL,"y":[{"model":1}],"z":"\\"model\\":1"}',
    "unknown members": b'{"new_thing":{"deep":[null,true,{}]},"model":MODEL,"stream":false}',
    "other members twice": b'{"a":1,"model":MODEL,"a":2}',
    "escaped key": b'{"messages":[],"mo\\u0064el":MODEL}',
}


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


def in_chunks(data, size):
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    return b"".join(b"%X;ext=1\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\nX-Trailer: 1\r\n\r\n"


CHUNKED = ("Transfer-Encoding", "chunked")


class RequestBody(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        cls.stack = cls.enterClassContext(
            Stack(
                provider("up", cls.up.url + "/v1", ["upstream-name", "same"]),
                ModelAliases={"client": "up,upstream-name"},
            )
        )

    def check(self, sent, expected, headers=(), model="upstream-name"):
        count = len(self.up.seen(model))
        answer = self.stack.post(CHAT.path, sent, headers)
        self.assertEqual(answer.status, 200, answer.body[:300])
        requests = self.up.seen(model)
        self.assertEqual(len(requests), count + 1)
        if requests[-1].body != expected:
            self.assertEqual(requests[-1].body[:2000], expected[:2000])
            self.fail("the body differs")
        self.assertEqual(requests[-1].all("content-encoding"), [])
        return requests[-1]

    def test_only_the_model_changes(self):
        for name, body in BODIES.items():
            for spelling in (b'"client"', b'"up,upstream-name"', b'"cl\\u0069ent"'):
                with self.subTest(name, spelling=spelling):
                    expected = body.replace(b"MODEL", b'"upstream-name"')
                    self.check(body.replace(b"MODEL", spelling), expected)

    def test_nothing_changes_when_the_name_is_the_providers(self):
        for name, body in BODIES.items():
            with self.subTest(name):
                whole = body.replace(b"MODEL", b'"same"')
                self.check(whole, whole, model="same")

    def test_a_model_named_twice_is_refused(self):
        for body in (
            b'{"model":"client","model":"client"}',
            b'{"model":"client","x":{},"mod\\u0065l":"same"}',
            b'{"stream":true,"model":"client","stream":false}',
        ):
            with self.subTest(body):
                count = len(self.up.requests)
                answer = self.stack.post(CHAT.path, body)
                self.assertEqual(answer.status, 400)
                CHAT.error_message(answer)
                self.assertEqual(len(self.up.requests), count, "the upstream saw the request")

    def test_what_is_no_object_is_refused(self):
        for body in (
            b"[]",
            b'"x"',
            b"{",
            b"null",
            b"{}}",
            b'{"model":7}',
            b'{"model":"client"',
            b"\xff\xfe{}",
        ):
            with self.subTest(body):
                count = len(self.up.requests)
                answer = self.stack.post(MESSAGES.path, body)
                self.assertEqual(answer.status, 400)
                MESSAGES.error_message(answer)
                self.assertEqual(len(self.up.requests), count, "the upstream saw the request")

    def test_encoded_bodies(self):
        body = BODIES["UTF-8"].replace(b"MODEL", b'"client"')
        expected = BODIES["UTF-8"].replace(b"MODEL", b'"upstream-name"')
        for coding, encode in (
            ("gzip", gzip.compress),
            ("x-gzip", gzip.compress),
            ("zstd", zstd),
            ("deflate", zlib.compress),
        ):
            with self.subTest(coding):
                encoded = [("Content-Encoding", coding)]
                self.check(encode(body), expected, encoded)
                self.check(in_chunks(encode(body), 7), expected, [*encoded, CHUNKED])

    def test_a_body_that_is_not_what_its_encoding_says(self):
        body = BODIES["UTF-8"].replace(b"MODEL", b'"client"')
        for coding, data in (
            ("gzip", body),
            ("gzip", gzip.compress(body)[:-5]),
            ("zstd", zstd(body)[:-3]),
            ("gzip", gzip.compress(body) + b"junk"),
        ):
            answer = self.stack.post(CHAT.path, data, [("Content-Encoding", coding)])
            self.assertEqual(answer.status, 400, f"{coding}: {answer.body[:200]}")
        self.assertEqual(self.stack.post(CHAT.path, body, [("Content-Encoding", "br")]).status, 415)

    def test_chunked_bodies(self):
        body = BODIES["odd spacing"].replace(b"MODEL", b'"client"')
        expected = BODIES["odd spacing"].replace(b"MODEL", b'"upstream-name"')
        for size in (1, 3, 1000):
            self.check(in_chunks(body, size), expected, [CHUNKED])

    def test_large_bodies(self):
        """Above the size of a message between processes, and in the ways in which large bodies come."""
        text = random.Random(1).randbytes(1_600_000).hex().encode()
        body = b'{"messages":[{"role":"user","content":"%s"}], "model": MODEL}' % text
        sent, expected = body.replace(b"MODEL", b'"client"'), body.replace(b"MODEL", b'"upstream-name"')
        self.assertGreater(len(sent), 3_000_000)
        request = self.check(sent, expected)
        self.assertEqual(request.header("content-length"), str(len(expected)))
        self.assertEqual(request.all("expect"), [], "an Expect costs a round trip")
        self.check(in_chunks(sent, 50_000), expected, [CHUNKED])
        self.check(zstd(sent), expected, [("Content-Encoding", "zstd")])
        for size in (32_700, 32_768, 32_769, 65_536, 262_144):
            sent = b'{"model":"client","x":"%s"}' % (b"y" * size)
            self.check(sent, sent.replace(b"client", b"upstream-name", 1))

    def test_expect_100_continue(self):
        body = BODIES["model first"].replace(b"MODEL", b'"client"')
        head = request_bytes(
            "POST", CHAT.path, headers=[JSON_TYPE, ("Expect", "100-continue"), ("Content-Length", len(body))]
        )
        with Wire(self.stack.port) as wire:
            for _ in range(2):
                wire.send(head)
                self.assertEqual(wire.read_any_head().status, 100)
                wire.send(body)
                self.assertEqual(wire.read_answer().status, 200)
            refused = head.replace(b"/v1/chat", b"/v1/nothing")
            wire.send(refused)
            self.assertEqual(wire.read_any_head().status, 404, "a body that nobody wants was asked for")

    def test_body_bytes_alone(self):
        body = BODIES["escapes"].replace(b"MODEL", b'"client"')
        raw = request_bytes("POST", CHAT.path, body, [JSON_TYPE])
        raw += request_bytes("POST", CHAT.path, in_chunks(body, 5), [JSON_TYPE, CHUNKED])
        with Wire(self.stack.port) as wire:
            for i in range(len(raw)):
                wire.send(raw[i : i + 1])
            for _ in range(2):
                self.assertEqual(wire.read_answer().status, 200)
        expected = BODIES["escapes"].replace(b"MODEL", b'"upstream-name"')
        self.assertEqual([r.body for r in self.up.seen("upstream-name")[-2:]], [expected, expected])
