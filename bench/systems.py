# SPDX-License-Identifier: Apache-2.0
"""The systems that a benchmark run compares: their commands and configuration files.

Each is as small as it honestly can be: no access log, keep-alive to the upstream, no buffering of bodies.
"""

import json
import os
import pathlib
import shutil

MODELS = [
    "mock-20-0",
    "mock-200-0",
    "mock-100-20",
    "mock-20-1000",
    "mock-500-5",
    "mock-100000-0",
    "mock-3-0",
    "mock-20-5-0-die",
    "mock-20-5-0-err",
    "mock-20000-0",
]

NGINX = """daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 20000;
pid {work}/nginx.pid;
error_log {work}/nginx.err warn;
events {{ worker_connections 19000; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_max_body_size 0;
    client_body_temp_path {work}/nginx-body;
    proxy_temp_path {work}/nginx-proxy;
    fastcgi_temp_path {work}/nginx-fastcgi;
    uwsgi_temp_path {work}/nginx-uwsgi;
    scgi_temp_path {work}/nginx-scgi;
    upstream mock {{
        server 127.0.0.1:{up};
        keepalive 1024;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_read_timeout 600s;
        }}
    }}
}}
"""

HAPROXY = """global
  nbthread 1
  maxconn 9500
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  http-reuse always
  option http-no-delay
frontend f
  bind 127.0.0.1:{port} backlog 4096
  default_backend b
backend b
  server s 127.0.0.1:{up} pool-max-conn 2000
"""


def ccr_config(port, up, work):
    """Configuration of ccr: one provider (the mock) that speaks all three dialects, no fallback."""
    mock = {"api_base_url": f"http://127.0.0.1:{up}/v1", "api_key": "sk-mock", "models": MODELS}
    return {
        "HOST": "127.0.0.1",
        "PORT": port,
        "STATE_DIR": f"{work}/ccr-state",
        "Providers": [
            {"name": "mock", "dialects": ["chat", "responses", "messages"], **mock},
        ],
    }


def translating_config(port, up, work):
    """The same with a provider that speaks Chat only."""
    config = ccr_config(port, up, work)
    config["STATE_DIR"] = f"{work}/ccr-translating-state"
    config["Providers"][0]["dialects"] = ["chat"]
    return config


def routed_config(port, up, work):
    """The same with ten providers and twenty rules that are all looked at and none of which decides."""
    config = ccr_config(port, up, work)
    mock = config["Providers"][0]
    config["Providers"] += [{**mock, "name": f"other{i}"} for i in range(9)]
    matches = [
        {"client": "codex", "min_tokens": 1000},
        {"model": "claude-*opus*"},
        {"headers": {"x-team": "a*"}},
        {"tools": ["Bash"], "has_image": True},
        {"kind": "subagent", "model": "*mini"},
    ]
    config["Rules"] = [
        {"name": f"rule {i}", "match": {**matches[i % 5], "max_tokens": 10_000_000 + i}, "route": "other1,mock-20-0"}
        for i in range(20)
    ]
    config["Router"] = {"background": "other2,mock-20-0", "subagent": "other3,mock-20-0", "webSearch": "other4,mock-20-0"}
    return config


def credential_config(port, up, work):
    """The same with a key that the refresher keeps, which the worker looks up for each request."""
    config = ccr_config(port, up, work)
    config["STATE_DIR"] = f"{work}/ccr-credential-state"
    key = pathlib.Path(work, "key")
    key.write_text("sk-mock\n")
    key.chmod(0o600)
    del config["Providers"][0]["api_key"]
    config["Providers"][0]["credentials"] = [{"name": "main", "kind": "static", "secret": f"file:{key}"}]
    return config


def program(name):
    """The path of a program, also of those in sbin folders that are not on a user's PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def build(names, binaries, work, ccr, ports):
    """Write the configuration files and return {name: {port, commands}} for the systems asked for.

    ports: name -> port, with `up` for the mock upstream. A system whose program is missing gets `missing`.
    """
    up = ports["up"]

    def write(name, text):
        path = pathlib.Path(work) / name
        path.write_text(text)
        return str(path)

    def direct():
        return [], up

    def relay(hops):
        listen, middle = str(ports["relay"]), f"{work}/relay.sock"
        one = f"{binaries}/relay"
        if hops == 1:
            return [[one, listen, str(up)]], ports["relay"]
        return [[one, middle, str(up)], [one, listen, middle]], ports["relay"]

    def handoff():
        return [[f"{binaries}/handoff", str(ports["relay"]), str(up)]], ports["relay"]

    def nginx():
        user = "user root;" if os.geteuid() == 0 else ""
        conf = write("nginx.conf", NGINX.format(user=user, work=work, port=ports["nginx"], up=up))
        return [[program("nginx"), "-p", work, "-c", conf, "-e", f"{work}/nginx.err"]], ports["nginx"]

    def haproxy():
        conf = write("haproxy.cfg", HAPROXY.format(port=ports["haproxy"], up=up))
        return [[program("haproxy"), "-f", conf]], ports["haproxy"]

    def gateway(make=ccr_config):
        config = make(ports["ccr"], up, work)
        pathlib.Path(config["STATE_DIR"]).mkdir(exist_ok=True)
        conf = write(f"{make.__name__}.json", json.dumps(config, indent=2))
        return [[ccr, "run", "--config", conf]], ports["ccr"]

    makers = {
        "direct": direct,
        "relay-1hop": lambda: relay(1),
        "relay-2hop": lambda: relay(2),
        "handoff": handoff,
        "nginx": nginx,
        "haproxy": haproxy,
        "ccr": gateway,
        "ccr-translating": lambda: gateway(translating_config),
        "ccr-credential": lambda: gateway(credential_config),
    }
    systems = {}
    for name in names:
        commands, port = makers[name]()
        missing = [c[0] for c in commands if not c[0] or not os.access(c[0], os.X_OK)]
        systems[name] = {"port": port, "commands": commands, "missing": bool(missing)}
    return systems


NAMES = ["direct", "relay-1hop", "relay-2hop", "handoff", "nginx", "haproxy"]
NAMES += ["ccr", "ccr-translating", "ccr-credential"]
