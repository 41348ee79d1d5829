# SPDX-License-Identifier: Apache-2.0
"""A threaded HTTP server that validates requests strictly, logs them and answers from a script."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import chat, gemini, messages, responses
from .script import Refusal, Text, Turn

DIALECTS = {"chat": chat, "gemini": gemini, "messages": messages, "responses": responses}

# What requests without tools are told (titles, summaries): they are no part of the script.
ASIDE = Turn((Text('{"title": "A test"}'),))


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # Clients and gateways close connections when they have what they want.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class StrictUpstream:
    """An upstream of one dialect, as a context manager.

    turns: told one after the other to requests that offer tools; the last one stays. lenient: what a provider would
    refuse is noted and answered all the same.
    While `is_down` is set it answers 503 to everything. `refuse`, if set, is called with each
    body and returns None or (status, error object) to answer with.
    `requests` are the bodies in the order of their arrival, `refusals` the messages of those answered with 400.
    """

    def __init__(self, dialect, turns=(), lenient=False):
        self.dialect = DIALECTS[dialect]
        self.lenient = lenient
        self.lock = threading.Lock()
        self.begin(turns)

    def begin(self, turns):
        """Forget everything and tell these turns from now on."""
        with self.lock:
            self.turns = list(turns)
            self.requests = []
            self.refusals = []
            self.told = 0
            self.is_down = False
            self.refuse = None

    def __enter__(self):
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                upstream.answer(self, body)

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """End it; a second time does nothing."""
        if self.thread.is_alive():
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()

    def next_turn(self, body):
        with self.lock:
            self.requests.append(body)
            if not self.dialect.offered(body):
                return ASIDE
            number = min(self.told, len(self.turns) - 1)
            self.told += 1
            return self.turns[number]

    def answer(self, handler, body):
        if self.is_down:
            return self.send(handler, 503, "text/plain", ["down for maintenance"])
        path = handler.path.split("?")[0]
        try:
            streaming = self.dialect.check(path, handler.path, handler.headers, body)
        except Refusal as refusal:
            with self.lock:
                self.refusals.append(refusal.message)
                if not self.lenient:
                    self.requests.append(body)
            if not self.lenient:
                error = json.dumps(self.dialect.error(refusal.message))
                return self.send(handler, 400, "application/json", [error])
            streaming = bool(body.get("stream")) or "streamGenerateContent" in path
        refusal = self.refuse(body) if self.refuse else None
        if refusal:
            status, error = refusal
            with self.lock:
                self.requests.append(body)
            return self.send(handler, status, "application/json", [json.dumps({"error": error})])
        turn = self.next_turn(body)
        if streaming:
            self.send(handler, 200, "text/event-stream", self.dialect.stream(turn, body))
        else:
            self.send(handler, 200, "application/json", [json.dumps(self.dialect.whole(turn, body))])

    @staticmethod
    def send(handler, status, content_type, chunks):
        handler.send_response(status)
        handler.send_header("content-type", content_type)
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        for chunk in chunks:
            data = chunk.encode()
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        handler.wfile.write(b"0\r\n\r\n")
