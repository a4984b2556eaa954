#!/usr/bin/env python3
"""Stoker beside nginx (`proxy_cache`) before the same nginx origin, interleaved in one run.

The caches have core 0 and one worker; the origin and the load generator have core 1. Every
figure is a median over the rounds; a ratio above 1 means that Stoker is faster. Absolute figures
hold on no other machine. `--before` measures an earlier build of Stoker in the same rounds.
`--quick` shrinks everything to see that it runs.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from tc3 import Client

HERE = pathlib.Path(__file__).parent
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
CACHE_CORE, LOAD_CORE = "0", "1"

ORIGIN_CONF = """
worker_processes 1; daemon off; pid {dir}/origin.pid; error_log {dir}/origin.err;
events {{ worker_connections 4096; }}
http {{
  log_format origin '$msec $request_uri $status $body_bytes_sent';
  access_log {dir}/origin.log origin buffer=64k flush=1s;
  sendfile on; tcp_nopush on; keepalive_requests 1000000; keepalive_timeout 300;
  client_body_temp_path {dir}/o1; proxy_temp_path {dir}/o2; fastcgi_temp_path {dir}/o3;
  uwsgi_temp_path {dir}/o4; scgi_temp_path {dir}/o5;
  server {{ listen 127.0.0.1:{port} reuseport backlog=4096; root {root}; }}
}}
"""

CACHE_CONF = """
worker_processes 1; daemon off; pid {dir}/cache.pid; error_log {dir}/cache.err;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; keepalive_timeout 300;
  client_body_temp_path {dir}/c1; proxy_temp_path {dir}/c2; fastcgi_temp_path {dir}/c3;
  uwsgi_temp_path {dir}/c4; scgi_temp_path {dir}/c5;
  proxy_cache_path {dir}/nginx-cache levels=1:2 keys_zone=bench:256m max_size=20g inactive=1d
    use_temp_path=off;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache bench; proxy_cache_valid 200 1d; proxy_cache_lock on;
      proxy_max_temp_file_size 4096m;
    }}
  }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


class Server:
    """A running `stoker up`."""

    def __init__(self, process, edge, middle, credentials):
        self.process, self.edge, self.middle = process, edge, middle
        self.credentials = credentials
        self.client = Client(credentials)

    def prefetch(self, urls):
        """Submits `urls` in calls of 500 and waits until every one is done; seconds it took."""
        begin = time.perf_counter()
        tasks = []
        for start in range(0, len(urls), 500):
            reply = self.client.cdn("PushUrlsCache", Urls=urls[start:start + 500], Layer="middle")
            tasks.append(reply["TaskId"])
        waiting = set(tasks)
        while waiting:
            time.sleep(0.005)
            page = self.client.admin("/admin/v1/tasks", f"limit={len(tasks)}")["tasks"]
            for view in page:
                if view["id"] in waiting and view["finished_at"]:
                    if view["done"] != view["targets"]:
                        raise RuntimeError(f"task {view['id']}: {view}")
                    waiting.remove(view["id"])
        return time.perf_counter() - begin

    def wait_idle(self):
        end = time.monotonic() + 300
        while time.monotonic() < end:
            view = self.client.admin("/admin/v1/tasks", "limit=1000")
            if all(task["finished_at"] for task in view["tasks"]):
                return
            time.sleep(0.2)
        raise RuntimeError("tasks do not finish")

    def rss(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmRSS")


class Bench:
    def __init__(self, options):
        self.options = options
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="stoker-bench-", dir=options.work))
        self.dir.chmod(0o755)
        self.root = self.dir / "root"
        self.processes = []
        self.rows = []
        self.unique = 0

    # ---- set-up ----

    def start(self, core, *command, **more):
        process = subprocess.Popen(["taskset", "-c", core, *map(str, command)], **more)
        self.processes.append(process)
        return process

    def fill_page_cache(self):
        """Fills the page cache with a sparse file, so that new pages are recycled ones on both
        sides. On a virtual machine a page that was never touched costs many times more, and
        whoever comes first would pay for it."""
        ballast = self.dir / "ballast"
        available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        with open(ballast, "wb") as file:
            file.truncate(available)
        with open(ballast, "rb", buffering=0) as file:
            block = bytearray(1 << 20)
            while file.readinto(block):
                pass

    def set_up(self):
        self.root.mkdir()
        (self.root / "4k").write_bytes(os.urandom(4096))
        (self.root / "1m").write_bytes(os.urandom(1 << 20))
        small = self.root / "s"
        small.mkdir()
        for n in range(self.options.objects):
            (small / str(n)).write_bytes(n.to_bytes(8, "big") * 2048)
        with open(self.root / "big", "wb") as big:
            block = os.urandom(1 << 20)
            for _ in range(self.options.big_mib):
                big.write(block)
        if not self.options.quick:
            self.fill_page_cache()
        self.origin, self.cache = free_port(), free_port()
        for name, text in (("origin", ORIGIN_CONF), ("cache", CACHE_CONF)):
            (self.dir / f"{name}.conf").write_text(
                text.format(dir=self.dir, port=getattr(self, name), origin=self.origin, root=self.root)
            )
        user = ["-g", "user root;"] if os.getuid() == 0 else []
        self.start(LOAD_CORE, NGINX, "-p", self.dir, "-c", self.dir / "origin.conf", *user)
        self.start(CACHE_CORE, NGINX, "-p", self.dir, "-c", self.dir / "cache.conf", *user)
        wait_for(self.origin)
        wait_for(self.cache)
        self.stoker = self.start_stoker("stoker", self.options.stoker)
        self.before = self.options.before and self.start_stoker("before", self.options.before)

    def start_stoker(self, name, executable):
        api, base = free_port(), self.free_base()
        data = self.dir / name
        log = open(self.dir / f"{name}.log", "ab")
        process = self.start(
            CACHE_CORE, executable, "up", "--data", data,
            "--listen", f"127.0.0.1:{api}", "--status-listen", "127.0.0.1:0", "--base-port", base, "--cache-size", "40GiB",
            "--calls-per-second", "0",
            stdout=log, stderr=log,
        )
        end = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{api}/readyz", timeout=1).read()
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        subprocess.run(
            [executable, "domain", "add", "127.0.0.1", "--data", data, "--origin",
             f"http://127.0.0.1:{self.origin}", "--allow-private-origin", "--area", "mainland"],
            check=True, stdout=subprocess.DEVNULL,
        )
        credentials = json.loads((data / "credentials.json").read_text())
        return Server(process, edge=base, middle=base + 10, credentials=credentials)

    @staticmethod
    def free_base():
        while True:
            base = free_port()
            try:
                for offset in (0, 1, 10, 11):
                    with socket.socket() as probe:
                        probe.bind(("127.0.0.1", base + offset))
                return base
            except (OSError, OverflowError):
                continue

    def tear_down(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        if not self.options.keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    # ---- tools ----

    def fresh(self):
        """A query that no earlier round used: a new key for both caches, the same bytes."""
        self.unique += 1
        return f"?r={self.unique}"

    def wrk(self, port, path, *more, seconds=None, connections=32):
        seconds = seconds or self.options.seconds
        out = subprocess.run(
            ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
             f"http://127.0.0.1:{port}{path}", *map(str, more)],
            check=True, capture_output=True, text=True,
        )
        if "Non-2xx" in out.stdout or "status" in out.stderr:
            raise RuntimeError(out.stdout + out.stderr)
        found = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", out.stdout)
        unit = {"ms": 0.001, "s": 1.0, "m": 60.0}[found[3]]
        return int(found[1]) / (float(found[2]) * unit)

    def wrk_once(self, port, script, count):
        """Asks for `count` distinct resources once each; resources per second."""
        process = subprocess.Popen(
            ["taskset", "-c", LOAD_CORE, "wrk", "-t1", "-c32", "-d120s", "-s", str(script),
             f"http://127.0.0.1:{port}/", "--", str(count), "/s/", self.fresh()],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        line = process.stderr.readline()
        process.kill()
        process.wait()
        if not line.startswith("took "):
            raise RuntimeError(f"wrk said: {line}")
        return count / float(line.split()[1])

    def compare(self, name, unit, stoker, nginx):
        """Interleaves the sides and keeps the medians; `stoker` gets the server to measure."""
        sides = [nginx, lambda: stoker(self.stoker)]
        if self.before:
            sides.append(lambda: stoker(self.before))
        figures = [[] for _ in sides]
        for turn in range(self.options.rounds):
            # Whoever comes last in a round is up to a tenth faster, so each is last in turn.
            for place in range(len(sides)):
                at = (turn + place) % len(sides)
                # what one side left to the kernel to write must not burden the next
                os.sync()
                figures[at].append(sides[at]())
        theirs, ours, *before = map(statistics.median, figures)
        row = [name, f"{ours:,.0f} {unit}", f"{theirs:,.0f} {unit}", f"{ours / theirs:.2f}"]
        if before:
            row += [f"{before[0]:,.0f} {unit}", f"{ours / before[0]:.2f}"]
        self.rows.append(row)
        print(" | ".join(row), flush=True)

    def alone(self, name, value):
        self.rows.append([name, value, "", ""])
        print(f"{name}: {value}", flush=True)

    # ---- measurements ----

    def hits(self):
        servers = [self.stoker] + ([self.before] if self.before else [])
        for name, path in (("hits of 4 KiB", "/4k"), ("hits of 1 MiB", "/1m")):
            for port in (self.cache, *(server.edge for server in servers)):
                for _ in range(3):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}{path}").read()
            self.compare(
                name, "/s",
                lambda server, path=path: self.wrk(server.edge, path),
                lambda path=path: self.wrk(self.cache, path),
            )

    def small(self):
        count = self.options.objects
        distinct = HERE / "distinct.lua"

        def by_wrk(port):
            return self.wrk_once(port, distinct, count)

        def by_prefetch(server):
            query = self.fresh()
            urls = [f"http://127.0.0.1/s/{n}{query}" for n in range(count)]
            return count / server.prefetch(urls)

        self.compare(f"fill of {count:,} x 16 KiB, prefetch API, durable and read back", "/s",
                     by_prefetch, lambda: by_wrk(self.cache))
        self.compare(f"fill of {count:,} x 16 KiB, viewers' misses", "/s",
                     lambda server: by_wrk(server.middle), lambda: by_wrk(self.cache))

    def big(self):
        mib = self.options.big_mib

        def by_get(port):
            begin = time.perf_counter()
            subprocess.run(
                ["taskset", "-c", LOAD_CORE, "curl", "-sf", "-o", "/dev/null",
                 f"http://127.0.0.1:{port}/big{self.fresh()}"], check=True)
            return mib / (time.perf_counter() - begin)

        def by_prefetch(server):
            return mib / server.prefetch([f"http://127.0.0.1/big{self.fresh()}"])

        self.compare(f"fill of one {mib} MiB object, prefetch API, durable", "MiB/s",
                     by_prefetch, lambda: by_get(self.cache))
        self.compare(f"fill of one {mib} MiB object, viewer's miss", "MiB/s",
                     lambda server: by_get(server.middle), lambda: by_get(self.cache))

    def accept(self):
        calls = self.options.calls
        rates = []
        for connections in (1, 4):
            def one(worker, connections=connections):
                client = Client(self.stoker.credentials)
                for n in range(calls // connections):
                    query = f"?a={connections}-{worker}-{n}-{self.unique}"
                    client.cdn("PushUrlsCache", Layer="middle", Urls=[
                        f"http://127.0.0.1/s/{i % self.options.objects}{query}-{i}"
                        for i in range(500)])
            self.fresh()
            begin = time.perf_counter()
            with concurrent.futures.ThreadPoolExecutor(connections) as pool:
                list(pool.map(one, range(connections)))
            took = time.perf_counter() - begin
            rates.append(f"{connections} caller(s): {calls // connections * connections * 500 / took:,.0f}/s")
        self.alone("URLs accepted in calls of 500 while nodes fill", "; ".join(rates))
        self.stoker.wait_idle()

    def first_byte(self):
        delays = []
        for _ in range(20):
            query = self.fresh()
            self.stoker.client.cdn("PushUrlsCache", Urls=[f"http://127.0.0.1/4k{query}"], Layer="middle")
            replied = time.time()
            needle = f"/4k{query} "
            end = time.monotonic() + 10
            while time.monotonic() < end:
                log = (self.dir / "origin.log").read_text()
                found = [line for line in log.splitlines() if needle in line]
                if found:
                    delays.append((float(found[0].split()[0]) - replied) * 1000)
                    break
                time.sleep(0.05)
        delays.sort()
        self.alone("from reply to the origin's answer, 20 calls of one URL",
                   f"median {statistics.median(delays):.1f} ms, worst {delays[-1]:.1f} ms")

    def memory(self):
        before = self.stoker.rss()
        count = 100_000 if not self.options.quick else 2000
        per_round = min(self.options.objects, count)
        for _ in range(count // per_round):
            query = self.fresh()
            self.stoker.prefetch([f"http://127.0.0.1/s/{n}{query}" for n in range(per_round)])
        self.alone(f"resident memory of `stoker up` after {count:,} more stored responses",
                   f"{self.stoker.rss():,.0f} MiB (before: {before:,.0f} MiB)")

    def report(self):
        head = ["measurement", "stoker", "nginx", "ratio"]
        if self.before:
            head += ["before", "ratio"]
        print("\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
        for row in self.rows:
            row += [""] * (len(head) - len(row))
            print("| " + " | ".join(row) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stoker", required=True, help="the executable")
    parser.add_argument("--before", help="an executable of an earlier build, measured in the same rounds")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=3, help="length of one hit measurement")
    parser.add_argument("--only", default="hits,small,big,accept,first_byte,memory")
    parser.add_argument("--work", default=None, help="where to put the working directory")
    parser.add_argument("--keep", action="store_true", help="keep the working directory")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    options.stoker = str(pathlib.Path(options.stoker).resolve())
    options.before = options.before and str(pathlib.Path(options.before).resolve())
    options.objects = 500 if options.quick else 10_000
    options.big_mib = 64 if options.quick else 2048
    options.calls = 8 if options.quick else 200
    if options.quick:
        options.rounds, options.seconds = 1, 1
    bench = Bench(options)
    try:
        bench.set_up()
        for name in options.only.split(","):
            getattr(bench, name)()
        bench.report()
    finally:
        bench.tear_down()


if __name__ == "__main__":
    sys.exit(main())
