#!/usr/bin/env python3
"""Mutation testing of one crate: changes its code in one place at a time and runs its own tests, which
must notice.

cargo-mutants lists the changes. Instead of building the crate once for each of them, which takes
days on two cores, all are built at once, each behind a switch (`src/main.rs`); every test runs
once to see which places it reaches; then each change is switched on and the tests that reach it run,
the fastest first, until one fails.

    mutants/run.py CRATE [--cargo-mutants FILE] [--least PERCENT] [--every N] [--keep] [--longest SECONDS]

Prints the changes that no test noticed. Fails when less than PERCENT (97) were. `--every N` takes each N-th
change only; `--longest` leaves out tests that take longer. What is left in `.check/mutants/CRATE` with
`--keep` goes on where it was ended.
"""

import argparse
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SWITCH = """
/// Whether the mutation of this number is switched on; notes that its place was reached.
#[doc(hidden)]
pub fn m__(number: usize) -> bool {{
    use std::{{io::Write, sync::{{OnceLock, atomic::{{AtomicBool, Ordering}}}}}};
    static ON: OnceLock<(usize, Option<std::ffi::OsString>)> = OnceLock::new();
    static REACHED: [AtomicBool; {count}] = [const {{ AtomicBool::new(false) }}; {count}];
    let (on, trace) = ON.get_or_init(|| {{
        let number = std::env::var("MUTATION").ok().and_then(|number| number.parse().ok());
        (number.unwrap_or(usize::MAX), std::env::var_os("MUTATION_TRACE"))
    }});
    if let Some(trace) = trace && !REACHED[number].swap(true, Ordering::Relaxed) {{
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(trace).unwrap();
        file.write_all(format!("{{number}}\\n").as_bytes()).unwrap();
    }}
    *on == number
}}
"""


class Mutants:
    def __init__(self, options):
        self.options = options
        self.crate = options.crate
        self.folder = ROOT / ".check" / "mutants" / self.crate
        self.sources = self.folder / "sources"
        self.environment = {
            **os.environ,
            "CARGO_TARGET_DIR": str(ROOT / ".check" / "mutants" / "target"),
            "CARGO_PROFILE_DEV_DEBUG": "0",
            "RUST_BACKTRACE": "0",
        }

    # ---- building ----

    def cargo(self, *arguments):
        return subprocess.run(
            ["cargo", *arguments, "--locked", "-p", f"stoker-{self.crate}", "--message-format", "json"],
            cwd=self.sources, env=self.environment, capture_output=True, text=True,
        )

    def copy_sources(self):
        shutil.rmtree(self.sources, ignore_errors=True)
        self.sources.mkdir(parents=True)
        for name in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines():
            if (ROOT / name).exists():
                (self.sources / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.sources / name)

    def prepare(self):
        """Builds the crate with every change that compiles."""
        self.copy_sources()
        listed = subprocess.run(
            [self.options.cargo_mutants, "mutants", "--package", f"stoker-{self.crate}", "--list", "--json"],
            cwd=self.sources, check=True, capture_output=True, text=True,
        )
        self.mutations = json.loads(listed.stdout)
        subprocess.run(
            ["cargo", "build", "--quiet", "--locked", "--manifest-path", str(ROOT / "mutants" / "Cargo.toml")],
            env=self.environment, check=True,
        )
        # of `impl Trait` the first `return` would fix the type
        left_out = {
            number for number, one in enumerate(self.mutations)
            if one["genre"] == "FnValue" and "impl " in (one["function"]["return_type"] or "")
        }
        constant = set()
        while True:
            without_form = self.instrument(left_out, constant)
            found, left, functions = self.errors(self.cargo("check", "--lib"), left_out)
            print(f"{self.crate}: {found} errors, {len(left_out)} changes left out so far", flush=True)
            if not found:
                break
            if not left and not functions:
                sys.exit("error: an error of the compiler belongs to no change")
            left_out |= left
            constant |= functions
        self.runnable = [
            number for number in range(0, len(self.mutations), self.options.every)
            if number not in left_out and number not in without_form
        ]
        self.counts = (len(self.mutations), len(left_out), len(without_form))
        built = self.cargo("test", "--no-run")
        if built.returncode:
            sys.exit(built.stderr)
        messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
        self.executables = [
            message["executable"] for message in messages
            if message.get("executable") and message["profile"]["test"]
        ]

    def instrument(self, left_out, constant):
        self.copy_sources()
        files = []
        for name, value in (("list", self.mutations), ("left_out", sorted(left_out)), ("constant", sorted(constant))):
            files.append(self.folder / f"{name}.json")
            files[-1].write_text(json.dumps(value))
        program = pathlib.Path(self.environment["CARGO_TARGET_DIR"]) / "debug" / "stoker-mutants"
        said = subprocess.check_output([program, files[0], self.sources, *files[1:]], text=True)
        with open(self.sources / "crates" / self.crate / "src" / "lib.rs", "a") as library:
            library.write(SWITCH.format(count=len(self.mutations)))
        return set(json.loads(said))

    def errors(self, checked, left_out):
        """How many errors there were, the changes that they are about, and functions that must be constant."""
        found, left, functions, texts = 0, set(), set(), {}
        for line in checked.stdout.splitlines():
            message = json.loads(line).get("message") or {}
            if message.get("level") != "error" or message["message"].startswith("aborting"):
                continue
            found += 1
            called = re.search(r"cannot call non-const.* `(?:.*::)?(\w+)` in const", message["message"])
            if called:
                functions.add(called[1])
                continue
            primary = next((span for span in message["spans"] if span["is_primary"]), None)
            if "non-exhaustive" in message["message"] and primary:
                arms = [
                    (one["span"]["start"]["line"], number) for number, one in enumerate(self.mutations)
                    if one["genre"] == "MatchArm" and number not in left_out
                    and one["file"] == primary["file_name"]
                    and one["span"]["start"]["line"] >= primary["line_start"]
                ]
                left.update([min(arms)[1]] if arms else [])
                continue
            left |= self.blamed(message, texts)
        if checked.returncode and not found:
            sys.exit(checked.stderr)
        return found, left, functions

    def blamed(self, message, texts):
        spans = message["spans"] + [span for child in message["children"] for span in child["spans"]]
        for span in sorted(spans, key=lambda span: not span["is_primary"]):
            while span:
                path = self.sources / span["file_name"]
                if path.exists():
                    if path not in texts:
                        texts[path] = marks(path.read_bytes().decode("latin1"))
                    around = [mark for mark in texts[path] if mark[0] <= span["byte_start"] < mark[1]]
                    if around:
                        _, _, kind, number = min(around, key=lambda mark: mark[1] - mark[0])
                        return {number} if kind == "A" else self.group(number)
                span = (span.get("expansion") or {}).get("span")
        return set()

    def group(self, number):
        """All changes of one operator, which stand in one expression."""
        def place(one):
            return one["file"], one["genre"], one["span"]["start"]["line"], one["span"]["start"]["column"]

        one = self.mutations[number]
        if one["genre"] == "FnValue":
            return {number}
        return {other for other, two in enumerate(self.mutations) if place(two) == place(one)}

    # ---- running ----

    def reach(self):
        """Which changes each test reaches, and how long it takes."""
        tests = []
        for executable in self.executables:
            listed = subprocess.check_output([executable, "--list"], cwd=self.home(), text=True)
            tests += [(executable, line[:-6]) for line in listed.splitlines() if line.endswith(": test")]

        def run(number, test):
            trace = self.folder / f"trace-{number}"
            trace.unlink(missing_ok=True)
            begin = time.monotonic()
            failed = self.run([test[0], "--exact", test[1]], 900, MUTATION_TRACE=str(trace))
            reached = set(map(int, trace.read_text().split())) if trace.exists() else set()
            trace.unlink(missing_ok=True)
            if failed:
                print(f"warning: without a change, {test[1]} fails", flush=True)
                return None
            return test, time.monotonic() - begin, reached

        self.tests = [test for test in side_by_side(run, tests) if test]
        self.tests.sort(key=lambda test: test[1])

    def home(self):
        return self.sources / "crates" / self.crate

    def run(self, command, seconds, **environment):
        """The name of the first test that fails, or how the process ended if not well."""
        process = subprocess.Popen(
            command, cwd=self.home(), env={**self.environment, "CARGO_MANIFEST_DIR": str(self.home()), **environment},
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace", start_new_session=True,
        )
        timer = threading.Timer(seconds, end_group, [process])
        timer.start()
        failed = None
        for line in process.stdout:
            if line.startswith("test ") and line.rstrip().endswith("FAILED"):
                failed = line.split()[1]
                break
        timer.cancel()
        if failed:
            end_group(process)
        status = process.wait()
        end_group(process)
        return failed or (f"status {status}" if status else None)

    def notice(self, number):
        """The test that notices a change."""
        tests = [test for test in self.tests if number in test[2] and test[1] <= self.options.longest]
        # by length, the fastest first: those in one process, the others each in its own
        fast = [test for test in tests if test[1] < 0.4][:60]
        for executable in self.executables:
            group = [test for test in fast if test[0][0] == executable]
            if not group:
                continue
            command = [executable, "--exact", "--test-threads", "2", *(test[0][1] for test in group)]
            noticed = self.run(command, 30 + 10 * sum(test[1] for test in group), MUTATION=str(number))
            if noticed:
                return noticed
        for (executable, name), took, _ in tests[len(fast):]:
            noticed = self.run([executable, "--exact", name], 40 + 8 * took, MUTATION=str(number))
            if noticed:
                return noticed
        return None

    def judge(self):
        results = self.folder / "results.jsonl"
        if not self.options.keep:
            results.unlink(missing_ok=True)
        known = {}
        if results.exists():
            for line in results.read_text().splitlines():
                name, noticed = json.loads(line)
                known[name] = noticed
        lock = threading.Lock()

        def run(_, number):
            name = self.mutations[number]["name"]
            if name not in known:
                noticed = self.notice(number)
                with lock, open(results, "a") as file:
                    known[name] = noticed
                    file.write(json.dumps([name, noticed]) + "\n")

        side_by_side(run, self.runnable)
        names = [self.mutations[number]["name"] for number in self.runnable]
        missed = [name for name in names if not known[name]]
        for name in missed:
            print(f"not noticed: {name}")
        share = 100 * (1 - len(missed) / max(len(names), 1))
        listed, left_out, without_form = self.counts
        print(f"{self.crate}: {listed} changes listed, {left_out} do not compile, {without_form} have no form "
              f"behind a switch; of {len(names)} tried, {len(missed)} were not noticed: {share:.1f} %")
        return share >= self.options.least


def marks(text):
    """Where each change stands: start, end, kind, number."""
    found, open_marks = [], []
    for mark in re.finditer(r"/\*(G|A)(\d+)\*/|/\*(E|a)\*/", text):
        if mark[1]:
            open_marks.append((mark.start(), mark[1], int(mark[2])))
        elif open_marks:
            start, kind, number = open_marks.pop()
            found.append((start, mark.end(), kind, number))
    return found


def end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def side_by_side(run, items):
    """Calls `run` with the place and the value of each item, on all cores."""
    waiting, results = queue.Queue(), [None] * len(items)
    for pair in enumerate(items):
        waiting.put(pair)

    def work():
        while True:
            try:
                number, item = waiting.get_nowait()
            except queue.Empty:
                return
            results[number] = run(number, item)

    threads = [threading.Thread(target=work) for _ in range(os.cpu_count() or 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crate")
    parser.add_argument("--cargo-mutants", default=str(ROOT / ".check" / "cargo" / "bin" / "cargo-mutants"))
    parser.add_argument("--least", type=float, default=97)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--longest", type=float, default=1e9)
    parser.add_argument("--keep", action="store_true")
    mutants = Mutants(parser.parse_args())
    mutants.folder.mkdir(parents=True, exist_ok=True)
    mutants.prepare()
    mutants.reach()
    if not mutants.judge():
        sys.exit(1)


if __name__ == "__main__":
    main()
