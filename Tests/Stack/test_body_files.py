# SPDX-License-Identifier: Apache-2.0
"""Large request bodies travel in files that are used again: no upstream ever sees a byte of another request's body.

Every request has a number and a content of its own, and every upstream writes down what it has got of it.
"""

import collections
import contextlib
import dataclasses
import functools
import gzip
import hashlib
import itertools
import os
import pathlib
import random
import signal
import socket
import struct
import threading

from dialects import CHAT
from harness import Case, Stack, Upstream, body_files, free_port, provider, resident, wait_for
from parallel import Background
from scripted import JSON, Script, whole
from test_hedging import ENOUGH
from test_request_body import CHUNKED, in_chunks
from ways import Nginx, TLSEnd, authority
from wire import Wire, post_bytes

KILOBYTE, MEGABYTE = 1 << 10, 1 << 20
# Around the largest body inside a message, front's receive buffer, the first size of a file, and a body whose file is
# not kept.
SIZES = (
    32 * KILOBYTE - 1, 32 * KILOBYTE, 32 * KILOBYTE + 1, 64 * KILOBYTE - 1, 64 * KILOBYTE + 1, 256 * KILOBYTE - 1,
    256 * KILOBYTE, 256 * KILOBYTE + 1, MEGABYTE, 2_000_000, 8 * MEGABYTE + 1,
)
UP_AND_DOWN = (*SIZES, *reversed(SIZES), *SIZES)
# No buffer on the way takes all of it, and its file is kept.
ENDLESS = 8_000_000
SOME = (40_000, 300_000, 3_000_000)
FAILED = whole(b"{}", 500, [JSON, ("x-should-retry", "false"), ("Connection", "close")])
numbers = itertools.count(1)


def fingerprint(data):
    return len(data), hashlib.sha256(data).hexdigest()


@dataclasses.dataclass
class Sent:
    """A request body of this many bytes; `model` is what the client names, behind this share of the text."""

    model: str
    size: int
    stream: bool = False
    behind: float = 1 / 3
    number: int = dataclasses.field(default_factory=lambda: next(numbers))

    @functools.cached_property
    def bytes(self):
        head = b'{"stream":%s,"messages":[{"role":"user","content":"' % (b"true" if self.stream else b"false")
        named = b'"}],"model":"%s","user":"' % self.model.encode()
        room = self.size - len(head) - len(named) - 2
        text = random.Random(self.number).randbytes(room // 2 + 1).hex().encode()
        place = int(room * self.behind)
        return b"".join((head, text[:place], named, text[place:room], b'"}'))

    @functools.cached_property
    def expected(self):
        """What the provider gets: its own name for the model."""
        return self.bytes.replace(self.model.encode(), self.model.rpartition(",")[2].encode(), 1)

    def to(self, model):
        """What a provider gets that calls the model by this name."""
        return self.bytes.replace(self.model.encode(), model.encode(), 1)

    def request(self, body=None, headers=()):
        return post_bytes(CHAT.path, body or self.bytes, [("X-Number", self.number), *headers])


class Incoming:
    """A body on its way in: how much of it has come, and what that was."""

    def __init__(self, file, size):
        self.file, self.size = file, size
        self.count, self.digest, self.start = 0, hashlib.sha256(), b""

    def read(self, share=1):
        """Read on until this share of it is there."""
        end = int(self.size * share)
        while self.count < end:
            data = self.file.read1(min(64 * KILOBYTE, end - self.count))
            if not data:
                raise ConnectionError("the body is cut off")
            self.start = self.start or data[:100]
            self.digest.update(data)
            self.count += len(data)

    @property
    def fingerprint(self):
        return self.count, self.digest.hexdigest()


class Recorder(Upstream):
    """An upstream that keeps no body, but writes down what it has got of each.

    `acts`: number of a request -> what is done with its connection and the body that comes; the rest is read behind it
    and answered well.
    """

    def __init__(self):
        super().__init__()
        self.acts = {}
        self.got = collections.defaultdict(list)

    def __enter__(self):
        super().__enter__()
        # Connections inherit it: what is not read stays at the worker.
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KILOBYTE)
        return self

    def read_body(self, connection, file, fields):
        number = int(fields.get("x-number", 0))
        incoming = Incoming(file, int(fields.get("content-length", 0)))
        try:
            if act := self.acts.get(number):
                act(connection, incoming)
            incoming.read()
        finally:
            with self.lock:
                self.got[number].append(incoming.fingerprint)
        # Enough to see whether a stream is wanted.
        return incoming.start

    def has_got(self, sent):
        with self.lock:
            return list(self.got[sent.number])


class Gate:
    """An act that does `before`, waits until the test opens the gate, and then does `after`."""

    def __init__(self, before=None, after=None):
        self.before, self.after = before, after
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, connection, incoming):
        if self.before:
            self.before(connection, incoming)
        self.reached.set()
        if not self.opened.wait(60):
            raise ConnectionError("nobody has opened the gate")
        if self.after:
            self.after(connection, incoming)


class Slow(Gate):
    """An act that reads in three steps: a part, another one when the test lets it `go_on`, the rest when it opens."""

    def __init__(self):
        self.begun = Gate(lambda _, incoming: incoming.read(0.1), lambda _, incoming: incoming.read(0.3))
        super().__init__(before=self.begun)

    def go_on(self):
        self.begun.opened.set()
        if not self.reached.wait(20):
            raise AssertionError("not read any further")


def begins_stream(connection, _):
    """The answer begins before the body has been read."""
    for step in list(Script([*CHAT.opening(), CHAT.delta("@0@")]).steps())[:-1]:
        connection.sendall(step)


def ends_stream(connection, incoming):
    """Read the body, then end the answer and the connection."""
    incoming.read()
    events = [CHAT.delta(f"@{i}@") for i in range(1, 10)] + CHAT.closing()
    connection.sendall(b"".join(list(Script(events).steps())[1:]))
    raise ConnectionError("answered")


def fails(share, how):
    """An act that reads this share of the body, then fails."""

    def act(connection, incoming):
        incoming.read(share)
        if how == "status":
            connection.sendall(FAILED.head() + FAILED.pieces[0])
        elif how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionError(how)

    return act


def lent(stack):
    """The files for bodies that front has."""
    return body_files(stack.child("front"))


def seen(stack, worker):
    """The files for bodies that a worker looks into, by inode. It keeps none of them open."""
    pid = stack.child(worker)
    if body_files(pid):
        raise AssertionError("a worker has kept the descriptor of a body")
    lines = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {int(line.split()[4]) for line in lines if "ccr-body" in line}


class Bodies(Case):
    """Two providers. Whatever the first one does not answer goes to the second, under the name "fallback"."""

    @classmethod
    def open_all(cls):
        cls.first, cls.second = (cls.enterClassContext(Recorder()) for _ in range(2))
        urls = [cls.enterClassContext(cls.way_to(up)) for up in (cls.first, cls.second)]
        cls.stack = cls.enterClassContext(
            Stack(
                provider("first", urls[0] + "/v1", ["same"]),
                provider("second", urls[1] + "/v1", ["fallback"]),
                provider("nowhere", f"http://127.0.0.1:{free_port()}/v1", ["m"]),
                crashes=True,
                environment={"SSL_CERT_FILE": authority().path},
                Router={"tiers": ["second,fallback"]},
            )
        )

    @classmethod
    @contextlib.contextmanager
    def way_to(cls, up):
        yield up.url

    def connect(self):
        return self.enterContext(Wire(self.stack.port, timeout=60))

    def read(self, wire, sent):
        answer = wire.read_answer()
        self.assertEqual((answer.status, answer.ending), (200, "complete"), answer.body[:300])
        if sent.stream:
            CHAT.assert_complete(answer, 10)

    def ask(self, wire, sent, body=None, headers=()):
        wire.send(sent.request(body, headers))
        self.read(wire, sent)

    def assert_got(self, up, sent, expected=None):
        """The upstream has got this once."""
        got = wait_for(f"all of request {sent.number}", 20, up.has_got, sent)
        if expected is None:
            expected = sent.expected
        self.assertEqual(got, [fingerprint(expected)], f"{sent.size} bytes for {sent.model}")

    def assert_got_a_part(self, up, sent, expected=None):
        """The upstream has got the beginning of this, however often it was asked."""
        if expected is None:
            expected = sent.expected
        for got in wait_for(f"some of request {sent.number}", 20, up.has_got, sent):
            self.assertEqual(got, fingerprint(expected[: got[0]]), f"{got[0]} of {sent.size} bytes")

    def exact(self, wire, model, sizes, up, stream=False):
        """Requests one after the other, each of which the upstream gets as it is."""
        for size in sizes:
            sent = Sent(model, size, stream)
            self.ask(wire, sent)
            self.assert_got(up, sent)

    def ask_with(self, act, model, size, up, stream=False):
        """Send a request on a connection of its own on which the upstream acts like this."""
        sent = Sent(model, size, stream)
        up.acts[sent.number] = act
        wire = self.connect()
        wire.send(sent.request())
        return wire, sent

    def overtake(self, slow, worker, give_up, wire, model, up):
        """Give a request up that a worker sends slowly, and hand it another one before it can hear of that.

        The worker finds room for more of the first body at the same time.
        """
        self.assertTrue(slow.begun.reached.wait(20), "it is not asked")
        pid = self.stack.child(worker)
        handed_over = lambda: self.stack.metric("ccr_front_handoffs_total")
        os.kill(pid, signal.SIGSTOP)
        try:
            slow.go_on()
            give_up()
            count, sent = handed_over(), Sent(model, ENDLESS)
            wire.send(sent.request())
            wait_for("another one is handed over", 10, lambda: handed_over() > count)
        finally:
            os.kill(pid, signal.SIGCONT)
        slow.opened.set()
        self.read(wire, sent)
        self.assert_got(up, sent)

    def rest(self):
        """Wait until neither front nor the first provider's worker has a file."""
        wait_for("front gives up its files", 10, lambda: not lent(self.stack))
        wait_for("the worker lets go of them", 10, lambda: not seen(self.stack, "worker first"))

    def hold(self, model, up):
        """A small stream that goes on until the end of the test: nothing is given up while it runs."""
        gate = Gate(before=begins_stream)
        wire, sent = self.ask_with(gate, model, 1_000, up, stream=True)
        self.addCleanup(gate.opened.set)
        wire.read_head()
        wire.read_until(b"@0@")


class Sizes:
    """What holds on every way to an upstream."""

    def test_bodies_that_grow_and_shrink_on_one_connection(self):
        for model in ("same", "first,same", "first,named-by-the-client"):
            with self.subTest(model):
                self.exact(self.connect(), model, UP_AND_DOWN, self.first)

    def test_two_providers_in_turn_on_one_connection(self):
        wire = self.connect()
        for size in UP_AND_DOWN:
            for model, up in (("same", self.first), ("second,other", self.second)):
                self.exact(wire, model, [size], up)
        for sizes in (SIZES, tuple(reversed(SIZES))):
            for up, model in ((self.first, "first,m"), (self.second, "fallback")):
                self.exact(wire, model, sizes, up)


class EarlyStreams:
    """What holds where a body that is not read waits at the worker."""

    def test_a_stream_that_begins_before_its_body_is_read(self):
        for name, before in (("by a new connection", ()), ("by one that has been there", SOME)):
            with self.subTest(name):
                gate = Gate(begins_stream, ends_stream)
                slow = Sent("first,slow", ENDLESS, stream=True)
                self.first.acts[slow.number] = gate
                wire = self.connect()
                self.exact(wire, "first,m", before, self.first)
                wire.send(slow.request())
                wire.read_head()
                wire.read_until(b"@0@")
                # Its file may be larger than theirs, and smaller.
                for number in range(3):
                    other = self.connect()
                    self.exact(other, "first,m", (100_000, ENDLESS, 8 * MEGABYTE + 1, ENDLESS), self.first, number == 1)
                self.assertEqual(self.first.has_got(slow), [], "it has been read")
                gate.opened.set()
                CHAT.assert_complete(wire.read_body(), 10)
                self.assert_got(self.first, slow)
                self.exact(self.connect(), "first,m", SOME, self.first)

    def test_streams_that_begin_before_their_bodies_are_read_beside_each_other(self):
        slow = []
        for number in range(10):
            gate = Gate(begins_stream, ends_stream)
            wire, sent = self.ask_with(gate, "first,slow", ENDLESS - number * 100_000, self.first, stream=True)
            wire.read_head()
            wire.read_until(b"@0@")
            slow.append((gate, wire, sent))
            self.exact(self.connect(), "first,m", (ENDLESS, 50_000), self.first)
        for gate, wire, sent in reversed(slow):
            gate.opened.set()
            CHAT.assert_complete(wire.read_body(), 10)
            self.assert_got(self.first, sent)


class Plain(Sizes, EarlyStreams, Bodies):
    def test_streams_use_one_file_again(self):
        self.rest()
        self.hold("first,held", self.first)
        wire = self.connect()
        self.exact(wire, "first,m", [2_000_000], self.first)
        kept = lent(self.stack)
        self.assertEqual(len(kept), 1)
        for size in (2_000_000, 100_000, 1_900_000) * 10:
            self.exact(wire, "first,m", [size], self.first, stream=True)
            self.assertEqual((lent(self.stack), seen(self.stack, "worker first")), (kept, kept))

    def test_the_file_of_a_stream_that_is_sent_slowly_is_not_used_again(self):
        self.hold("first,held", self.first)
        gate = Gate(begins_stream, ends_stream)
        wire, sent = self.ask_with(gate, "first,slow", ENDLESS, self.first, stream=True)
        wire.read_head()
        wire.read_until(b"@0@")
        own = seen(self.stack, "worker first")
        wait_for("front gives it up", 10, lambda: own - lent(self.stack))
        gate.opened.set()
        CHAT.assert_complete(wire.read_body(), 10)
        self.assert_got(self.first, sent)

    def test_no_worker_sees_files_of_another_provider(self):
        self.hold("first,held", self.first)
        self.hold("second,held", self.second)
        wire = self.connect()
        for _ in range(3):
            for size in SOME:
                self.exact(wire, "first,m", [size], self.first)
                self.exact(wire, "second,m", [size], self.second)
                failed = Sent("first,m", size)
                self.first.acts[failed.number] = fails(1, "status")
                self.ask(wire, failed)
                self.assert_got(self.first, failed)
                self.assert_got(self.second, failed, failed.to("fallback"))
        first, second = seen(self.stack, "worker first"), seen(self.stack, "worker second")
        self.assertTrue(first and second, "nothing to see")
        self.assertEqual(first & second, set())

    def test_what_one_provider_has_failed_at_reaches_the_next_one_whole(self):
        models = itertools.count()
        for how in ("status", "close", "reset"):
            for share in (0, 0.5, 1):
                with self.subTest(how, read=share):
                    wire = self.connect()
                    for size in SOME:
                        for stream in (False, True):
                            # It is received for the first one: the connection was handed to it before.
                            self.exact(wire, "first,m", [size], self.first)
                            # A model that fails often is passed over, which is another test's subject.
                            failed = Sent(f"first,fails{next(models)}", size, stream)
                            self.first.acts[failed.number] = fails(share, how)
                            self.ask(wire, failed)
                            self.assert_got_a_part(self.first, failed)
                            self.assert_got(self.second, failed, failed.to("fallback"))
                            # And this one for the second one, who answered.
                            self.exact(wire, "first,m", [size + 1], self.first)
                            self.exact(wire, "fallback", [size - 1], self.second)

    def test_what_nobody_takes_reaches_the_next_provider_whole(self):
        wire = self.connect()
        for number, size in enumerate(SOME):
            sent = Sent(f"nowhere,m{number}", size)
            self.ask(wire, sent)
            self.assert_got(self.second, sent, sent.to("fallback"))
            self.exact(wire, "first,m", [size], self.first)

    def test_a_client_that_leaves_inside_of_its_body(self):
        for share in (0.01, 0.5, 0.99):
            for size in SOME:
                with self.subTest(size, share=share):
                    leaver = self.connect()
                    self.exact(leaver, "first,m", [size], self.first)
                    sent = Sent("first,m", size)
                    data = sent.request()
                    leaver.send(data[: int(len(data) * share)])
                    leaver.abort()
                    self.exact(self.connect(), "first,m", [size // 2, size, size * 2], self.first)
                    self.assertEqual(self.first.has_got(sent), [], "it was asked for a part of a request")

    def test_a_client_that_leaves_while_its_body_is_being_read(self):
        for stream in (False, True):
            for share in (0, 0.3):
                with self.subTest(stream=stream, read=share):
                    gate = Gate(before=lambda _, incoming, s=share: incoming.read(s))
                    leaver, sent = self.ask_with(gate, "first,left", ENDLESS, self.first, stream)
                    self.assertTrue(gate.reached.wait(20))
                    start = len(self.stack.log_text())
                    leaver.abort()
                    self.stack.wait_for_log("CCR_OUTCOME=aborted", 10, start)
                    self.exact(self.connect(), "first,m", (ENDLESS, 100_000, 300_000), self.first)
                    gate.opened.set()
                    self.assert_got_a_part(self.first, sent)

    def test_a_client_that_leaves_without_its_worker_knowing_yet(self):
        for stream in (False, True):
            with self.subTest(stream=stream):
                self.rest()
                wire = self.connect()
                self.exact(wire, "first,m", [100_000], self.first)
                slow = Slow()
                leaver, sent = self.ask_with(slow, "first,left", ENDLESS, self.first, stream)

                def give_up(leaver=leaver):
                    leaver.abort()
                    # Front hears of this client before the next one is answered.
                    self.assertEqual(self.stack.get("/health").status, 200)

                self.overtake(slow, "worker first", give_up, wire, "first,m", self.first)
                self.assert_got_a_part(self.first, sent)

    def test_a_worker_that_is_killed_while_it_sends(self):
        for stream in (False, True):
            with self.subTest(stream=stream):
                gate = Gate(before=lambda _, incoming: incoming.read(0.3))
                wire, sent = self.ask_with(gate, "first,killed", ENDLESS, self.first, stream)
                self.assertTrue(gate.reached.wait(20))
                old = self.stack.kill_child("worker first")
                gate.opened.set()
                self.read(wire, sent)
                self.assert_got_a_part(self.first, sent)
                self.stack.wait_replaced("worker first", old, 10)
                self.stack.wait_until_healthy()
                self.exact(wire, "first,m", SOME, self.first)
                self.exact(self.connect(), "first,m", UP_AND_DOWN, self.first)

    def test_bodies_in_chunks_and_encoded_ones_on_a_connection_with_a_provider(self):
        zipped = ("Content-Encoding", "gzip")
        forms = (
            (lambda data: in_chunks(data, 1_000_003), [CHUNKED]),
            (lambda data: in_chunks(data, 90_000), [CHUNKED]),
            (lambda data: gzip.compress(data, 1), [zipped]),
            (lambda data: in_chunks(gzip.compress(data, 1), 70_000), [zipped, CHUNKED]),
            (lambda data: data, []),
        )
        wire = self.connect()
        for size in (*SIZES, *reversed(SIZES)):
            for form, headers in forms:
                for model, up in (("first,m", self.first), ("fallback", self.second)):
                    sent = Sent(model, size)
                    self.ask(wire, sent, form(sent.bytes), headers)
                    self.assert_got(up, sent)

    def test_requests_that_follow_each_other_without_a_pause(self):
        wire = self.connect()
        requests = [Sent(model, size) for size in SIZES for model in ("first,m", "fallback", "first,m")]
        data = [
            sent.request(in_chunks(sent.bytes, 90_000), [CHUNKED]) if number % 4 == 0 else sent.request()
            for number, sent in enumerate(requests)
        ]
        sender = Background(wire.send, b"".join(data))
        for sent in requests:
            self.read(wire, sent)
            self.assert_got(self.second if sent.model == "fallback" else self.first, sent)
        sender.result()

    CLIENTS, REQUESTS = 8, 30

    def client(self, number, own):
        r = random.Random(number)
        with Wire(self.stack.port, timeout=60) as wire:
            for number in own:
                model, up = r.choice((("first,m", self.first), ("fallback", self.second), ("same", self.first)))
                sent = Sent(model, int(2 ** r.uniform(14, 21.5)), r.random() < 0.5, number=number)
                self.ask(wire, sent)
                self.assert_got(up, sent)

    def test_many_clients_at_once(self):
        clients = [
            Background(self.client, number, [next(numbers) for _ in range(self.REQUESTS)])
            for number in range(self.CLIENTS)
        ]
        for client in clients:
            client.result(120)


class OverTLS(Sizes, EarlyStreams, Bodies):
    """libcurl sends, and takes the bytes out of the file when it encrypts them."""

    @classmethod
    @contextlib.contextmanager
    def way_to(cls, up):
        with TLSEnd(up.port, authority().issue()) as end:
            end.server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KILOBYTE)
            yield f"https://127.0.0.1:{end.port}"


class OverHTTP2(Sizes, Bodies):
    """nginx does not take the rest of a body that its upstream has left waiting, so there are no early streams."""

    @classmethod
    @contextlib.contextmanager
    def way_to(cls, up):
        with Nginx(up.port, authority().issue()) as end:
            yield f"https://127.0.0.1:{end.port}"


class Copies(Bodies):
    """Every request of a client's goes to the first provider's model "main", and a copy of it somewhere else."""

    @classmethod
    def open_all(cls):
        cls.first, cls.second = (cls.enterClassContext(Recorder()) for _ in range(2))

    def start(self, target):
        self.stack = self.enterContext(
            Stack(
                provider("first", self.first.url + "/v1", ["main", "copy"]),
                provider("second", self.second.url + "/v1", ["copy"]),
                Router={"default": {"route": "first,main", "shadow": {"target": target, "percent": 100}}},
            )
        )

    def copied(self, act=None, sizes=SOME):
        """Requests of which the second provider gets a copy, which is read like this."""
        wire = self.connect()
        requests = [Sent("unlisted", size, stream) for size in sizes for stream in (False, True)]
        for sent in requests:
            if act:
                self.second.acts[sent.number] = act
            self.ask(wire, sent)
            self.assert_got(self.first, sent, sent.to("main"))
        return requests

    def test_a_copy_for_another_provider(self):
        self.start("second,copy")
        for sent in self.copied(sizes=SIZES[:-1]):
            self.assert_got(self.second, sent, sent.to("copy"))

    def test_a_copy_that_is_read_after_later_requests(self):
        self.start("second,copy")
        gate = Gate()
        requests = self.copied(gate, (ENDLESS, 40_000, 3_000_000))
        gate.opened.set()
        for sent in requests:
            self.assert_got(self.second, sent, sent.to("copy"))

    def test_a_copy_for_the_same_provider_that_is_read_after_later_requests(self):
        self.start("first,copy")
        wire = self.connect()
        gates = []
        for size in (ENDLESS, 40_000, 3_000_000):
            for stream in (False, True):
                sent = Sent("unlisted", size, stream, behind=0)
                gate = Gate()
                self.first.acts[sent.number] = functools.partial(self.wait_with_the_copy, gate)
                self.ask(wire, sent)
                self.assertTrue(gate.reached.wait(20), "no copy")
                gates.append((gate, sent))
        for gate, sent in gates:
            gate.opened.set()
            wait_for("both", 20, lambda s=sent: len(self.first.has_got(s)) == 2)
            expected = {fingerprint(sent.to("main")), fingerprint(sent.to("copy"))}
            self.assertEqual(set(self.first.has_got(sent)), expected)

    def test_a_copy_that_is_given_up_is_still_its_own(self):
        """Its worker goes on sending it until it hears that its front is about to end."""
        self.start("second,copy")
        self.hold("first,held", self.first)
        wire = self.connect()
        self.exact(wire, "second,m", [100_000], self.second)
        sent = Sent("unlisted", ENDLESS)
        slow = self.second.acts[sent.number] = Slow()
        self.ask(self.connect(), sent)

        def give_up():
            self.stack.reload(Presets={"p": {"route": "first,main"}})
            aborted = lambda: self.stack.metric("ccr_shadow_requests_total", outcome="aborted")
            wait_for("front gives the copy up", 10, aborted)

        self.overtake(slow, "worker second", give_up, wire, "second,m", self.second)
        self.assert_got_a_part(self.second, sent, sent.to("copy"))

    def wait_with_the_copy(self, gate, connection, incoming):
        incoming.read(0.01)
        if b'"copy"' in incoming.start:
            gate(connection, incoming)


class Hedged(Bodies):
    """Two providers, of which the first one is late; what is usual there is known."""

    @classmethod
    def open_all(cls):
        cls.first, cls.second = (cls.enterClassContext(Recorder()) for _ in range(2))
        cls.stack = cls.enterClassContext(
            Stack(
                *(provider(name, up.url + "/v1", ["m"]) for name, up in (("first", cls.first), ("second", cls.second))),
                Router={"default": "first,m", "tiers": ["second,fallback"], "hedge": True},
            )
        )
        for _ in range(ENOUGH):
            assert cls.stack.post(CHAT.path, CHAT.request("first,m")).header("x-ccr-tier") == "first"
        wait_for("front knows", 5, lambda: cls.stack.metric("ccr_requests_total", tier="first") == ENOUGH)

    def test_the_late_one_reads_on_after_the_other_has_answered(self):
        for share in (0, 0.3):
            for size in (*SOME, ENDLESS):
                with self.subTest(size, read=share):
                    wire = self.connect()
                    self.exact(wire, "second,m", [size], self.second)
                    late = Sent("first,m", size, stream=True)
                    gate = Gate(before=lambda _, incoming, s=share: incoming.read(s))
                    self.first.acts[late.number] = gate
                    self.ask(wire, late)
                    self.assert_got(self.second, late, late.to("fallback"))
                    # Memory of either one may be in use again.
                    self.exact(wire, "second,m", [size], self.second)
                    self.exact(self.connect(), "second,m", (size, 50_000, ENDLESS), self.second)
                    gate.opened.set()
                    self.assert_got_a_part(self.first, late)
                    self.exact(wire, "first,m", [size], self.first)

    def test_the_late_one_is_not_told_yet_that_the_other_has_answered(self):
        wire, other = self.connect(), self.connect()
        self.exact(other, "first,m", [100_000], self.first)
        slow, answers = Slow(), Gate()
        sent = Sent("first,m", ENDLESS, stream=True)
        self.first.acts[sent.number], self.second.acts[sent.number] = slow, answers
        wire.send(sent.request())
        self.assertTrue(answers.reached.wait(20), "the second one is not asked")

        def give_up():
            answers.opened.set()
            self.read(wire, sent)

        self.overtake(slow, "worker first", give_up, other, "first,m", self.first)
        self.assert_got_a_part(self.first, sent)
        self.assert_got(self.second, sent, sent.to("fallback"))

    def test_the_late_one_answers_first_all_the_same(self):
        for size in (*SOME, ENDLESS):
            with self.subTest(size):
                wire = self.connect()
                late, other = Gate(), Gate(before=lambda _, incoming: incoming.read(0.3))
                sent = Sent("first,m", size, stream=True)
                self.first.acts[sent.number], self.second.acts[sent.number] = late, other
                wire.send(sent.request())
                self.assertTrue(other.reached.wait(20), "the second one is not asked")
                late.opened.set()
                self.read(wire, sent)
                self.assert_got(self.first, sent)
                self.exact(wire, "first,m", (size, 50_000, ENDLESS), self.first)
                self.exact(wire, "second,m", (size, 50_000, ENDLESS), self.second)
                other.opened.set()
                self.assert_got_a_part(self.second, sent, sent.to("fallback"))


class Memory(Bodies):
    def test_of_front_and_worker_is_free_when_nothing_runs(self):
        wire = self.connect()
        # Each has what it needs once.
        self.exact(wire, "first,m", [4_000_000], self.first)
        self.rest()
        before = self.resident()
        for _ in range(2):
            for stream in (False, True, True, False, False):
                self.exact(wire, "first,m", [4_000_000], self.first, stream)
            self.rest()
        for name, count in self.resident().items():
            self.assertLess(count, before[name] + 8 * MEGABYTE, name)

    def test_of_bodies_that_are_too_large_to_be_kept_is_free_while_something_runs(self):
        self.hold("first,held", self.first)
        self.exact(self.connect(), "first,m", [8 * MEGABYTE + 1] * 3, self.first)
        wait_for("front keeps none", 10, lambda: not lent(self.stack))
        self.assertEqual(seen(self.stack, "worker first"), set())

    def resident(self):
        return {name: resident(self.stack.child(name)) for name in ("front", "worker first")}
