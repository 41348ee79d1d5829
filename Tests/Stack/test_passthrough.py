# SPDX-License-Identifier: Apache-2.0
"""The bytes of an answer reach the client as the upstream sent them, however they are framed and split."""

import gzip
import hashlib

from dialects import CHAT, DIALECTS
from harness import Case, Stack, Upstream, provider
from scripted import EVENT_STREAM, JSON, Script, whole
from wire import post


def joined(dialect, count=5):
    return b"".join(dialect.events(count))


def crlf(data):
    return data.replace(b"\n", b"\r\n")


def cr(data):
    return data.replace(b"\n", b"\r")


def tight(data):
    """No space behind the colons of fields."""
    return data.replace(b"data: ", b"data:").replace(b"event: ", b"event:")


def commented(data):
    """Comments, ids, unknown fields and empty lines between the events."""
    return data.replace(b"\n\n", b"\n\n\n: comment\n\nid: 7\nretry: 100\nodd\nodd: field\n\n")


def folded(data):
    """The JSON of an event in several data lines, which readers join with a line feed."""
    return data.replace(b'data: {"', b'data: {\ndata: "').replace(b'data:{"', b'data:{\ndata:"')


def mixed(data):
    return b"\xef\xbb\xbf" + data.replace(b"\n\n", b"\r\n\n", 2)


FORMS = {f.__name__: f for f in (crlf, cr, tight, commented, folded, mixed)}


class PassThrough(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        # Waits are another test's subject.
        cls.stack = cls.enterClassContext(
            Stack(provider("up", cls.up.url + "/v1", ["m"]), RATE_LIMIT_MAX_TOTAL_WAIT_MS=1)
        )

    def check(self, dialect, script, body=None, model="m"):
        """The answer through the stack is the direct one."""
        self.up.scripts[model] = script
        body = body or dialect.request("m")
        direct = post(self.up.port, dialect.path, body)
        through = post(self.stack.port, dialect.path, body)
        self.assertEqual(through.status, direct.status, through.body[:300])
        self.assertEqual(through.header("content-type"), direct.header("content-type"))
        if through.body != direct.body:
            self.assertEqual(through.body, direct.body)
        self.assertEqual(hashlib.sha256(through.body).digest(), hashlib.sha256(direct.body).digest())
        self.assertEqual(through.ending, "complete")
        return through

    def each_dialect(self, make):
        for d in DIALECTS:
            with self.subTest(d.name):
                make(d)

    def test_streams_in_chunks(self):
        self.each_dialect(lambda d: self.check(d, Script(d.events(50))))

    def test_streams_in_one_piece(self):
        self.each_dialect(lambda d: self.check(d, Script([joined(d)])))

    def test_streams_with_a_length(self):
        self.each_dialect(lambda d: self.check(d, Script(d.events(5), framing="length")))

    def test_streams_until_the_connection_ends(self):
        self.each_dialect(lambda d: self.check(d, Script(d.events(5), framing="close")))

    def test_streams_of_single_bytes(self):
        self.each_dialect(lambda d: self.check(d, Script(d.events(3), alone=True)))
        self.each_dialect(lambda d: self.check(d, Script(d.events(3), framing="length", alone=True)))

    def test_streams_with_every_byte_in_a_chunk_of_its_own(self):
        def single(d):
            self.check(d, Script([bytes([b]) for b in joined(d, 2)]))

        self.each_dialect(single)

    def test_streams_in_odd_forms(self):
        for name, form in FORMS.items():
            for d in DIALECTS:
                with self.subTest(name, dialect=d.name):
                    self.check(d, Script([form(joined(d, 3))]))
                    self.check(d, Script([form(joined(d, 2))], framing="length", alone=True))

    def test_whole_answers(self):
        def both(d):
            body = d.request("m", stream=False)
            self.check(d, whole(d.whole()), body)
            self.check(d, Script([d.whole()], headers=[JSON]), body)
            self.check(d, Script([d.whole()], headers=[JSON], framing="close"), body)

        self.each_dialect(both)

    def test_whole_answers_of_single_bytes(self):
        self.each_dialect(lambda d: self.check(d, whole(d.whole(), alone=True), d.request("m", stream=False)))

    def test_a_large_answer(self):
        big = CHAT.whole()[:-1] + b',"pad":"' + b"0123456789abcdef" * 200_000 + b'"}'
        self.check(CHAT, whole(big), CHAT.request("m", stream=False))
        self.check(CHAT, Script([big], headers=[JSON]), CHAT.request("m", stream=False))

    def test_compressed_answers(self):
        """The client's Accept-Encoding is not passed on, but an upstream may compress all the same."""
        encoded = [JSON, ("Content-Encoding", "gzip")]
        body = CHAT.request("m", stream=False)
        through = self.check(CHAT, whole(gzip.compress(CHAT.whole(), mtime=0), headers=encoded), body)
        self.assertEqual(through.header("content-encoding"), "gzip")
        stream = Script([gzip.compress(joined(CHAT), mtime=0)], headers=[EVENT_STREAM, encoded[1]])
        self.check(CHAT, stream)

    def test_errors_of_the_upstream(self):
        for status in (400, 401, 403, 404, 413, 422, 429, 500, 503, 529):
            for d in DIALECTS:
                # Each has a model of its own: one that fails often is passed over.
                model = f"m{status}{d.name}"
                with self.subTest(status, dialect=d.name):
                    error = b'{ "error": {"message":"no \\u00fc", "type":"x","new":[1, 2]} }'
                    script = whole(error, status)
                    self.up.scripts[model] = script
                    self.check(d, script, d.request(f"up,{model}"), f"up,{model}")

    def test_other_endpoints(self):
        for path in (
            "/v1/completions",
            "/v1/embeddings",
            "/v1/images/generations",
            "/v1/messages/count_tokens",
            "/v1/responses/compact",
        ):
            with self.subTest(path):
                self.up.scripts["m"] = whole(b'{ "object":"list","data" : [0.10, 1e5] }')
                direct = post(self.up.port, path, {"model": "m", "input": "x"})
                through = post(self.stack.port, path, {"model": "m", "input": "x"})
                self.assertEqual((through.status, through.body), (200, direct.body))
                self.assertEqual(self.up.seen("m")[-1].target, path)
