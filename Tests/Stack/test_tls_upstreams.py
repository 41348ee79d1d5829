# SPDX-License-Identifier: Apache-2.0
"""Upstreams behind TLS, HTTP/2 and proxies, as real providers are: what holds on the plain way holds on these."""

import contextlib
import dataclasses
import hashlib
import itertools
import os
import socket

from dialects import BY_PATH, CHAT, DIALECTS
from harness import Case, Stack, Upstream, free_port, provider, resident, taken, wait_for
from parallel import Background, Load, Streams
from scripted import CLOSE, HANG, JSON, RESET, Pause, Script, slow, whole
from ways import ForwardProxy, Nginx, Relay, SocksProxy, TLSEnd, authority, close, finish, reset
from wire import JSON_TYPE, Wire, post_bytes, request_bytes

SECRET_QUERY = "?token=query-secret"
MEGABYTE = 1 << 20
EVENT = CHAT.delta("x" * 16_000)
EVENTS = 5000
SIZE = len(EVENT) * EVENTS
# What the proxy is told of "user:proxy-secret".
CREDENTIALS = "Basic dXNlcjpwcm94eS1zZWNyZXQ="
TOO_LARGE = b'{"error":{"message":"too large","type":"invalid_request_error"}}'


class Impatient(Upstream):
    """Refuses a large body before it has come, and goes on reading until the other side has had enough."""

    def read(self, connection, file):
        head = b"".join(iter(file.readline, b"\r\n"))
        if not head:
            return None
        connection.sendall(whole(TOO_LARGE, 413, [JSON, ("request-id", "r1")]).head() + TOO_LARGE)
        while file.read(65_536):
            pass
        return None


def environment():
    return {"SSL_CERT_FILE": authority().path}


def by_dialect(make):
    """A script that `make` makes from the dialect of the request."""
    return lambda request: make(BY_PATH[request.target.split("?")[0]])


def sent_by(script):
    return b"".join(p for p in script.pieces if isinstance(p, bytes))


@dataclasses.dataclass
class Route:
    """What a way consists of: a URL, and the servers in between."""

    url: str
    tls: object = None
    proxy: object = None
    proxy_scheme: str = "http"

    def provider(self, name="first", url=None):
        proxy = {}
        if self.proxy:
            proxy = {"proxy": f"{self.proxy_scheme}://user:proxy-secret@127.0.0.1:{self.proxy.port}"}
        return provider(name, (url or self.url) + "/v1" + SECRET_QUERY, ["m"], **proxy)


class Way(Case):
    """A way to the upstream, and stacks that go it.

    Subclasses say in `way_to` what stands in between, and look after each test whether it was that way.
    """

    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        cls.up.send_buffer = 65_536
        cls.route = cls.enterClassContext(cls.way_to(cls.up))
        # Waits are another test's subject.
        short = {"environment": environment(), "RATE_LIMIT_MAX_TOTAL_WAIT_MS": 100}
        cls.alone = cls.enterClassContext(Stack(cls.route.provider(), **short))
        cls.both = cls.enterClassContext(cls.with_a_second(**short))

    @classmethod
    def with_a_second(cls, **more):
        """A stack with another candidate, which needs no way."""
        second = provider("second", cls.up.url + "/v1", ["fallback"])
        return Stack(cls.route.provider(), second, Router={"tiers": ["second,fallback"]}, **more)

    numbers = itertools.count()

    def script(self, script):
        """A model of its own with this script: one that fails often is passed over, which is another test's subject."""
        name = f"m{next(self.numbers)}"
        self.up.scripts[name] = script
        return name

    def ask(self, stack, d, script, streaming=True):
        return stack.post(d.path, d.request("first," + self.script(script), stream=streaming), timeout=30)


class Contract:
    """What holds on every way."""

    # Answers

    def test_answers_pass_byte_for_byte(self):
        for d in DIALECTS:
            for name, script, streaming in (
                ("chunks", Script(d.events(50)), True),
                ("one piece", Script([b"".join(d.events())]), True),
                ("length", Script(d.events(), framing="length"), True),
                ("until the end", Script(d.events(), framing="close"), True),
                ("bytes alone", Script(d.events(3), alone=True), True),
                ("chunks of a byte", Script([bytes([b]) for b in b"".join(d.events(2))]), True),
                ("whole", whole(d.whole()), False),
                ("whole in chunks", Script([d.whole()], headers=[JSON]), False),
                ("whole, bytes alone", whole(d.whole(), alone=True), False),
            ):
                with self.subTest(d.name, form=name):
                    answer = self.ask(self.alone, d, script, streaming)
                    self.assertEqual((answer.status, answer.ending), (200, "complete"), answer.body[:300])
                    self.assertEqual(answer.body, sent_by(script))
                    self.assertEqual(answer.header("content-type"), script.headers[0][1])

    def test_large_bodies_pass_in_both_directions(self):
        for size in (2 * MEGABYTE, 20 * MEGABYTE):
            model = self.script(lambda request: whole(request.body))
            text = os.urandom(size // 2).hex().encode()
            sent = b'{"messages":[{"role":"user","content":"%s"}],"model":"first,%s"}' % (text, model.encode())
            expected = sent.replace(b'"first,', b'"')
            with self.subTest(size), Wire(self.alone.port, timeout=60) as wire:
                wire.send(request_bytes("POST", CHAT.path, sent, [JSON_TYPE]))
                wire.read_head()
                digest = wire.hash_body()
                self.assertEqual((wire.answer.status, wire.answer.ending), (200, "complete"))
                self.assertEqual(self.up.seen(model)[-1].header("content-length"), str(len(expected)))
                self.assertEqual(digest, hashlib.sha256(expected).digest(), "bytes were lost or changed")

    def test_status_and_fields_pass(self):
        fields = [
            JSON,
            ("Retry-After", "170"),
            ("request-id", "r1"),
            ("x-ratelimit-reset-requests", "170s"),
            ("anthropic-ratelimit-tokens-remaining", "1000"),
        ]
        body = b'{ "error": {"message":"no \\u00fc", "type":"x","new":[1, 2]} }'
        for status in (400, 401, 404, 429, 500, 529):
            for d in DIALECTS:
                with self.subTest(status, dialect=d.name):
                    answer = self.ask(self.alone, d, whole(body, status, fields))
                    self.assertEqual((answer.status, answer.body), (status, body))
                    for name, value in fields:
                        self.assertEqual(answer.header(name.lower()), value)

    def test_an_answer_that_comes_while_the_body_is_sent(self):
        with (
            Impatient() as early,
            self.way_to(early) as route,
            Stack(route.provider(), environment=environment()) as stack,
        ):
            for d in DIALECTS:
                with self.subTest(d.name):
                    answer = stack.post(d.path, d.request("first,m", text="x" * 20 * MEGABYTE), timeout=30)
                    self.assertEqual((answer.status, answer.body), (413, TOO_LARGE))
                    self.assertEqual(answer.header("request-id"), "r1")

    # Failures

    def assert_second_answers(self, d, script, streaming=True):
        answer = self.ask(self.both, d, script, streaming)
        self.assertEqual((answer.status, answer.header("x-ccr-tier")), (200, "second"), answer.body[:300])
        if streaming:
            d.assert_complete(answer, 10)
        else:
            self.assertEqual(answer.body, d.whole())

    def assert_error(self, d, script, status=502, streaming=True):
        answer = self.ask(self.alone, d, script, streaming)
        self.assertEqual(answer.status, status, answer.body[:300])
        assert_names_the_provider_only(d, answer, self.route)

    def test_an_upstream_that_dies_before_the_first_event(self):
        for name, make in (
            ("before the head", lambda d, end: Script([], before=[end])),
            ("behind the head", lambda d, end: Script([Pause(0.02), end])),
            ("behind the opening events", lambda d, end: Script([*d.opening(), Pause(0.02), end])),
        ):
            for end in (CLOSE, RESET):
                for d in DIALECTS:
                    with self.subTest(name, dialect=d.name, reset=end is RESET):
                        self.assert_second_answers(d, make(d, end))
                        self.assert_error(d, make(d, end))

    def test_a_whole_answer_that_is_cut(self):
        cut = [b'{"id":"x",', Pause(0.02), CLOSE]
        for script in (
            Script(cut, headers=[JSON]),
            Script(cut[:1], headers=[JSON, ("Content-Length", "100")], framing="close"),
        ):
            for d in DIALECTS:
                with self.subTest(d.name, framing=script.framing):
                    self.assert_second_answers(d, script, streaming=False)
                    self.assert_error(d, script, streaming=False)

    def test_an_upstream_that_dies_in_mid_stream(self):
        for end in (CLOSE, RESET):
            for d in DIALECTS:
                with self.subTest(d.name, reset=end is RESET):
                    events = d.events(3)[: len(d.opening()) + 3]
                    answer = self.ask(self.both, d, Script([*events, Pause(0.05), end]))
                    self.assertIn(b"@2@", answer.body)
                    d.assert_broken(answer)

    def test_an_answer_of_which_nobody_wants_the_rest(self):
        for d in DIALECTS:
            with self.subTest(d.name):
                model = self.script(Script([d.error_event("scripted failure"), HANG]))
                answer = self.alone.post(d.path, d.request("first," + model))
                self.assertGreaterEqual(answer.status, 500)
                wait_for("the upstream is cancelled", 10, lambda model=model: self.up.cancellations(model))

    # Silence

    def test_signs_of_life_while_the_upstream_is_silent(self):
        paused = self.script(by_dialect(lambda d: Script([*d.events(3)[:-2], Pause(1.5), *d.events(3)[-2:]])))
        silent = self.script(by_dialect(lambda d: Script([*d.opening(), HANG])))
        late = {**self.route.provider("late"), "timeouts": {"firstEventMs": 600}}
        times = {"keepaliveMs": 250}
        with Stack(self.route.provider(), late, environment=environment(), Timeouts=times) as stack:

            def ask(d, model):
                return Background(stack.post, d.path, d.request(model))

            for d, alive, silenced in [(d, ask(d, "first," + paused), ask(d, "late," + silent)) for d in DIALECTS]:
                with self.subTest(d.name):
                    answer = alive.result()
                    d.assert_complete(answer, 3)
                    self.assertGreaterEqual(len(d.keepalive.findall(answer.body)), 1, answer.body)
                    self.assertEqual(d.keepalive.sub(b"", answer.body), b"".join(d.events(3)))
                    answer = silenced.result()
                    self.assertEqual(answer.status, 504)
                    self.assertIn("late", d.error_message(answer))
            wait_for("they are cancelled", 10, lambda: len(self.up.cancellations(silent)) == 3)

    # Clients

    def test_a_client_that_leaves_cancels_its_upstream(self):
        scripts = (
            ("busy", by_dialect(lambda d: slow(d.events(3000), 0.01)), True),
            ("silent", by_dialect(lambda d: Script([*d.opening(), d.delta("@0@"), HANG])), True),
            ("before the head", whole(b"{}", before=[HANG]), False),
        )
        for name, script, has_begun in scripts:
            for d, leave in zip(DIALECTS, (Wire.abort, Wire.__exit__, Wire.abort), strict=True):
                with self.subTest(name, dialect=d.name), Wire(self.alone.port) as wire:
                    model = self.script(script)
                    wire.send(post_bytes(d.path, d.request("first," + model)))
                    wait_for("the request at the upstream", 10, lambda model=model: self.up.seen(model))
                    if has_begun:
                        wire.read_head()
                        wire.read_until(b"@0@")
                    leave(wire)
                    wait_for("the upstream is cancelled", 10, lambda model=model: self.up.cancellations(model))
        # What they left behind is of use to the next one.
        CHAT.assert_complete(self.ask(self.alone, CHAT, Script(CHAT.events())), 10)

    def test_a_client_that_does_not_read(self):
        """Its upstream is throttled, no byte is lost, and nobody else waits."""
        flood = self.script(Script(CHAT.opening() + [EVENT] * EVENTS + CHAT.closing()))
        quick = self.script(by_dialect(lambda d: slow(d.events(20), 0.02)))
        CHAT.assert_complete(self.ask(self.alone, CHAT, Script(CHAT.events())), 10)
        worker = self.alone.child("worker first")
        before = resident(worker)
        with Wire(self.alone.port, timeout=60, receive_buffer=65_536) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request("first," + flood)))
            wire.read_head()
            self.assertLess(taken(self.up, flood), SIZE // 2, "the upstream is not throttled")
            grown = resident(worker) - before
            self.assertLess(grown, SIZE // 4, "the worker collects what its client does not read")
            for d in DIALECTS:
                d.assert_complete(self.alone.post(d.path, d.request("first," + quick), timeout=15), 20)
            digest = wire.hash_body()
            self.assertEqual(wire.answer.ending, "complete")
        expected = hashlib.sha256(b"".join(CHAT.opening() + [EVENT] * EVENTS + CHAT.closing()))
        self.assertEqual(digest, expected.digest(), "bytes were lost or changed")

    # Connections

    def test_a_kept_connection_that_the_upstream_closes_between_two_requests(self):
        for how, end_them in self.ways_to_end_kept_connections().items():
            for d in DIALECTS:
                with self.subTest(d.name, how=how):
                    model = self.script(Script(d.events()))
                    for count in (1, 2):
                        d.assert_complete(self.alone.post(d.path, d.request("first," + model)), 10)
                        self.assertEqual(len(self.up.seen(model)), count)
                        end_them()

    def test_many_kept_connections_that_the_upstream_has_closed(self):
        """Each of them is tried before the next one; the body is longer than what libcurl sends with the head."""
        for (how, end_them), d in zip(self.ways_to_end_kept_connections().items(), DIALECTS, strict=False):
            with self.subTest(d.name, how=how):
                model = self.script(by_dialect(lambda d: slow(d.events(3), 0.1)))
                Streams(self.alone.port, "first," + model, 20).assert_complete(3)
                end_them()
                request = d.request("first," + model, text="x" * 2 * MEGABYTE)
                d.assert_complete(self.alone.post(d.path, request), 3)
                self.assertEqual(len(self.up.seen(model)), 21)

    def test_requests_after_one_another_share_a_connection(self):
        self.ask(self.alone, CHAT, Script(CHAT.events()))
        count = self.connections()
        for d in DIALECTS * 3:
            d.assert_complete(self.ask(self.alone, d, Script(d.events())), 10)
        self.assertLessEqual(self.connections() - count, 1)

    def test_fifty_streams_beside_each_other(self):
        model = self.script(by_dialect(lambda d: slow(d.events(5), 0.1)))
        Streams(self.alone.port, "first," + model, 50).assert_complete(5)
        self.assertEqual(len(self.up.seen(model)), 50)

    def test_a_worker_that_is_killed(self):
        with self.with_a_second(environment=environment(), crashes=True) as stack:
            silent = self.script(whole(b"{}", before=[HANG]))
            begun = self.script(by_dialect(lambda d: Script([*d.opening(), d.delta("@0@"), HANG])))
            with contextlib.closing(Streams(stack.port, "first," + begun, 3)) as streams:
                waiting = Background(stack.post, CHAT.path, CHAT.request("first," + silent))
                wait_for("the request at the upstream", 10, lambda: self.up.seen(silent))
                old = stack.kill_child("worker first")
                for d, reader in streams.readers:
                    answer = reader.result()
                    self.assertEqual(answer.ending, "broken")
                    self.assertNotIn(d.terminal, answer.body)
                CHAT.assert_complete(waiting.result(), 10)
            stack.wait_replaced("worker first", old, 5)
            wait_for("the upstream feels it", 10, lambda: len(self.up.cancellations(begun)) == 3)
            answer = self.ask(stack, CHAT, Script(CHAT.events()))
            self.assertEqual(answer.header("x-ccr-tier"), "first")
            CHAT.assert_complete(answer, 10)


def assert_names_the_provider_only(d, answer, route):
    message = d.error_message(answer)
    assert "first" in message, f"the provider is not named: {message}"
    for secret in ("query-secret", "sk-upstream", route.url.partition("://")[2], "127.0.0.1", "proxy-secret"):
        assert secret.encode() not in answer.head + answer.body, f"{secret}: {answer.body}"


class OverTLS(Contract, Way):
    """HTTP/1.1: the other side agrees on nothing else."""

    @classmethod
    @contextlib.contextmanager
    def way_to(cls, up):
        with TLSEnd(up.port, authority().issue()) as end:
            yield Route(f"https://127.0.0.1:{end.port}", tls=end)

    def ways_to_end_kept_connections(self):
        return {how.__name__: lambda how=how: self.route.tls.cut(how) for how in (close, finish, reset)}

    def connections(self):
        return self.route.tls.connections

    def tearDown(self):
        self.assertEqual(set(self.route.tls.protocols), {"http/1.1"})


class OverHTTP2(Contract, Way):
    @classmethod
    @contextlib.contextmanager
    def way_to(cls, up):
        with Nginx(up.port, authority().issue()) as end:
            yield Route(f"https://127.0.0.1:{end.port}", tls=end)

    def ways_to_end_kept_connections(self):
        return {"goaway": self.route.tls.replace_workers, "death": self.route.tls.kill_workers}

    def connections(self):
        return self.route.tls.connections

    def test_the_end_of_the_other_side_breaks_every_stream(self):
        model = self.script(by_dialect(lambda d: Script([*d.opening(), d.delta("@0@"), HANG])))
        with contextlib.closing(Streams(self.both.port, "first," + model, 6)) as streams:
            self.route.tls.kill_workers()
            for d, reader in streams.readers:
                d.assert_broken(reader.result())
        CHAT.assert_complete(self.ask(self.both, CHAT, Script(CHAT.events())), 10)

    def test_connections_that_serve_a_few_requests_only(self):
        """The other side ends each with GOAWAY, also beside the answer to the last request."""
        with (
            Nginx(self.up.port, authority().issue(), requests_each=5) as short,
            Stack(Route(f"https://127.0.0.1:{short.port}").provider(), environment=environment()) as stack,
        ):
            model = self.script(None)
            with Load(stack.port, 400, body=CHAT.request("first," + model)) as load:
                wait_for("requests", 20, lambda: load.count >= 300)
            load.assert_no_failure(300)
            self.assertGreaterEqual(short.connections, 60)

    def tearDown(self):
        self.assertEqual({protocol for _, protocol, _ in self.route.tls.log()}, {"HTTP/2.0"})


class ThroughAProxy(Contract, Way):
    """Plain HTTP, of which the proxy reads every request."""

    @classmethod
    @contextlib.contextmanager
    def way_to(cls, up):
        with ForwardProxy() as proxy:
            yield Route(up.url, proxy=proxy)

    def ways_to_end_kept_connections(self):
        return {how.__name__: lambda how=how: self.route.proxy.cut(how) for how in (finish, reset)}

    def connections(self):
        return self.route.proxy.connections

    def tearDown(self):
        self.assertEqual({method for method, _, _ in self.route.proxy.requests}, {"POST"})
        told = {fields.get("proxy-authorization") for _, _, fields in self.route.proxy.requests}
        self.assertEqual(told, {CREDENTIALS})
        self.assertEqual([r for r in self.up.requests if r.header("proxy-authorization")], [])


class ThroughATunnel(Contract, Way):
    """HTTP/2 over TLS, of which the proxy reads nothing."""

    @classmethod
    @contextlib.contextmanager
    def way_to(cls, up):
        with Nginx(up.port, authority().issue()) as end, ForwardProxy() as proxy:
            yield Route(f"https://127.0.0.1:{end.port}", tls=end, proxy=proxy)

    def ways_to_end_kept_connections(self):
        cuts = {how.__name__: lambda how=how: self.route.proxy.cut(how) for how in (finish, reset)}
        return {"goaway": self.route.tls.replace_workers, **cuts}

    def connections(self):
        return self.route.proxy.connections

    def test_a_tunnel_that_is_cut_breaks_its_stream(self):
        for how in (finish, reset):
            for d in DIALECTS:
                with self.subTest(d.name, how=how.__name__):
                    model = self.script(Script([*d.opening(), d.delta("@0@"), HANG]))
                    with self.both.stream(d.path, d.request("first," + model)) as wire:
                        wire.read_until(b"@0@")
                        self.route.proxy.cut(how)
                        d.assert_broken(wire.read_body())
                        wait_for("the upstream feels it", 10, lambda model=model: self.up.cancellations(model))

    def tearDown(self):
        self.assertEqual({method for method, _, _ in self.route.proxy.requests}, {"CONNECT"})
        self.assertEqual({protocol for _, protocol, _ in self.route.tls.log()}, {"HTTP/2.0"})


class ThroughSOCKS(Contract, Way):
    """Plain HTTP on a connection that the proxy made and reads nothing of."""

    @classmethod
    @contextlib.contextmanager
    def way_to(cls, up):
        with SocksProxy() as proxy:
            yield Route(up.url, proxy=proxy, proxy_scheme="socks5h")

    def ways_to_end_kept_connections(self):
        return {how.__name__: lambda how=how: self.route.proxy.cut(how) for how in (finish, reset)}

    def connections(self):
        return self.route.proxy.connections

    def tearDown(self):
        self.assertEqual({(version, user) for version, user, _ in self.route.proxy.asked}, {(5, "user:proxy-secret")})


class SOCKS(Case):
    """Each version, and who finds the address of a name: the worker, or the proxy."""

    def test_every_version(self):
        with Upstream() as up, TLSEnd(up.port, authority().issue("DNS:localhost")) as end, SocksProxy() as proxy:
            for scheme, expected in (
                ("socks4", (4, "user", "127.0.0.1")),
                ("socks4a", (4, "user", "localhost")),
                ("socks5", (5, "user:proxy-secret", "127.0.0.1")),
                ("socks5h", (5, "user:proxy-secret", "localhost")),
            ):
                for url in (f"http://localhost:{up.port}", f"https://localhost:{end.port}"):
                    with self.subTest(scheme, url=url):
                        proxy.asked.clear()
                        route = Route(url, proxy=proxy, proxy_scheme=scheme)
                        with Stack(route.provider(), environment=environment()) as stack:
                            for d in DIALECTS:
                                d.assert_complete(stack.post(d.path, d.request("m")), 10)
                        self.assertEqual(set(proxy.asked), {expected})


class Refusals(Case):
    """Ways that do not lead to the upstream: the next candidate answers, or the client is told by whom and why."""

    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())

    def check(self, route, text, status=502, environment=environment, **config):
        second = provider("second", self.up.url + "/v1", ["fallback"])
        config |= {"environment": environment(), "RATE_LIMIT_MAX_TOTAL_WAIT_MS": 100}
        with (
            Stack(route.provider(), **config) as alone,
            Stack(route.provider(), second, Router={"tiers": ["second,fallback"]}, **config) as both,
        ):
            for d in DIALECTS:
                with self.subTest(d.name):
                    answer = alone.post(d.path, d.request("m"))
                    self.assertEqual(answer.status, status, answer.body)
                    assert_names_the_provider_only(d, answer, route)
                    self.assertIn(text, d.error_message(answer))
                    d.assert_complete(both.post(d.path, d.request("m")), 10)
            self.assertEqual(self.up.seen("m"), [], "the request reached the upstream")
            for secret in ("query-secret", "proxy-secret", "sk-upstream"):
                self.assertNotIn(secret, alone.log_text() + both.log_text())

    # Certificates

    def check_certificate(self, certificate, environment=environment):
        with TLSEnd(self.up.port, certificate) as end:
            self.check(Route(f"https://127.0.0.1:{end.port}"), "TLS failed", environment=environment)

    def test_nobody_vouches_for_the_certificate(self):
        self.check_certificate(authority().issue(), environment=dict)

    def test_a_certificate_for_another_name(self):
        self.check_certificate(authority().issue("DNS:other.test"))

    def test_a_certificate_that_is_over(self):
        self.check_certificate(authority().issue(days=-1))

    def test_an_authority_that_cannot_be_read(self):
        self.check_certificate(authority().issue(), environment=lambda: {"SSL_CERT_FILE": "/nonexistent"})

    def test_the_other_side_speaks_no_tls(self):
        with Outspoken() as plain:
            self.check(Route(f"https://127.0.0.1:{plain.port}"), "TLS failed")

    def test_the_other_side_does_not_answer_the_greeting(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            route = Route(f"https://127.0.0.1:{silent.getsockname()[1]}")
            self.check(route, "no connection in time", 504, Timeouts={"connectMs": 300})

    # Proxies

    def test_a_proxy_that_refuses(self):
        refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nConnection: close\r\n\r\ndenied"
        with TLSEnd(self.up.port, authority().issue()) as end, ForwardProxy() as proxy:
            proxy.refusal = refusal
            self.check(Route(f"https://127.0.0.1:{end.port}", proxy=proxy), "the proxy answered 403")
            self.assertEqual({method for method, _, _ in proxy.requests}, {"CONNECT"})

    def test_a_socks_proxy_that_refuses(self):
        for scheme, code in (("socks5h", 2), ("socks4", 91)):
            with self.subTest(scheme), SocksProxy() as proxy:
                proxy.refusal = code
                self.check(Route(self.up.url, proxy=proxy, proxy_scheme=scheme), "no connection")

    def test_a_proxy_that_is_not_there(self):
        gone = Gone(free_port())
        self.check(Route(self.up.url, proxy=gone), "no connection")
        self.check(Route(self.up.url, proxy=gone, proxy_scheme="socks5"), "no connection")
        self.check(Route(self.up.url.replace("http:", "https:"), proxy=gone), "no connection")

    def test_a_tunnel_to_somebody_whom_nobody_vouches_for(self):
        with TLSEnd(self.up.port, authority().issue()) as end, ForwardProxy() as proxy:
            self.check(Route(f"https://127.0.0.1:{end.port}", proxy=proxy), "TLS failed", environment=dict)


class Outspoken(Relay):
    """A server that answers whatever is said to it in plain HTTP."""

    async def serve(self, reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await writer.drain()


@dataclasses.dataclass
class Gone:
    """A proxy that is not there."""

    port: int


class EnvironmentProxies(Case):
    """What workers do with the proxies that their environment names."""

    def ask(self, url, variables, **more):
        first = provider("first", url + "/v1", ["m"], **more)
        with Stack(first, environment=environment() | variables) as stack:
            for d in DIALECTS:
                answer = stack.post(d.path, d.request("m"))
                d.assert_complete(answer, 10)

    def setUp(self):
        self.up = self.enterContext(Upstream())
        self.tls = self.enterContext(TLSEnd(self.up.port, authority().issue()))
        self.proxy = self.enterContext(ForwardProxy())
        self.url = f"http://127.0.0.1:{self.proxy.port}"
        self.https = f"https://127.0.0.1:{self.tls.port}"

    def methods(self):
        return {method for method, _, _ in self.proxy.requests}

    def test_for_each_scheme(self):
        self.ask(self.up.url, {"https_proxy": self.url})
        self.assertEqual(self.methods(), set())
        self.ask(self.https, {"http_proxy": self.url})
        self.assertEqual(self.methods(), set())
        self.ask(self.up.url, {"http_proxy": self.url})
        self.assertEqual(self.methods(), {"POST"})
        self.proxy.requests.clear()
        self.ask(self.https, {"https_proxy": self.url})
        self.assertEqual(self.methods(), {"CONNECT"})

    def test_for_all_schemes(self):
        for name in ("all_proxy", "ALL_PROXY"):
            with self.subTest(name):
                self.proxy.requests.clear()
                self.ask(self.up.url, {name: self.url})
                self.assertEqual(self.methods(), {"POST"})
                self.ask(self.https, {name: self.url})
                self.assertEqual(self.methods(), {"POST", "CONNECT"})

    def test_but_for_some_hosts(self):
        for url in (self.up.url, self.https):
            self.ask(url, {"all_proxy": self.url, "no_proxy": "localhost,127.0.0.1"})
        self.assertEqual(self.methods(), set())

    def test_what_the_configuration_says_comes_first(self):
        nowhere = {"all_proxy": f"http://127.0.0.1:{free_port()}"}
        for url in (self.up.url, self.https):
            self.ask(url, nowhere, proxy=self.url)
        self.assertEqual(self.methods(), {"POST", "CONNECT"})
