"""Memory of `stoker up` while calls of 500 URLs arrive as fast as it takes them: four callers over HTTP, for a minute,
for a domain whose origin refuses every connection, so that nothing is worked off. Prints resident memory second by second."""

import argparse
import json
import multiprocessing
import pathlib
import subprocess
import tempfile
import time
import urllib.request

from bench import free_port
from tc3 import Client

CALLERS = 4


def caller(credentials, number, end, accepted):
    client = Client(credentials)
    call = 0
    while time.monotonic() < end:
        client.cdn("PushUrlsCache", Layer="middle", Urls=[
            f"http://127.0.0.1/video/{number}/{call:08}/segment-{n:05}.ts" for n in range(500)])
        call += 1
        with accepted.get_lock():
            accepted.value += 500


def memory(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {name}")


def wait_for(url):
    for _ in range(500):
        try:
            return urllib.request.urlopen(url, timeout=1).read()
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"no answer from {url}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stoker", required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--base-port", default="18600")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stoker-memory.") as name:
        data = pathlib.Path(name) / "data"
        api = free_port()
        log = open(pathlib.Path(name) / "log", "wb")
        stoker = subprocess.Popen(
            [options.stoker, "up", "--data", data, "--listen", f"127.0.0.1:{api}", "--status-listen", "127.0.0.1:0", "--base-port", options.base_port,
             "--calls-per-second", "0"], stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{api}/readyz")
            credentials = json.loads((data / "credentials.json").read_text())
            subprocess.run(
                [options.stoker, "domain", "add", "127.0.0.1", "--data", data, "--origin", f"http://127.0.0.1:{free_port()}",
                 "--allow-private-origin", "--area", "mainland"], check=True, stdout=subprocess.DEVNULL)
            measure(stoker.pid, credentials, options.seconds)
            ledger = sum(path.stat().st_size for path in data.glob("ledger*"))
            print(f"ledger and its log: {ledger >> 20} MiB")
        finally:
            stoker.terminate()
            stoker.wait()


def measure(pid, credentials, seconds):
    accepted = multiprocessing.Value("q", 0)
    print(f"start: {memory(pid, 'VmRSS'):.0f} MiB")
    begin = time.monotonic()
    callers = [multiprocessing.Process(target=caller, args=(credentials, n, begin + seconds, accepted)) for n in range(CALLERS)]
    for process in callers:
        process.start()
    while any(process.is_alive() for process in callers):
        time.sleep(5)
        print(f"{time.monotonic() - begin:4.0f} s: {accepted.value:>9,} URLs, {memory(pid, 'VmRSS'):.0f} MiB", flush=True)
    for _ in range(4):
        time.sleep(5)
        print(f"{time.monotonic() - begin:4.0f} s: idle, {memory(pid, 'VmRSS'):.0f} MiB", flush=True)
    print(f"peak: {memory(pid, 'VmHWM'):.0f} MiB")


if __name__ == "__main__":
    main()
