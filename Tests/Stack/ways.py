# SPDX-License-Identifier: Apache-2.0
"""What stands between a worker and a scripted upstream on the way to a real provider: an end of TLS that speaks HTTP/1.1
and passes every byte and every end of a connection on, nginx that speaks HTTP/2, a forward proxy and a SOCKS proxy.

Source: RFC 9110 §9.3.6 (CONNECT), RFC 9112 §3.2 (forms of a target), RFC 8446 §6.1 (close_notify), RFC 1928 (SOCKS 5),
RFC 1929 (its user names), "SOCKS: A protocol for TCP proxy across firewalls" and "SOCKS 4A" (Y.-D. Lee).
"""

import asyncio
import collections
import contextlib
import functools
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading

from harness import exists, free_port, wait_for


class Authority:
    """A certification authority for this run. `issue` makes what a server needs; nobody trusts it without `path`."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="ccr-authority.")
        self.path = self.file("ca.pem")
        self.key = self.file("ca.key")
        self.openssl(
            *"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=tests".split(),
            *("-keyout", self.key, "-out", self.path),
        )

    def file(self, name):
        return str(pathlib.Path(self.folder.name, name))

    def openssl(self, *arguments):
        subprocess.run(
            ["openssl", *arguments], check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=30
        )

    @functools.cache
    def issue(self, names="IP:127.0.0.1", days=2):
        """Paths of a certificate for these names and of its key. One of -1 days is over."""
        base = self.file(re.sub(r"\W", "-", f"{names}{days}"))
        key, request, certificate, extensions = (base + end for end in (".key", ".csr", ".pem", ".ext"))
        pathlib.Path(extensions).write_text(f"subjectAltName={names}\n")
        self.openssl(
            *"req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=upstream".split(),
            *("-keyout", key, "-out", request),
        )
        self.openssl(
            *("x509", "-req", "-in", request, "-CA", self.path, "-CAkey", self.key, "-CAcreateserial"),
            *("-days", str(days), "-extfile", extensions, "-out", certificate),
        )
        return certificate, key

    def context(self, certificate):
        """A server's, which speaks HTTP/1.1 and nothing else."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        context.set_alpn_protocols(["http/1.1"])
        return context


@functools.cache
def authority():
    return Authority()


# Bytes that a relay holds back in each direction before it stops reading.
HELD = 65_536


class Relay:
    """Servers on 127.0.0.1 in a thread of their own. Subclasses say in `serve` what a connection is for."""

    context = None

    def __init__(self):
        self.connections = 0
        # The writers of both ends of each connection that is open.
        self.open = {}

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self.call(
            asyncio.start_server(self.accept, "127.0.0.1", 0, ssl=self.context, limit=HELD, backlog=1024)
        )
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        async def end():
            self.server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.call(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    async def accept(self, reader, writer):
        self.connections += 1
        self.open[writer] = None
        try:
            await self.serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open.pop(writer, None)
            writer.transport.abort()

    async def connect(self, client, host, port):
        reader, writer = await asyncio.open_connection(host, port, limit=HELD)
        for end in (client, writer):
            end.transport.set_write_buffer_limits(HELD)
        self.open[client] = writer
        return reader, writer

    async def relay(self, client, upstream):
        """Both ways until one end is over; that end is then passed on as it was."""
        tasks = [
            asyncio.ensure_future(self.pass_on(client[0], upstream[1])),
            asyncio.ensure_future(self.pass_on(upstream[0], client[1])),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            was_reset = any(isinstance(task.exception(), OSError) for task in done)
            if was_reset:
                reset(client[1])
                reset(upstream[1])
            elif tasks[1] in done:
                await self.end(client[1])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            upstream[1].transport.abort()

    async def pass_on(self, reader, writer):
        while data := await reader.read(HELD):
            writer.write(data)
            await writer.drain()

    async def end(self, client):
        """The upstream has ended its connection."""
        client.close()
        await client.wait_closed()

    def cut(self, how):
        """End all open connections in this way; returns their number."""

        async def cut():
            ends = [(client, upstream) for client, upstream in self.open.items() if upstream]
            for client, upstream in ends:
                how(client)
                upstream.transport.abort()
            return len(ends)

        return self.call(cut())


def reset(writer):
    """The other side gets a RST."""
    with contextlib.suppress(OSError):
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def close(writer):
    """The other side is told that this is the end, and gets a FIN."""
    writer.close()


def finish(writer):
    """The other side gets a FIN, and under TLS no word that this is the end."""
    writer.transport.abort()


class TLSEnd(Relay):
    """TLS in front of a port. What the upstream sends, and how it ends its connection, is what the client gets."""

    def __init__(self, port, certificate):
        super().__init__()
        self.upstream = port
        self.context = authority().context(certificate)
        self.protocols = collections.Counter()

    async def serve(self, reader, writer):
        self.protocols[writer.get_extra_info("ssl_object").selected_alpn_protocol()] += 1
        upstream = await self.connect(writer, "127.0.0.1", self.upstream)
        await self.relay((reader, writer), upstream)


class ForwardProxy(Relay):
    """A forward proxy, which knows CONNECT and absolute targets. `refusal` answers every request when it is set."""

    def __init__(self):
        super().__init__()
        self.requests = []
        self.refusal = None

    async def serve(self, reader, writer):
        upstream, answers = None, None
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head[:-4].decode("latin-1").split("\r\n")
                method, target, version = first.split(" ")
                fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                self.requests.append((method, target, fields))
                if self.refusal:
                    writer.write(self.refusal)
                    await writer.drain()
                    return
                if method == "CONNECT":
                    host, port = target.rsplit(":", 1)
                    upstream = await self.connect(writer, host, int(port))
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    return await self.relay((reader, writer), upstream)
                host, port, path = re.fullmatch(r"http://([^/:]+):(\d+)(/.*)", target).groups()
                if upstream is None:
                    upstream = await self.connect(writer, host, int(port))
                    answers = asyncio.ensure_future(self.answer(upstream[0], writer))
                kept = [line for line in lines if not line.lower().startswith("proxy-")]
                passed = "\r\n".join([f"{method} {path} {version}", *kept, "", ""])
                upstream[1].write(passed.encode("latin-1"))
                left = int(fields.get("content-length", 0))
                while left and (data := await reader.read(min(left, HELD))):
                    left -= len(data)
                    upstream[1].write(data)
                    await upstream[1].drain()
        finally:
            if answers:
                answers.cancel()
                await asyncio.gather(answers, return_exceptions=True)
            if upstream:
                upstream[1].transport.abort()

    async def answer(self, reader, writer):
        """Pass the answers on, and the end of the upstream's connection as it is."""
        try:
            await self.pass_on(reader, writer)
        except OSError:
            reset(writer)
        else:
            await self.end(writer)


class SocksProxy(Relay):
    """A SOCKS proxy of versions 4, 4A and 5. `asked` has who asked for what; `refusal` is the code of every answer when it
    is set."""

    IPV4, NAME = 1, 3

    def __init__(self):
        super().__init__()
        self.asked = []
        self.refusal = None

    async def serve(self, reader, writer):
        version = (await reader.readexactly(1))[0]
        user, host, port = await (self.read_4(reader) if version == 4 else self.read_5(reader, writer))
        self.asked.append((version, user, host))

        def answer(code):
            return (bytes([0, code]) if version == 4 else bytes([5, code, 0, self.IPV4])) + bytes(6)

        if self.refusal:
            writer.write(answer(self.refusal))
            return await writer.drain()
        upstream = await self.connect(writer, host, port)
        writer.write(answer(90 if version == 4 else 0))
        await self.relay((reader, writer), upstream)

    async def read_4(self, reader):
        _, port, address = struct.unpack("!BH4s", await reader.readexactly(7))
        user = await reader.readuntil(b"\0")
        host = socket.inet_ntoa(address)
        if host.startswith("0.0.0."):
            host = (await reader.readuntil(b"\0"))[:-1].decode()
        return user[:-1].decode(), host, port

    async def read_5(self, reader, writer):
        async def text():
            return (await reader.readexactly((await reader.readexactly(1))[0])).decode()

        methods = await text()
        user = ""
        if "\2" in methods:
            writer.write(b"\5\2")
            await reader.readexactly(1)
            user = f"{await text()}:{await text()}"
            writer.write(b"\1\0")
        else:
            writer.write(b"\5\0")
        kind = (await reader.readexactly(4))[3]
        if kind == self.NAME:
            host = await text()
        elif kind == self.IPV4:
            host = socket.inet_ntoa(await reader.readexactly(4))
        else:
            # Where localhost has an address of each family; upstreams listen on one.
            host = socket.inet_ntop(socket.AF_INET6, await reader.readexactly(16)).replace("::1", "127.0.0.1")
        return user, host, struct.unpack("!H", await reader.readexactly(2))[0]


NGINX = """{user}
daemon off;
worker_processes 1;
worker_shutdown_timeout 30s;
pid {folder}/pid;
error_log {folder}/errors warn;
events {{ worker_connections 4096; }}
http {{
    log_format protocol "$connection $server_protocol $status";
    access_log {folder}/access protocol;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    keepalive_requests {requests_each};
    server {{
        listen 127.0.0.1:{port} ssl http2 backlog=1024;
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_read_timeout 60s;
            # An upstream that dies is no answer here either: the stream is reset.
            error_page 502 504 = @gone;
        }}
        location @gone {{ return 444; }}
    }}
}}
"""


class Nginx:
    """HTTP/2 over TLS in front of a port, by nginx. An upstream that dies shows as RST_STREAM."""

    def __init__(self, port, certificate, requests_each=100_000):
        self.upstream, self.certificate, self.requests_each = port, certificate, requests_each

    def __enter__(self):
        program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        if not program:
            raise AssertionError("nginx is missing: run make setup")
        self.folder = tempfile.TemporaryDirectory(prefix="ccr-nginx.")
        self.port = free_port()
        certificate, key = self.certificate
        self.path("conf").write_text(
            NGINX.format(
                user="user root;" if os.geteuid() == 0 else "",
                folder=self.folder.name,
                certificate=certificate,
                key=key,
                requests_each=self.requests_each,
                port=self.port,
                upstream=self.upstream,
            )
        )
        self.process = subprocess.Popen(
            [program, "-p", self.folder.name, "-c", str(self.path("conf")), "-e", str(self.path("errors"))],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for("nginx", 10, self.is_up)
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.folder.cleanup()

    def path(self, name):
        return pathlib.Path(self.folder.name, name)

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError("nginx has ended: " + self.path("errors").read_text())
        try:
            socket.create_connection(("127.0.0.1", self.port), 2).close()
        except ConnectionRefusedError:
            return False
        return bool(self.workers())

    def log(self):
        """[connection, protocol, status] of each request that is over."""
        return [line.split() for line in self.path("access").read_text().splitlines()]

    @property
    def connections(self):
        """Connections with a request that is over."""
        return len({connection for connection, _, _ in self.log()})

    def workers(self):
        pid = self.process.pid
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in text.split() if exists(int(child))]

    def replace_workers(self):
        """A reload: the connections of the workers so far are ended by GOAWAY as soon as nothing runs on them. Until these
        know, they would take new ones as well, and end them at once."""
        old = self.workers()
        self.process.send_signal(signal.SIGHUP)
        wait_for("new workers", 10, lambda: set(self.workers()) - set(old))
        wait_for("the old ones' leave", 10, lambda: all(map(self.leaves, old)))

    @staticmethod
    def leaves(worker):
        try:
            return b"is shutting down" in pathlib.Path(f"/proc/{worker}/cmdline").read_bytes()
        except OSError:
            return True

    def kill_workers(self):
        """Every connection ends at once, by the kernel."""
        old = self.workers()
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_for("new workers", 10, lambda: set(self.workers()) - set(old))
