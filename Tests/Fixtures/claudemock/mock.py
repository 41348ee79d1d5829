#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logging mock of an Anthropic Messages upstream (stdlib only).

    python3 mock.py --port N --scenario NAME --log FILE [--fail-times K] [--delay S] [--arg JSON]

Every request is appended to FILE as one JSON line:
    {"n", "t", "method", "path", "query", "headers": [[name, value], ...],
     "body": <json or text>, "scenario", "status"}
Header order and spelling are kept as received. `--port 0` picks a free port
and prints it. `--list` prints the scenario names.

A scenario decides what POST /v1/messages answers. The other endpoints
(HEAD /, GET /v1/models, POST /v1/messages/count_tokens, ...) answer the same
way in every scenario.
"""

import argparse
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import failures  # noqa: F401 - registers its scenarios
import malformed  # noqa: F401
import scenarios  # noqa: F401
from events import HITS, SC, err, message

LOCK = threading.Lock()
SEQ = [0]


class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    opts = None

    def log_message(self, *a):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, BrokenPipeError):
            self.close_connection = True

    def _log(self, rec):
        with LOCK:
            SEQ[0] += 1
            rec["n"] = SEQ[0]
            if self.opts.log:
                with open(self.opts.log, "a") as f:
                    f.write(json.dumps(rec) + "\n")

    def _read(self):
        n = self.headers.get("content-length")
        if n is not None:
            return self.rfile.read(int(n))
        if "chunked" in (self.headers.get("transfer-encoding") or "").lower():
            out = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                if size == 0:
                    while self.rfile.readline() not in (b"\r\n", b"\n", b""):
                        pass
                    return out
                out += self.rfile.read(size)
                self.rfile.readline()
        return b""

    def _json(self, status, obj, headers=()):
        self._raw(status, [("content-type", "application/json"), *headers], json.dumps(obj).encode())

    def _raw(self, status, headers, data):
        self.send_response(status)
        self.send_header("request-id", "req_mock_0001")
        for k, v in headers:
            self.send_header(k, v)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _sse(self, it, cut=False):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("cache-control", "no-cache")
        self.send_header("request-id", "req_mock_0001")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in it:
            self.wfile.write(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
            self.wfile.flush()
        if cut:
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(b"0\r\n\r\n")

    def _go(self):
        raw = self._read()
        u = urlsplit(self.path)
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw.decode("utf-8", "replace")
        rec = {
            "t": round(time.time(), 3),
            "method": self.command,
            "path": u.path,
            "query": u.query,
            "headers": [[k, v] for k, v in self.headers.items()],
            "body": body,
            "scenario": self.opts.scenario,
        }
        p = u.path.rstrip("/")
        if self.command == "POST" and p.endswith("/messages/count_tokens"):
            rec["status"] = 200
            self._log(rec)
            return self._json(200, {"input_tokens": max(1, len(raw) // 4)})
        if self.command == "POST" and p.endswith("/messages"):
            with LOCK:
                HITS["messages"] += 1
            b = body if isinstance(body, dict) else {}
            bad = [k for k in self.opts.reject.split(",") if k and k in b]
            if bad:
                r = err(400, "invalid_request_error", "%s: Extra inputs are not permitted" % bad[0])
                with LOCK:
                    HITS["messages"] -= 1
            else:
                r = SC[self.opts.scenario](b, self.opts)
            if (
                r[0] in ("sse", "cut")
                and not b.get("stream")
                and self.opts.scenario != "json-instead"
                and r[1] is not None
            ):
                rec["status"] = 200
                self._log(rec)
                return self._json(200, message(b, "non-streaming answer"))
            rec["status"] = 200 if r[0] == "sse" else (0 if r[0] == "cut" else r[1])
            self._log(rec)
            if r[0] == "sse":
                return self._sse(r[1])
            if r[0] == "cut":
                if r[1] is None:
                    self.close_connection = True
                    return self.connection.close()
                return self._sse(r[1], cut=True)
            if r[0] == "json":
                return self._json(r[1], r[3], r[2])
            return self._raw(r[1], r[2], r[3])
        if self.command == "GET" and p.endswith("/models"):
            rec["status"] = 200
            self._log(rec)
            ids = ["claude-opus-mock", "claude-sonnet-mock", "claude-haiku-mock", "qwen3-coder"]
            return self._json(
                200,
                {
                    "data": [
                        {"type": "model", "id": i, "display_name": i, "created_at": "2026-01-01T00:00:00Z"}
                        for i in ids
                    ],
                    "has_more": False,
                    "first_id": ids[0],
                    "last_id": ids[-1],
                },
            )
        if self.command == "HEAD":
            rec["status"] = 200
            self._log(rec)
            return self._raw(200, [], b"")
        rec["status"] = 404
        self._log(rec)
        return self._json(
            404, {"type": "error", "error": {"type": "not_found_error", "message": "Not found"}}
        )

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _go


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--port", type=int, default=0)
    ap.add_argument("--host", default="127.0.0.1")
    ap.add_argument("--scenario", default="text")
    ap.add_argument("--log", default="")
    ap.add_argument(
        "--fail-times", type=int, default=0, help="err-*: succeed after this many failures (0 = never)"
    )
    ap.add_argument("--arg", default="", help="tool-any / err-arg: JSON")
    ap.add_argument("--reject", default="", help="comma list of top-level body keys that get a 400")
    ap.add_argument("--delay", type=float, default=5.0, help="slow / stall*: seconds")
    ap.add_argument("--list", action="store_true")
    o = ap.parse_args()
    if o.list:
        for k in SC:
            print("%-20s %s" % (k, (SC[k].__doc__ or "").strip()))
        return
    if o.scenario not in SC:
        sys.exit("unknown scenario %r; see --list" % o.scenario)
    H.opts = o
    ThreadingHTTPServer.daemon_threads = True
    srv = ThreadingHTTPServer((o.host, o.port), H)
    print("mock on %s:%d scenario=%s" % (o.host, srv.server_address[1], o.scenario), flush=True)
    try:
        srv.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
