#!/usr/bin/env python3
"""Runs the Autobahn test suite as a client against each server, and checks its findings; README.md beside this says more.

usage: run.py --cases all|sample --wstest PATH --frankenphp PATH --standalone PATH --out FOLDER [--targets NAMES] [--update]
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import check

HERE = os.path.dirname(os.path.abspath(__file__))

# What is tested, in this order. "plain" and "tls" are two doors of the same server.
TARGETS = ["plain", "tls", "standalone"]

# A server that hangs, or a suite that does, ends the run; seconds.
TIME_LIMIT = {"sample": 180, "all": 1800}


def free_ports(count):
    """Ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


class Server:
    """A server's process, from its start until it accepts connections to its end."""

    def __init__(self, name, command, ports, out, env=None):
        self.log = os.path.join(out, name + ".log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **(env or {})})
        deadline = time.monotonic() + 60
        for port in ports:
            while not self._accepts(port):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    sys.exit(f"error: {name} does not accept connections; see {self.log}")
                time.sleep(0.05)

    @staticmethod
    def _accepts(port):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def run_suite(wstest, target, url, patterns, out, limit):
    """One run of the suite; its findings by case."""
    report = os.path.join(out, target)
    spec = os.path.join(out, target + ".json")
    with open(spec, "w", encoding="utf-8") as file:
        json.dump(
            {
                "outdir": report,
                "servers": [{"agent": target, "url": url}],
                "cases": patterns,
                "exclude-cases": [],
                "exclude-agent-cases": {},
            },
            file,
        )
    with open(os.path.join(out, target + ".wstest.log"), "wb") as log:
        try:
            subprocess.run([wstest, "-m", "fuzzingclient", "-s", spec], stdout=log, stderr=log, timeout=limit, check=False, cwd=out)
        except subprocess.TimeoutExpired:
            return {}, [f"the suite was not through after {limit} s; see {log.name}"]
    index = os.path.join(report, "index.json")
    if not os.path.exists(index):
        return {}, [f"the suite wrote no report; see {log.name}"]
    return check.found_in(index, target), []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", choices=["all", "sample"], required=True)
    for name in ("wstest", "frankenphp", "standalone", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--targets", default=",".join(TARGETS), help="some of plain,tls,standalone")
    parser.add_argument("--update", action="store_true", help="write expected.json from what is found")
    args = parser.parse_args()
    targets = args.targets.split(",")
    with open(os.path.join(HERE, "cases.json"), encoding="utf-8") as file:
        patterns = json.load(file)[args.cases]
    expectations = os.path.join(HERE, "expected.json")

    out = os.path.abspath(args.out)
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    plain, tls, standalone = free_ports(3)
    urls = {
        "plain": f"ws://127.0.0.1:{plain}/echo",
        "tls": f"wss://127.0.0.1:{tls}/echo",
        "standalone": f"ws://127.0.0.1:{standalone}/echo",
    }
    servers = []
    try:
        if {"plain", "tls"} & set(targets):
            home = {"XDG_DATA_HOME": out, "XDG_CONFIG_HOME": out, "PLAIN_PORT": str(plain), "TLS_PORT": str(tls)}
            command = [args.frankenphp, "run", "--adapter", "caddyfile", "--config", os.path.join(HERE, "Caddyfile")]
            servers.append(Server("frankenphp", command, [plain, tls], out, home))
        if "standalone" in targets:
            servers.append(Server("standalone", [args.standalone, f"127.0.0.1:{standalone}"], [standalone], out))
        # Two at a time: more would make each other slow.
        with ThreadPoolExecutor(2) as pool:
            runs = [pool.submit(run_suite, args.wstest, t, urls[t], patterns, out, TIME_LIMIT[args.cases]) for t in targets]
            results = [run.result() for run in runs]
    finally:
        for server in servers:
            server.stop()

    if args.update:
        merged = check.load(expectations) if os.path.exists(expectations) else {}
        merged.update(results[0][0])
        check.save(expectations, merged)
    expected = check.load(expectations)
    bad = False
    for target, (found, wrong) in zip(targets, results):
        wrong = wrong or check.complaints(expected, found, patterns)
        print(f"autobahn, {target}: {len(found)} cases: {check.summary(found)}")
        for sentence in wrong:
            print(f"autobahn, {target}: {sentence}", file=sys.stderr)
        bad = bad or bool(wrong)
    if bad:
        sys.exit(f"error: the Autobahn test suite found something else than expected; its reports are {out}/*/index.html")


if __name__ == "__main__":
    main()
