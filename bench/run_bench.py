#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the benchmark matrix and print what was measured beside the targets.

    run_bench.py [--quick] [--only TEST,...] [--systems a,b] [--rounds N] [--all]

Every system is pinned to one CPU, the mock upstream and the load generator share another, all on 127.0.0.1. Each test
of each round has fresh processes, and the systems come one after the other in it. The best round counts, see targets.py.
Every child runs in its own process group and is ended by it.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import quirks
import systems
import targets
import tokens

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHAT = "/v1/chat/completions"

# Arguments of loadgen per test. UP becomes the port of the mock upstream.
TESTS = {
    "ns-c1": "-m ns -c 1 -w 1 -M mock-20-0",
    "ns-c16": "-m ns -c 16 -w 1 -M mock-20-0",
    "ns-c64": "-m ns -c 64 -w 1 -M mock-20-0",
    "ns-c256": "-m ns -c 256 -w 1 -M mock-20-0",
    "b200k-c1": "-m ns -c 1 -w 1 -b 200000 -M mock-20-0",
    "b200k-c16": "-m ns -c 16 -w 1 -b 200000 -M mock-20-0",
    "b2m-c1": "-m ns -c 1 -w 1 -b 2000000 -M mock-20-0",
    "b2m-c4": "-m ns -c 4 -w 1 -b 2000000 -M mock-20-0",
    "stream2m-c1": "-m sse -c 1 -w 1 -b 2000000 -M mock-20-0 -e 20",
    "rate50": "-m rate -r 50 -c 256 -w 1 -M mock-20-0",
    "rate200": "-m rate -r 200 -c 256 -w 1 -M mock-20-0",
    "rate1000": "-m rate -r 1000 -c 256 -w 1 -M mock-20-0",
    "rate5000": "-m rate -r 5000 -c 256 -w 1 -M mock-20-0",
    "sse64-burst": "-m sse -c 64 -w 1 -M mock-200-0 -e 200",
    "sse64-paced": "-m sse -c 64 -w 1 -M mock-100-20 -e 100 -d 6",
    "verify": "-m sse -c 8 -n 64 -d 20 -M mock-200-0 -e 200 -H",
    "idle5000": "-m idle -c 5000 -R 500 -M mock-20-1000 -e 20 -d 60",
    "abort": "-m abort -c 64 -n 500 -k 10 -d 20 -M mock-500-5 -Q UP",
    "stall": "-m stall -c 20 -k 3 -d 6 -M mock-100000-0 -Q UP",
    # A client of Messages with a provider that speaks Chat only: for ccr-translating, see systems.py.
    "translate-burst": "-m sse -c 64 -w 1 -u /v1/messages -M mock-200-0 -e 200",
    "translate-2m": "-m ns -c 1 -w 1 -b 2000000 -u /v1/messages -M mock-20-0",
    "translate-long": "-m sse -c 8 -n 8 -d 30 -u /v1/messages -M mock-20000-0 -e 20000",
    "translate-short": "-m sse -c 8 -n 800 -d 30 -u /v1/messages -M mock-200-0 -e 200",
}
# Measured here, not by loadgen: time from start to first answer, PSS of an idle stack, behaviour probes, how soon a new
# token is used, and what rules and providers cost, by bench-routing.
OWN = ["start", "idle-pss", "quirks", "token-change", "routing"]
# The tests that the targets need.
TRANSLATION = ["translate-burst", "translate-2m", "translate-short", "translate-long"]
SPEED = ["ns-c1", "ns-c16", "b2m-c1", "stream2m-c1", "sse64-burst", "sse64-paced", "verify", "idle5000", "abort"]
SPEED += TRANSLATION + OWN
# What the shape costs at least (handoff.c): small requests.
SMALL = ["ns-c1", "ns-c16"]
# What a credential that the refresher keeps costs.
CREDENTIAL = ["ns-c16", "token-change"]
# Run once, whatever the number of rounds.
ONCE = ["verify", "idle5000", "stall", "quirks", "idle-pss"]
# What the peers are not needed for when time is short.
CCR_ONLY_WHEN_QUICK = ["idle5000", "abort", "quirks", "start", "idle-pss", "verify"]

children = []


def options():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--quick", action="store_true", help="one short round, fewer systems (1-2 minutes)")
    ap.add_argument(
        "--only", default="", metavar="TEST,...", help="only these tests: " + " ".join([*TESTS, *OWN])
    )
    ap.add_argument("--all", action="store_true", help="the whole matrix, not only what the targets need")
    ap.add_argument("--systems", default="", metavar="NAME,...", help="of: " + " ".join(systems.NAMES))
    ap.add_argument("--rounds", type=int, default=0, help="default 6 (1 with --quick)")
    ap.add_argument("--secs", type=float, default=0, help="seconds per closed-loop test, default 1.5")
    ap.add_argument("--ccr", default=str(ROOT / ".build/release/ccr"), help="the gateway's program")
    ap.add_argument(
        "--routing", default=str(ROOT / ".build/release/bench-routing"), help="the program of bench/routing"
    )
    ap.add_argument(
        "--bin", default=str(ROOT / "build/bench"), help="folder of the programs written in C"
    )
    ap.add_argument("--out", default="", help="JSON lines; default build/bench/results-TIME.jsonl")
    ap.add_argument("--proxy-cpu", default="1")
    ap.add_argument("--load-cpu", default="0")
    a = ap.parse_args()
    a.rounds = a.rounds or (1 if a.quick else 6)
    a.secs = a.secs or 1.5
    if (os.cpu_count() or 1) < 2:
        print("only one CPU here: systems and load share it, so latencies mean little")
        a.proxy_cpu = a.load_cpu = "0"
    a.tests = [x for x in a.only.split(",") if x] or ([*TESTS, *OWN] if a.all else SPEED)
    default = "nginx,haproxy,handoff,ccr,ccr-translating,ccr-credential"
    if not a.quick:
        default = "direct,relay-2hop," + default
    a.names = [x for x in (a.systems or default).split(",") if x]
    for known, asked in (([*TESTS, *OWN], a.tests), (systems.NAMES, a.names)):
        unknown = [x for x in asked if x not in known]
        if unknown:
            sys.exit(f"unknown: {', '.join(unknown)}; known are {', '.join(known)}")
    if "direct" not in a.names and "verify" in a.tests:
        a.names.insert(0, "direct")
    return a


def environment():
    env = {k: v for k, v in os.environ.items() if k.lower() not in ("http_proxy", "https_proxy", "all_proxy")}
    return {**env, "NO_PROXY": "*"}


def start(command, cpu, work):
    """Start a child in its own process group on one CPU; its output goes to a log file in the work folder."""
    with open(pathlib.Path(work) / ("log." + os.path.basename(command[0])), "ab") as log:
        child = subprocess.Popen(
            ["taskset", "-c", cpu, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(),
            start_new_session=True,
            cwd=work,
        )
    children.append(child)
    return child


def stop(child):
    """End a child's process group: SIGTERM, 3 s, SIGKILL."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(3)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child in children:
        children.remove(child)


def stop_all(*_):
    for child in list(children):
        stop(child)


def free_ports(names):
    """Distinct free ports on 127.0.0.1, one per name."""
    sockets = {name: socket.socket() for name in names}
    for s in sockets.values():
        s.bind(("127.0.0.1", 0))
    ports = {name: s.getsockname()[1] for name, s in sockets.items()}
    for s in sockets.values():
        s.close()
    return ports


def wait_port(port, child, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return True
        if child is not None and child.poll() is not None:
            return False
        time.sleep(0.02)
    return False


def tree(pid):
    """A process and all its descendants."""
    found, queue = [], [pid]
    while queue:
        p = queue.pop()
        found.append(p)
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{p}/task").iterdir():
                with contextlib.suppress(OSError):
                    queue += [int(x) for x in (task / "children").read_text().split()]
    return found


def pss_kb(pids):
    """Sum of the proportional set sizes of these processes, in KiB, and each one's share by name."""
    total, each = 0, {}
    for pid in pids:
        with contextlib.suppress(OSError):
            name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kb = int(line.split()[1])
                    total += kb
                    each[f"{name}.{pid}"] = kb
    return total, each


def ask(port, path=CHAT, timeout=5):
    body = {"model": "mock-20-0", "messages": quirks.MESSAGES, "max_tokens": 10}
    return quirks.call(port, path, body, timeout=timeout)[0]


def running(children_of):
    return all(c.poll() is None for c in children_of)


def digest(row):
    """One line about a result of loadgen, while the run goes on."""
    if row["mode"] == "abort":
        text = f"{row['mock_aborted']} of {row['aborted']} cancelled, last after {row['upstream_cancel_ms']:.1f} ms"
    elif "chunks" in row:
        text = f"{row['chunks_s']:8.0f} chunk/s  TTFT p50 {row['ttft_us']['p50'] / 1000:.1f} ms  "
        text += f"CPU {row['cpu_us_per_chunk']:.1f} us/chunk  RSS {row['rss_kb'][1] / 1024:.0f} MB"
    else:
        text = (
            f"{row['rps']:8.0f} req/s  p50 {row['lat_us']['p50']:.0f} us  p99 {row['lat_us']['p99']:.0f} us  "
        )
        text += f"CPU {row['cpu_ms_per_req'] * 1000:.1f} us/req"
    return text + (f"  {row['err']} errors: {row['errsample'][:70]}" if row["err"] else "")


class Bench:
    def __init__(self, a, work, out):
        self.a, self.work, self.out = a, work, out
        self.rows = []
        self.ports = free_ports(["up", "relay", "nginx", "haproxy", "ccr"])
        self.systems = systems.build(a.names, a.bin, work, a.ccr, self.ports)

    def record(self, row):
        self.rows.append(row)
        self.out.write(json.dumps(row) + "\n")
        self.out.flush()

    def mock(self):
        child = start(
            [f"{self.a.bin}/mock_upstream", "-p", str(self.ports["up"])], self.a.load_cpu, self.work
        )
        if not wait_port(self.ports["up"], child):
            sys.exit("the mock upstream does not start")
        return child

    def wants(self, name, test, round_):
        """Whether a test is for this system in this round."""
        is_floor = name == "direct" or name.startswith("relay")
        if round_ and is_floor:
            return False
        if test == "routing" or round_ and test in ONCE or (test in TRANSLATION) != (name == "ccr-translating"):
            return False
        if name == "handoff" and test not in SMALL:
            return False
        if test not in CREDENTIAL if name == "ccr-credential" else test == "token-change":
            return False
        if self.a.quick and not self.a.systems and not name.startswith("ccr") and test in CCR_ONLY_WHEN_QUICK:
            return test == "verify" and name == "direct"
        if name == "direct" and self.a.quick and test != "verify":
            return False
        return not (is_floor and test in OWN)

    def run(self):
        if "routing" in self.a.tests:
            self.measure_routing()
        present = [name for name in self.a.names if not self.systems[name]["missing"]]
        for name in self.a.names:
            if name not in present:
                print(f"{name}: program not found, left out", flush=True)
        # All systems in one test before the next one: what the host does changes within minutes.
        for round_ in range(self.a.rounds):
            for test in self.a.tests:
                for name in present:
                    if self.wants(name, test, round_):
                        self.run_system(name, test, round_)

    def run_system(self, name, test, round_):
        mock = self.mock()
        try:
            if test == "start":
                self.measure_start(name, round_)
            elif test == "token-change":
                self.measure_change(name, round_)
            else:
                self.run_test(name, test, round_, mock)
        finally:
            stop(mock)
            time.sleep(0.1)

    def run_test(self, name, test, round_, mock):
        """One test with fresh processes of one system."""
        system = self.systems[name]
        procs = [start(c, self.a.proxy_cpu, self.work) for c in system["commands"]]
        try:
            if not wait_port(system["port"], procs[-1] if procs else None):
                print(f"{name}: does not listen; see {self.work}/log.*", flush=True)
                return
            time.sleep(0.3)
            if test == "idle-pss":
                self.measure_idle(name, round_, procs)
            elif test == "quirks":
                self.probe(name, round_)
            else:
                self.load(name, round_, test, procs or [mock])
            if not running(procs):
                print(f"{name}: ended during {test}; see {self.work}/log.*", flush=True)
        finally:
            for p in procs:
                stop(p)

    def measure_routing(self):
        """CPU time of front's decision about one small request, without and with rules and providers."""
        if not os.access(self.a.routing, os.X_OK):
            print(f"{self.a.routing}: program not found, left out", flush=True)
            return
        configs = []
        for make in (systems.ccr_config, systems.routed_config):
            configs.append(pathlib.Path(self.work) / f"routing-{make.__name__}.json")
            configs[-1].write_text(json.dumps(make(self.ports["ccr"], self.ports["up"], self.work)))
        command = ["taskset", "-c", self.a.proxy_cpu, self.a.routing, *map(str, configs)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=150)
        if done.returncode:
            print(f"routing: {done.stderr[:200]}", flush=True)
            return
        row = {"name": "ccr", "test": "routing", "round": 0, **json.loads(done.stdout)}
        self.record(row)
        one, other, added = (row[key]["median"] / 1000 for key in ("one_ns", "other_ns", "added_ns"))
        print(f"{'ccr':12s} routing      r0 {one:.2f} us alone, {other:.2f} us, {added:.2f} us added", flush=True)

    def measure_start(self, name, round_):
        """Time from exec to the first answer of the upstream, in ms; five starts."""
        system, times = self.systems[name], []
        for _ in range(5):
            t = time.monotonic()
            procs = [start(c, self.a.proxy_cpu, self.work) for c in system["commands"]]
            while time.monotonic() - t < 10 and running(procs):
                if ask(system["port"]) == 200:
                    times.append((time.monotonic() - t) * 1000)
                    break
                time.sleep(0.001)
            for p in procs:
                stop(p)
        if times:
            ms = statistics.median(times)
            self.record({"name": name, "test": "start", "round": round_, "ms": ms, "all_ms": times})
            print(f"{name:12s} start        r{round_} {ms:.0f} ms to the first answer", flush=True)

    def measure_change(self, name, round_):
        """How long after the token endpoint's answer requests came with the old token, in ms."""
        times = tokens.measure(self.a.ccr, f"{self.a.bin}/loadgen")
        middle, worst = statistics.median(times), max(times)
        self.record({"name": name, "test": "token-change", "round": round_, "ms": middle, "worst_ms": worst, "all_ms": times})
        print(f"{name:12s} token-change r{round_} {middle:.1f} ms until the last old token, worst {worst:.1f} ms", flush=True)

    def measure_idle(self, name, round_, procs):
        """PSS of all processes two seconds after one request in each dialect."""
        for path in (CHAT, "/v1/messages", "/v1/responses"):
            ask(self.systems[name]["port"], path)
        time.sleep(2)
        total, each = pss_kb([q for p in procs for q in tree(p.pid)])
        self.record({"name": name, "test": "idle-pss", "round": round_, "pss_kb": total, "each_kb": each})
        print(f"{name:12s} idle-pss     r{round_} {total / 1024:.1f} MB {each}", flush=True)

    def probe(self, name, round_):
        results = quirks.probe(self.systems[name]["port"])
        row = {"name": name, "test": "quirks", "round": round_, "probes": results}
        self.record(row)
        for probe, passed, seen in results:
            print(f"{name:12s} quirks       {'pass' if passed else 'FAIL'}  {probe}: {seen}", flush=True)

    def load(self, name, round_, test, procs):
        args = TESTS[test].replace("UP", str(self.ports["up"])).split()
        if "-d" not in args:
            args += ["-d", str(self.a.secs)]
        if self.a.quick and test == "sse64-paced":
            args[args.index("-d") + 1] = "4"
        pids = ",".join(str(p.pid) for p in procs)
        command = [
            "taskset",
            "-c",
            self.a.load_cpu,
            f"{self.a.bin}/loadgen",
            "-p",
            str(self.systems[name]["port"]),
        ]
        command += ["-u", CHAT, "-P", pids, "-T", "-N", name, *args]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=150)
            row = json.loads(done.stdout)
        except subprocess.TimeoutExpired:
            print(f"{name:12s} {test:12s} r{round_} no end after 150 s", flush=True)
            return
        except ValueError:
            print(f"{name:12s} {test:12s} r{round_} no result: {done.stderr[:200]}", flush=True)
            return
        self.record({**row, "test": test, "round": round_})
        print(f"{name:12s} {test:12s} r{round_} {digest(row)}", flush=True)


def main():
    a = options()
    out = pathlib.Path(a.out or pathlib.Path(a.bin) / time.strftime("results-%Y%m%d-%H%M%S.jsonl"))
    out.parent.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    t = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ccr-bench.") as work, out.open("a") as f:
        bench = Bench(a, work, f)
        try:
            bench.run()
        except KeyboardInterrupt:
            print("interrupted; what was measured so far:")
        finally:
            stop_all()
            logs = out.with_suffix(".logs")
            logs.mkdir(exist_ok=True)
            for log in pathlib.Path(work).glob("log.*"):
                (logs / log.name).write_bytes(log.read_bytes()[-1_000_000:])
    print()
    print(targets.table(bench.rows))
    print(f"\n{len(bench.rows)} results in {time.monotonic() - t:.0f} s: {out}")


if __name__ == "__main__":
    main()
