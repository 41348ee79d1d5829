# SPDX-License-Identifier: Apache-2.0
"""How long after a token endpoint has answered the last request with the old token arrives at the provider.

    tokens.py CCR LOADGEN      prints the times of twenty changes in milliseconds
"""

import http.server
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

WORKERS = 4
# Requests a second: each worker is asked every few milliseconds, and none has to wait for the provider.
RATE = 600
CHANGES = 20
ANSWER = json.dumps({
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "mock-20-0",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
}).encode()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """The gateway's connections end with it."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Token endpoint and provider in one: notes when each token was given out, and when it was used last."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    given, used, lock = [], {}, threading.Lock()

    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/token":
            token = f"token-{len(self.given)}"
            self.answer(json.dumps({"access_token": token, "expires_in": 3600}).encode())
            self.given.append(time.monotonic())
            return
        with self.lock:
            self.used[self.headers["Authorization"]] = time.monotonic()
        self.answer(ANSWER)

    def answer(self, body):
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def configuration(port, url, work):
    key = pathlib.Path(work, "secret")
    key.write_text("secret\n")
    key.chmod(0o600)
    credential = {
        "name": "main", "kind": "oauth2_cc", "token_url": f"{url}/token", "client_id": "bench",
        "client_secret": f"file:{key}",
    }
    provider = {
        "name": "mock", "api_base_url": f"{url}/v1", "dialects": ["chat"], "models": ["mock-20-0"],
        "workers": WORKERS, "credentials": [credential],
    }
    return {"HOST": "127.0.0.1", "PORT": port, "STATE_DIR": f"{work}/state", "Providers": [provider]}


def wait(what, condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.005)


def measure(ccr, loadgen):
    """The times of all changes in milliseconds; 0 when no request came with the old token afterwards."""
    Handler.given, Handler.used = [], {}
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.socket() as s, tempfile.TemporaryDirectory(prefix="ccr-bench.") as work:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        s.close()
        config = pathlib.Path(work, "config.json")
        config.write_text(json.dumps(configuration(port, f"http://127.0.0.1:{server.server_address[1]}", work)))
        pathlib.Path(work, "state").mkdir()
        children = [start([ccr, "run", "--config", str(config)])]
        try:
            wait("the first token", lambda: Handler.given)
            wait("the gateway", lambda: answers(port))
            children.append(start([
                loadgen, "-p", str(port), "-u", "/v1/chat/completions", "-m", "rate", "-r", str(RATE), "-c", "64",
                "-d", "60", "-M", "mock-20-0"]))
            return [change(ccr, config) for _ in range(CHANGES)]
        finally:
            for child in reversed(children):
                child.terminate()
                child.wait()
            server.shutdown()
            server.server_close()


def start(command):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
        return True
    except OSError:
        return False


def change(ccr, config):
    number = len(Handler.given)
    wait("requests", lambda: f"Bearer token-{number - 1}" in Handler.used)
    subprocess.run([ccr, "credentials", "refresh", "main", "--config", str(config)], check=True, stdout=subprocess.DEVNULL)
    wait("requests with the new token", lambda: f"Bearer token-{number}" in Handler.used)
    # Long enough for every worker to have been asked many times.
    time.sleep(0.3)
    return max(0.0, (Handler.used[f"Bearer token-{number - 1}"] - Handler.given[number]) * 1000)


if __name__ == "__main__":
    print(" ".join(f"{ms:.1f}" for ms in measure(*sys.argv[1:])))
