#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logging mock of an OpenAI Responses-API upstream, for testing clients (Codex CLI) and gateways.

    python3 mock.py --port N --scenario NAME --log FILE [--models SHAPE] [--set k=v ...]
    python3 mock.py --list

Standard library only. Binds 127.0.0.1 unless --host says otherwise.
Every request (and each WebSocket message) becomes one JSON object per line in --log.
zstd request bodies are decoded with the `zstd` program when it is on PATH.
"""

import argparse
import base64
import gzip
import hashlib
import itertools
import json
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import zlib

import failures  # noqa: F401 - registers its scenarios
from events import Stream, USAGE, all_items, err, raw, rid, sse
from scenarios import S

LOCK = threading.Lock()
SEQ = itertools.count(1)
CONN = itertools.count(1)
T0 = time.time()


class Log:
    def __init__(self, path):
        self.f = sys.stdout if path in (None, "-") else open(path, "a", buffering=1)

    def write(self, **kw):
        with LOCK:
            self.f.write(json.dumps({"t": round(time.time() - T0, 4), **kw}, ensure_ascii=False) + "\n")
            self.f.flush()


# ----------------------------------------------------------------- decoding
def decode_body(raw, enc):
    enc = (enc or "").strip().lower()
    try:
        if enc in ("", "identity"):
            return raw, None
        if enc == "gzip":
            return gzip.decompress(raw), None
        if enc == "deflate":
            return zlib.decompress(raw), None
        if enc == "zstd":
            if not shutil.which("zstd"):
                return None, "zstd program not found"
            p = subprocess.run(["zstd", "-d", "-c", "-q"], input=raw, capture_output=True)
            return (p.stdout, None) if p.returncode == 0 else (None, p.stderr.decode("utf8", "replace"))
    except Exception as e:  # noqa: BLE001
        return None, repr(e)
    return None, "unknown content-encoding " + enc


# ------------------------------------------------------------------ models lists
def codex_model(slug, **kw):
    m = {
        "slug": slug,
        "display_name": slug,
        "description": "mock",
        "default_reasoning_level": "medium",
        "supported_reasoning_levels": [
            {"effort": "low", "description": "l"},
            {"effort": "medium", "description": "m"},
        ],
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": True,
        "priority": 1,
        "availability_nux": None,
        "upgrade": None,
        "base_instructions": "MOCK BASE INSTRUCTIONS",
        "supports_reasoning_summaries": True,
        "support_verbosity": False,
        "default_verbosity": None,
        "apply_patch_tool_type": "freeform",
        "truncation_policy": {"mode": "tokens", "limit": 10000},
        "supports_parallel_tool_calls": True,
        "context_window": 123456,
        "experimental_supported_tools": [],
    }
    m.update(kw)
    return m


def models_response(c, slugs):
    k = c["models"]
    oa = {
        "object": "list",
        "data": [{"id": s, "object": "model", "created": 1, "owned_by": "mock"} for s in slugs],
    }
    if k == "codex":
        return {
            "kind": "json",
            "status": 200,
            "headers": {"ETag": "mock-etag-1"},
            "body": {"models": [codex_model(s, **json.loads(c["set"].get("cat", "{}"))) for s in slugs]},
        }
    if k == "codex-min":
        return {
            "kind": "json",
            "status": 200,
            "headers": {},
            "body": {"models": [{"slug": s} for s in slugs]},
        }
    if k == "openai":
        return {"kind": "json", "status": 200, "headers": {}, "body": oa}
    if k == "both":
        return {
            "kind": "json",
            "status": 200,
            "headers": {},
            "body": {**oa, "models": [codex_model(s) for s in slugs]},
        }
    if k == "empty":
        return {"kind": "json", "status": 200, "headers": {}, "body": {"models": []}}
    if k == "html":
        return raw(200, "<html>not json</html>")
    if k == "hang":
        return {"kind": "hang", "secs": 600}
    return err(int(k), "x", "models say " + k)


# -------------------------------------------------------------------- HTTP server
REASON = {200: "OK", 101: "Switching Protocols"}


class Peer:
    def __init__(self, sock, addr, srv):
        self.s, self.addr, self.srv = sock, addr, srv
        self.conn, self.buf, self.nreq = next(CONN), b"", 0

    def fill(self):
        d = self.s.recv(65536)
        if not d:
            raise EOFError
        self.buf += d

    def take(self, n):
        while len(self.buf) < n:
            self.fill()
        r, self.buf = self.buf[:n], self.buf[n:]
        return r

    def until(self, sep):
        while sep not in self.buf:
            self.fill()
        i = self.buf.index(sep) + len(sep)
        return self.take(i)

    def run(self):
        log = self.srv.log
        log.write(kind="conn_open", conn=self.conn, peer_port=self.addr[1])
        why = "eof"
        try:
            while True:
                if not self.one():
                    why = "server"
                    break
        except EOFError:
            pass
        except OSError as e:
            why = repr(e)
        finally:
            try:
                self.s.close()
            except OSError:
                pass
            log.write(kind="conn_close", conn=self.conn, requests=self.nreq, why=why)

    def one(self):
        head = self.until(b"\r\n\r\n")
        if head.startswith(b"PRI * HTTP/2.0"):
            self.srv.log.write(kind="http2_preface", conn=self.conn)
            return False
        lines = head.decode("latin1").split("\r\n")
        method, target, version = lines[0].split(" ", 2)
        hdrs = [(a, b.strip()) for a, _, b in (ln.partition(":") for ln in lines[1:] if ln)]
        h = {a.lower(): b for a, b in hdrs}
        if h.get("expect", "").lower() == "100-continue":
            self.s.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        wire = b""
        if h.get("transfer-encoding", "").lower() == "chunked":
            while True:
                n = int(self.until(b"\r\n").split(b";")[0], 16)
                wire += self.take(n)
                self.take(2)
                if n == 0:
                    break
        elif "content-length" in h:
            wire = self.take(int(h["content-length"]))
        body, derr = decode_body(wire, h.get("content-encoding"))
        js = None
        if body:
            try:
                js = json.loads(body)
            except ValueError:
                pass
        self.nreq += 1
        seq = next(SEQ)
        rec = dict(
            kind="request",
            seq=seq,
            conn=self.conn,
            conn_req=self.nreq,
            method=method,
            target=target,
            version=version,
            headers=hdrs,
            wire_bytes=len(wire),
            body_bytes=len(body or b""),
        )
        if derr:
            rec["decode_error"] = derr
        if js is not None:
            rec["json"] = js
        elif body:
            rec["text"] = body.decode("utf8", "replace")
        self.srv.log.write(**rec)
        path = target.split("?")[0]
        if "websocket" in h.get("upgrade", "").lower():
            return self.websocket(h, seq, path)
        act = self.srv.route(method, path, js)
        keep = self.perform(act, seq, version)
        return keep and h.get("connection", "").lower() != "close"

    # --- plain HTTP answers
    def head(self, status, headers):
        out = ["HTTP/1.1 %d %s" % (status, REASON.get(status, "Mock"))]
        out += ["%s: %s" % kv for kv in headers.items()]
        return ("\r\n".join(out) + "\r\n\r\n").encode("latin1")

    def perform(self, act, seq, version):
        log, k = self.srv.log, act["kind"]
        if k == "drop":
            log.write(kind="response", seq=seq, action="drop")
            return False
        if k == "hang":
            log.write(kind="response", seq=seq, action="hang")
            self.wait_gone(act["secs"], seq)
            return False
        if k in ("json", "raw"):
            b = (json.dumps(act["body"]) if k == "json" else act["text"]).encode()
            hd = {"Content-Type": "application/json", **act.get("headers", {}), "Content-Length": str(len(b))}
            self.s.sendall(self.head(act["status"], hd) + b)
            log.write(kind="response", seq=seq, status=act["status"], body=act.get("body", act.get("text")))
            return True
        # sse
        nl, framing = act.get("nl", "\n"), act.get("framing", "chunked")
        hd = {
            "Content-Type": act.get("ctype", "text/event-stream"),
            "Cache-Control": "no-cache",
            **act.get("headers", {}),
        }
        blocks = []
        for name, p in act["events"]:
            sp = "" if act.get("nospace") else " "
            b = "" if act.get("noevent") else "event:" + sp + name + nl
            blocks.append((b + "data:" + sp + json.dumps(p, ensure_ascii=False) + nl + nl).encode())
        if act.get("done"):
            blocks.append(("data: [DONE]" + nl + nl).encode())
        if act.get("inject"):
            blocks.insert(act["inject"][0], act["inject"][1].encode())
        total = sum(map(len, blocks))
        if framing == "chunked":
            hd["Transfer-Encoding"] = "chunked"
        elif framing == "length":
            hd["Content-Length"] = str(total)
        else:
            hd["Connection"] = "close"
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.s.sendall(self.head(200, hd))

        def put(b):
            if framing == "chunked":
                b = b"%x\r\n" % len(b) + b + b"\r\n"
            self.s.sendall(b)

        sent = 0
        try:
            end = time.time() + act.get("comments", 0)
            while time.time() < end:
                put(act.get("ping", b": keepalive\n\n"))
                time.sleep(0.5)
            if act.get("onewrite"):
                whole = b"".join(blocks)
                end = b"%x\r\n" % len(whole) + whole + b"\r\n0\r\n\r\n" if framing == "chunked" else whole
                self.s.sendall(end)
                log.write(kind="response", seq=seq, status=200, events=len(blocks), then="ok", bytes=total)
                return framing != "close"
            for b in blocks:
                if act.get("split"):
                    for i in range(0, len(b), act["split"]):
                        put(b[i : i + act["split"]])
                else:
                    put(b)
                sent += 1
                if act.get("gap"):
                    time.sleep(act["gap"])
            then = act.get("then", "ok")
            if then in ("stall", "linger"):
                log.write(kind="response", seq=seq, status=200, events=sent, then=then)
                self.wait_gone(act["secs"], seq)
                return False
            if then == "rst":
                self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.s.close()
            log.write(
                kind="response",
                seq=seq,
                status=200,
                events=sent,
                then=then,
                bytes=total,
                types=[n for n, _ in act["events"]],
            )
            if then != "ok":
                return False
            if framing == "chunked":
                self.s.sendall(b"0\r\n\r\n")
            return framing != "close"
        except OSError as e:
            log.write(kind="response", seq=seq, status=200, events=sent, client_gone=repr(e))
            return False

    def wait_gone(self, secs, seq):
        t = time.time()
        self.s.settimeout(secs)
        try:
            d = self.s.recv(1)
            self.srv.log.write(
                kind="client_closed" if not d else "client_sent", seq=seq, after=round(time.time() - t, 2)
            )
        except socket.timeout:
            self.srv.log.write(kind="gave_up_waiting", seq=seq, after=secs)
        except OSError as e:
            self.srv.log.write(kind="client_closed", seq=seq, after=round(time.time() - t, 2), why=repr(e))
        self.s.settimeout(None)

    # --- WebSocket answers
    def websocket(self, h, seq, path):
        log, mode = self.srv.log, self.srv.ctx["ws"]
        if mode != "accept":
            st = int(mode)
            self.perform(err(st, "no_ws", "websocket not supported here"), seq, "HTTP/1.1")
            return st not in (426,)
        key = base64.b64encode(
            hashlib.sha1((h["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        ).decode()
        hd = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": key}
        self.s.sendall(self.head(101, hd))
        log.write(kind="response", seq=seq, status=101)
        msg = b""
        while True:
            b0, b1 = self.take(2)
            op, n = b0 & 15, b1 & 127
            if n == 126:
                n = struct.unpack(">H", self.take(2))[0]
            elif n == 127:
                n = struct.unpack(">Q", self.take(8))[0]
            mask = self.take(4) if b1 & 128 else b"\0\0\0\0"
            d = bytearray(self.take(n))
            for i in range(n):
                d[i] ^= mask[i & 3]
            if op == 8:
                log.write(
                    kind="ws_close", conn=self.conn, code=struct.unpack(">H", d[:2])[0] if n >= 2 else None
                )
                self.frame(8, bytes(d[:2]))
                return False
            if op == 9:
                log.write(kind="ws_ping", conn=self.conn)
                self.frame(10, bytes(d))
                continue
            if op == 10:
                continue
            msg += bytes(d)
            if not b0 & 128:
                continue
            text, msg = msg, b""
            js = json.loads(text)
            s2 = next(SEQ)
            log.write(kind="ws_message", seq=s2, conn=self.conn, body_bytes=len(text), rsv=b0 & 0x70, json=js)
            if js.get("type") == "response.create" and js.get("generate") is False:  # prewarm
                st = Stream(js)
                act = sse(st.start().completed())
            else:
                act = self.srv.route("WS", path, js)
            if act["kind"] == "json":
                e = act["body"].get("error", act["body"])
                self.frame(
                    1,
                    json.dumps(
                        {"type": "error", "status": act["status"], "error": e, "headers": act["headers"]}
                    ).encode(),
                )
                log.write(kind="ws_response", seq=s2, error=act["status"])
                continue
            if act["kind"] != "sse":
                return False
            for _n, p in act["events"]:
                self.frame(1, json.dumps(p).encode())
                if act.get("gap"):
                    time.sleep(act["gap"])
            log.write(kind="ws_response", seq=s2, events=len(act["events"]), then=act.get("then", "ok"))
            if act.get("then", "ok") == "stall":
                self.wait_gone(act["secs"], s2)
                return False
            if act.get("then", "ok") != "ok":
                return False

    def frame(self, op, d):
        n = len(d)
        hd = bytes([0x80 | op]) + (
            bytes([n])
            if n < 126
            else b"\x7e" + struct.pack(">H", n) if n < 65536 else b"\x7f" + struct.pack(">Q", n)
        )
        self.s.sendall(hd + d)


class Server:
    def __init__(self, a, log):
        self.log = log
        self.ctx = {"n": 0, "set": dict(x.split("=", 1) for x in a.set), "models": a.models, "ws": a.ws}
        self.slugs = a.model or ["mock-model", "gpt-5.2-codex"]
        self.fn = S[a.scenario][0]

    def route(self, method, path, js):
        p = path.rstrip("/")
        if p.endswith("/models") and method == "GET":
            return models_response(self.ctx, self.slugs)
        if p.endswith("/responses/compact") and method == "POST":
            return {
                "kind": "json",
                "status": 200,
                "headers": {},
                "body": {
                    "id": rid("resp"),
                    "object": "response.compaction",
                    "created_at": int(time.time()),
                    "output": [{"type": "compaction", "encrypted_content": "mockcompaction=="}],
                    "usage": USAGE,
                },
            }
        if p.endswith("/responses") and method in ("POST", "WS"):
            with LOCK:
                self.ctx["n"] += 1
                c = dict(self.ctx)
            if any(i.get("type") == "compaction_trigger" for i in all_items(js)[-1:]):  # remote compaction v2
                return sse(
                    Stream(js)
                    .start()
                    .item({"type": "compaction", "id": rid("cmp"), "encrypted_content": "mockcompaction=="})
                    .completed()
                )
            return self.fn(c, js)
        if p.endswith("/wham/accounts/check"):  # ChatGPT-login clients ask this before the first model call
            acct = {
                "id": self.ctx["set"].get("account", "acct-mock-0001"),
                "plan_type": "plus",
                "structure": "personal",
                "workspace_backend_origin": self.ctx["set"].get("origin", "NO_CONSTRAINT"),
                "account_routing_override": self.ctx["set"].get("routing", "NO_CONSTRAINT"),
            }
            return {
                "kind": "json",
                "status": 200,
                "headers": {},
                "body": {
                    "accounts": [acct],
                    "account_ordering": [acct["id"]],
                    "default_account_id": acct["id"],
                },
            }
        if p.endswith("/deviceauth/usercode"):
            return {
                "kind": "json",
                "status": 200,
                "headers": {},
                "body": {"device_auth_id": "deviceauth_mock", "user_code": "ABCD-12345", "interval": "1"},
            }
        if p.endswith("/deviceauth/token"):
            with LOCK:
                self.ctx["polls"] = self.ctx.get("polls", 0) + 1
                n = self.ctx["polls"]
            if n <= int(self.ctx["set"].get("polls", 2)):
                return err(403, "deviceauth_authorization_pending", "pending")
            return {
                "kind": "json",
                "status": 200,
                "headers": {},
                "body": {
                    "authorization_code": "ac_mock",
                    "code_challenge": "cc_mock",
                    "code_verifier": "cv_mock",
                },
            }
        if p.endswith("/oauth/revoke"):
            return {"kind": "json", "status": 200, "headers": {}, "body": {}}
        if p.endswith("/oauth/token"):
            return self.oauth(js)
        if method == "CONNECT":
            return err(403, "no_egress", "mock refuses CONNECT " + path)
        return err(404, "not_found", "mock has no %s %s" % (method, path))

    def oauth(self, js):
        code = self.ctx["set"].get("oauth", "ok")
        if code == "ok":

            def b(o):
                return base64.urlsafe_b64encode(json.dumps(o).encode()).rstrip(b"=").decode()

            now = int(time.time())
            acct = self.ctx["set"].get("account", "acct-mock-0001")
            jwt = (
                b({"alg": "none"})
                + "."
                + b(
                    {
                        "exp": now + 3600,
                        "iat": now,
                        "https://api.openai.com/auth": {
                            "chatgpt_plan_type": "plus",
                            "chatgpt_account_id": acct,
                            "chatgpt_user_id": "user-mock",
                        },
                    }
                )
                + ".c2ln"
            )
            return {
                "kind": "json",
                "status": 200,
                "headers": {},
                "body": {"id_token": jwt, "access_token": jwt, "refresh_token": "rt-mock-2"},
            }
        if code == "500":
            return err(500, "server_error", "oauth down")
        return err(401, code, "oauth says " + code)


def serve(s, addr, srv, ctx):
    if ctx:
        try:
            s = ctx.wrap_socket(s, server_side=True)
            srv.log.write(
                kind="tls",
                peer_port=addr[1],
                version=s.version(),
                alpn=s.selected_alpn_protocol(),
                reused=s.session_reused,
            )
        except OSError as e:
            srv.log.write(kind="tls_failed", peer_port=addr[1], why=repr(e))
            return
    Peer(s, addr, srv).run()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--host", default="127.0.0.1")
    ap.add_argument("--port", type=int, default=8765, help="0 picks a free one and prints it")
    ap.add_argument("--scenario", default="text", choices=sorted(S), metavar="NAME")
    ap.add_argument("--log", default="-")
    ap.add_argument(
        "--models", default="404", help="codex|codex-min|openai|both|empty|html|hang|<status>  (GET …/models)"
    )
    ap.add_argument("--model", action="append", help="slug to list; repeatable")
    ap.add_argument("--ws", default="404", help="accept | <status> for WebSocket upgrades")
    ap.add_argument("--set", action="append", default=[], metavar="K=V", help="scenario knobs")
    ap.add_argument(
        "--tls",
        nargs=2,
        metavar=("CERT", "KEY"),
        help="serve TLS; offers ALPN h2 and http/1.1 only to log the choice",
    )
    ap.add_argument("--alpn", default="http/1.1", help="comma list offered in ALPN")
    ap.add_argument("--list", action="store_true")
    a = ap.parse_args()
    if a.list:
        for k in sorted(S):
            print("%-26s %s" % (k, S[k][1]))
        return
    ls = socket.socket()
    ls.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ls.bind((a.host, a.port))
    ls.listen(64)
    log = Log(a.log)
    srv = Server(a, log)
    ctx = None
    if a.tls:
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(*a.tls)
        ctx.set_alpn_protocols(a.alpn.split(","))
    log.write(
        kind="listening",
        port=ls.getsockname()[1],
        scenario=a.scenario,
        models=a.models,
        ws=a.ws,
        set=srv.ctx["set"],
    )
    print(
        "listening on %s:%d scenario=%s" % (a.host, ls.getsockname()[1], a.scenario),
        file=sys.stderr,
        flush=True,
    )
    try:
        while True:
            s, addr = ls.accept()
            threading.Thread(target=serve, args=(s, addr, srv, ctx), daemon=True).start()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
