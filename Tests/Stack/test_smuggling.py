# SPDX-License-Identifier: Apache-2.0
"""Requests whose end two readers could see in different places: refused, and the connection is closed.

Source: RFC 9112 §6.1, §6.3, §7.1, §11.2.
"""

from dialects import CHAT
from harness import Case, Stack, Upstream, provider
from wire import NoAnswer, Wire

BODY = b'{"model":"m","messages":[]}'
HIDDEN = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 27\r\n\r\n" + BODY
LINE = b"POST /v1/chat/completions HTTP/1.1\r\n"
HOST = b"Host: 127.0.0.1\r\n"
TE = b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: 27\r\n"
CHUNKED_BODY = b"1b\r\n" + BODY + b"\r\n0\r\n\r\n"


def head(*lines, line=LINE, host=HOST):
    return line + host + b"".join(lines) + b"\r\n"


SHAPES = {
    "both lengths": head(LENGTH, TE) + CHUNKED_BODY,
    "both lengths, the other order": head(TE, LENGTH) + CHUNKED_BODY,
    "two equal lengths": head(LENGTH, LENGTH) + BODY,
    "two lengths": head(LENGTH, b"Content-Length: 0\r\n") + BODY,
    "two lengths in one field": head(b"Content-Length: 27, 27\r\n") + BODY,
    "a signed length": head(b"Content-Length: +27\r\n") + BODY,
    "a negative length": head(b"Content-Length: -1\r\n") + BODY,
    "a hexadecimal length": head(b"Content-Length: 0x1b\r\n") + BODY,
    "a length with a blank": head(b"Content-Length: 2 7\r\n") + BODY,
    "an empty length": head(b"Content-Length: \r\n") + BODY,
    "a length beyond 64 bits": head(b"Content-Length: 18446744073709551643\r\n") + BODY,
    "a length with a comma": head(b"Content-Length: 27,\r\n") + BODY,
    "chunked twice": head(b"Transfer-Encoding: chunked, chunked\r\n") + CHUNKED_BODY,
    "two transfer encodings": head(TE, TE) + CHUNKED_BODY,
    "chunked is not last": head(b"Transfer-Encoding: chunked, identity\r\n") + CHUNKED_BODY,
    "gzip as transfer encoding": head(b"Transfer-Encoding: gzip, chunked\r\n") + CHUNKED_BODY,
    "an unknown transfer encoding": head(b"Transfer-Encoding: xchunked\r\n") + CHUNKED_BODY,
    "quoted chunked": head(b'Transfer-Encoding: "chunked"\r\n') + CHUNKED_BODY,
    "chunked with a vertical tab": head(b"Transfer-Encoding: \x0bchunked\r\n") + CHUNKED_BODY,
    "chunked in HTTP/1.0": head(TE, line=LINE.replace(b"1.1", b"1.0")) + CHUNKED_BODY,
    "a blank before the colon": head(b"Content-Length : 27\r\n") + BODY,
    "a blank before the colon of the encoding": head(LENGTH, b"Transfer-Encoding : chunked\r\n") + BODY,
    "a folded line": head(b"X-A: 1\r\n Content-Length: 0\r\n", LENGTH) + BODY,
    "a folded encoding": head(b"Transfer-Encoding:\r\n chunked\r\n") + CHUNKED_BODY,
    "a blank before the first field": LINE + b" " + HOST + LENGTH + b"\r\n" + BODY,
    "a bare line feed in the head": head(LENGTH).replace(b"\r\n", b"\n") + BODY,
    "one bare line feed": head(b"X-A: 1\n", LENGTH) + BODY,
    "a bare carriage return": head(b"X-A: 1\rX-B: 2\r\n", LENGTH) + BODY,
    "a hidden field behind a bare carriage return": head(b"X-A: 1\rTransfer-Encoding: chunked\r\n", LENGTH)
    + BODY,
    "NUL in a value": head(b"X-A: 1\x002\r\n", LENGTH) + BODY,
    "NUL in a name": head(b"X\x00A: 1\r\n", LENGTH) + BODY,
    "no colon": head(b"X-A\r\n", LENGTH) + BODY,
    "an empty name": head(b": 1\r\n", LENGTH) + BODY,
    "a name with a blank": head(b"X A: 1\r\n", LENGTH) + BODY,
    "no host": head(LENGTH, host=b"") + BODY,
    "two hosts": head(b"Host: 127.0.0.2\r\n", LENGTH) + BODY,
    "a host with a path": head(LENGTH, host=b"Host: 127.0.0.1/y\r\n") + BODY,
    "HTTP/2.0": head(LENGTH, line=LINE.replace(b"1.1", b"2.0")) + BODY,
    "HTTP/1.2": head(LENGTH, line=LINE.replace(b"1.1", b"1.2")) + BODY,
    "HTTP/0.9": b"GET /\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "lower-case http": head(LENGTH, line=LINE.replace(b"HTTP", b"http")) + BODY,
    "two blanks in the request line": head(LENGTH, line=LINE.replace(b" /", b"  /")) + BODY,
    "a tab in the request line": head(LENGTH, line=LINE.replace(b" /", b"\t/")) + BODY,
    "a blank in the target": head(LENGTH, line=LINE.replace(b"/v1", b"/v 1")) + BODY,
    "a control character in the target": head(LENGTH, line=LINE.replace(b"/v1", b"/\x01v1")) + BODY,
    "a target without a slash": head(LENGTH, line=LINE.replace(b"/v1/chat", b"v1/chat")) + BODY,
    "an unknown method": head(LENGTH, line=LINE.replace(b"POST", b"SMUGGLE")) + BODY,
    "CONNECT": b"CONNECT up:443 HTTP/1.1\r\nHost: up:443\r\n\r\n",
    "a TLS handshake": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "a chunk size with a sign": head(TE) + b"+1b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk size with 0x": head(TE) + b"0x1b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk size with a blank": head(TE) + b" 1b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "an empty chunk size": head(TE) + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": head(TE) + b"1000000000000001b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk size that ends in a line feed": head(TE) + b"1b\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk that is longer than its size": head(TE) + b"1a\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk without its end": head(TE) + b"1b\r\n" + BODY + b"0\r\n\r\n",
    "a chunk that ends in a line feed": head(TE) + b"1b\r\n" + BODY + b"\n0\r\n\r\n",
    "a bare line feed in an extension": head(TE) + b"1b;a\nb\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a last chunk that ends in a line feed": head(TE) + b"1b\r\n" + BODY + b"\r\n0\n\n",
    "a folded trailer": head(TE) + CHUNKED_BODY[:-2] + b"X: 1\r\n 2\r\n\r\n",
}


class Smuggling(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        cls.stack = cls.enterClassContext(Stack(provider("up", cls.up.url + "/v1", ["m"])))

    def test_the_plain_forms_are_served(self):
        for raw in (head(LENGTH) + BODY, head(TE) + CHUNKED_BODY):
            with Wire(self.stack.port) as wire:
                wire.send(raw)
                self.assertEqual(wire.read_answer().status, 200)

    def test_each_shape_is_refused_and_the_connection_closed(self):
        self.assertEqual(len(BODY), 27)
        for name, raw in SHAPES.items():
            for hidden in (b"", HIDDEN):
                with self.subTest(name, hidden=bool(hidden)):
                    count = len(self.up.requests)
                    with Wire(self.stack.port, timeout=5) as wire:
                        wire.send(raw + hidden)
                        answer = wire.read_answer()
                        self.assertIn(answer.status, range(400, 500), answer.body)
                        if answer.status == 400:
                            CHAT.error_message(answer)
                        self.assertEqual(answer.header("connection"), "close")
                        self.assertEqual(wire.wait_end(), b"", "something follows the refusal")
                    self.assertEqual(len(self.up.requests), count, "the upstream saw a request")

    def test_every_byte_alone(self):
        for name, raw in SHAPES.items():
            with self.subTest(name):
                count = len(self.up.requests)
                with Wire(self.stack.port, timeout=5) as wire:
                    try:
                        for i in range(len(raw)):
                            wire.send(raw[i : i + 1])
                    except ConnectionError:
                        pass
                    try:
                        self.assertIn(wire.read_answer().status, range(400, 500))
                    except NoAnswer:
                        # Bytes behind the refusal reset the connection.
                        pass
                self.assertEqual(len(self.up.requests), count, "the upstream saw a request")
