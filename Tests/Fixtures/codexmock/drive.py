#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run `codex exec` against mock.py for one scenario and print a digest.

    drive.py SCENARIO [--mock "ARGS"] [--toml LINES] [--config TEXT] ...

Environment: CODEX=path of the codex binary, OUT=folder for logs, HOMES=folder for the throw-away homes.
The word PORT in --config, --toml and --env becomes the port of the mock.
"""

import argparse
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


def options():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("scenario")
    ap.add_argument("--tag", default="", help="added to the names of the log files")
    ap.add_argument("--mock", default="", help="extra mock arguments")
    ap.add_argument("--c", action="append", default=[], help="codex -c override")
    ap.add_argument("--toml", default="", help="extra provider lines")
    ap.add_argument("--top", default="", help="extra top-level config lines")
    ap.add_argument("--args", default="", help="extra codex exec args")
    ap.add_argument("--model", default="gpt-5.2-codex")
    ap.add_argument("--prompt", default="say hello")
    ap.add_argument("--timeout", type=float, default=120)
    ap.add_argument("--ws", action="store_true")
    ap.add_argument("--resume", action="store_true", help="run a second turn with exec resume --last")
    ap.add_argument("--json", action="store_true")
    ap.add_argument("--quiet", action="store_true")
    ap.add_argument("--provider", default="mock")
    ap.add_argument("--config", help="config.toml text with PORT, replaces the generated one")
    ap.add_argument("--auth", help="auth.json text")
    ap.add_argument("--env", action="append", default=[], help="K=V")
    ap.add_argument("--tls", action="store_true", help="use tls/srv.pem, trust tls/ca.pem")
    ap.add_argument("--alpn", default="http/1.1")
    ap.add_argument("--keep", action="store_true")
    ap.add_argument("--name", default="Mock")
    return ap.parse_args()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_mock(a, port, log):
    command = [sys.executable, str(HERE / "mock.py"), "--port", str(port), "--scenario", a.scenario]
    command += ["--log", str(log)]
    if a.tls:
        command += ["--tls", str(HERE / "tls/srv.pem"), str(HERE / "tls/srv.key"), "--alpn", a.alpn]
    mock = subprocess.Popen(command + a.mock.split(), stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            break
        except OSError:
            time.sleep(0.05)
    return mock


def write_config(a, port, home):
    text = f"""
model = "{a.model}"
model_provider = "{a.provider}"
approval_policy = "never"
sandbox_mode = "danger-full-access"
{a.top}
[analytics]
enabled = false
[model_providers.{a.provider}]
name = "{a.name}"
base_url = "http://127.0.0.1:{port}/v1"
env_key = "MOCK_KEY"
wire_api = "responses"
supports_websockets = {"true" if a.ws else "false"}
{a.toml}
"""
    text = text if a.config is None else a.config
    (home / "config.toml").write_text(text.replace("PORT", str(port)))
    if a.auth:
        (home / "auth.json").write_text(a.auth)


def environment(a, port, home):
    proxy = f"http://127.0.0.1:{port}"
    env = {
        **os.environ,
        "HTTPS_PROXY": proxy,
        "HTTP_PROXY": proxy,
        "ALL_PROXY": proxy,
        "NO_PROXY": "127.0.0.1,localhost",
        "CODEX_HOME": str(home),
        "MOCK_KEY": "sk-mock-key",
        "HOME": str(home),
        "NO_COLOR": "1",
        "RUST_LOG": os.environ.get("RUST_LOG", "error"),
    }
    if a.tls:
        env["CODEX_CA_CERTIFICATE"] = env["SSL_CERT_FILE"] = str(HERE / "tls/ca.pem")
    env.update(dict(x.replace("PORT", str(port)).split("=", 1) for x in a.env))
    return env


def run(command, env, work, timeout):
    """One turn of Codex: exit status or "TIMEOUT", stdout, stderr, seconds."""
    t = time.time()
    try:
        p = subprocess.run(
            command,
            env=env,
            cwd=work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        status, out, err = p.returncode, p.stdout, p.stderr
    except subprocess.TimeoutExpired as e:
        status, out, err = "TIMEOUT", (e.stdout or b"").decode(), (e.stderr or b"").decode()
    return status, out, err, time.time() - t


def digest(a, tag, turns, log):
    print(f"## {tag}")
    for status, out, err, seconds in turns:
        print(f"rc={status} secs={seconds:.1f} stdout={out.strip()[:1500]!r}")
        lines = [x for x in err.splitlines() if x.strip() and not x.startswith("WARNING: proceeding")]
        if not a.quiet:
            print("stderr:", "\n   ".join(x[:400] for x in lines)[:3000])
    requests = []
    for x in map(json.loads, log.open()):
        if x["kind"] not in ("request", "ws_message") or (x.get("method") == "GET" and x["headers"] == []):
            continue
        size = x.get("wire_bytes", x.get("body_bytes"))
        requests.append((x["t"], x["conn"], x.get("method", "WS"), x.get("target", ""), size))
    print("requests:", requests)


def main():
    a = options()
    out = pathlib.Path(os.environ.get("OUT", HERE / "runs"))
    out.mkdir(parents=True, exist_ok=True)
    tag = a.scenario + (("." + a.tag) if a.tag else "")
    log = out / (tag + ".jsonl")
    log.unlink(missing_ok=True)
    port = free_port()
    mock = start_mock(a, port, log)
    home = pathlib.Path(tempfile.mkdtemp(prefix="codexhome.", dir=os.environ.get("HOMES")))
    work = pathlib.Path(tempfile.mkdtemp(prefix="codexwork.", dir=os.environ.get("HOMES")))
    write_config(a, port, home)
    env = environment(a, port, home)
    base = [os.environ.get("CODEX", "codex"), "exec", "--skip-git-repo-check", "-C", str(work)]
    base += ["--json"] if a.json else []
    base += [word for x in a.c for word in ("-c", x)] + a.args.split()
    turns = [run(base + [a.prompt], env, work, a.timeout)]
    if a.resume:
        turns.append(run(base + ["resume", "--last", "second turn"], env, work, a.timeout))
    time.sleep(0.2)
    mock.terminate()
    mock.wait()
    (out / (tag + ".out")).write_text(
        "\n=====\n".join(f"rc={x[0]} secs={x[3]:.1f}\n--stdout\n{x[1]}\n--stderr\n{x[2]}" for x in turns)
    )
    digest(a, tag, turns, log)
    print("files left in work:", [p.name for p in work.iterdir()])
    if a.keep:
        print("home", home, [str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()][:60])
    else:
        shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
