"""Spoilt pictures, packs, recipes, prompts, trainings, settings, labels and models, by the thousand.

``python -m tests.reliability.fuzz --count 10000 --seed 7`` prints how many inputs of each kind were tried, tracebacks,
hangs, crashes, exit codes, and the most memory that one took; it ends with 1 if there was any fault. The same seed
makes the same inputs (with the same pictures in ``../shared/bad-inputs``). ``--only NUMBER`` runs one again and shows
what it said, ``--jobs`` says how many processes work at once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import psutil

from engine.core.reentry import own_environment

CPU_S: Final = 90.0
"""Processor seconds after which a trial is a hang: by them, not by the clock, for the machine may be busy. The slowest
that is none, a small training, takes some ten."""

WAIT_S: Final = 900.0
"""Seconds after which a trial that waits for something for ever is one, too."""

MOST_BYTES: Final = 1_000_000_000
"""What a trial may take beyond what its process holds anyway: opening a picture promises 800 MB."""


@dataclass
class Report:
    """What came out. ``faults``: the answers of trials that were not as they should be."""

    tried: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    faults: list[dict[str, Any]] = field(default_factory=list)
    tracebacks: int = 0
    hangs: int = 0
    crashes: int = 0
    slowest: float = 0.0
    peak: int = 0
    rise: int = 0
    seconds: float = 0.0

    def take(self, answer: dict[str, Any]) -> None:
        """Count one answer."""
        self.tried[answer["kind"]] += 1
        self.codes[answer["code"]] += 1
        self.tracebacks += answer["fault"] == "a traceback"
        self.hangs += answer["fault"] == "a hang"
        self.crashes += answer["fault"] == "a crash"
        self.slowest = max(self.slowest, answer["seconds"])
        self.peak, self.rise = max(self.peak, answer["peak"]), max(self.rise, answer["rise"])
        if answer["rise"] > MOST_BYTES and not answer["fault"]:
            answer["fault"] = f"took {answer['rise'] >> 20} MB"
        if answer["fault"]:
            self.faults.append(answer)

    @property
    def other_codes(self) -> int:
        """How many ended with a code that is none of 0 (done), 1 (failed, in a sentence) and 2 (wrong words)."""
        return sum(count for code, count in self.codes.items() if code not in (0, 1, 2))

    def words(self) -> str:
        """The figures, a line each."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.tried.items()))
        codes = ", ".join(f"{code}: {count}" for code, count in sorted(self.codes.items()))
        return "\n".join((
            f"tried {sum(self.tried.values())} inputs in {self.seconds:.0f} s: {kinds}",
            f"exit codes {codes}; others than 0 to 2: {self.other_codes}",
            f"tracebacks {self.tracebacks}, hangs {self.hangs}, crashes {self.crashes}, faults {len(self.faults)}",
            f"slowest {self.slowest:.1f} s; most memory for one input {self.rise / 1e6:.0f} MB, "
            f"most of a process {self.peak / 1e6:.0f} MB",
        ))  # fmt: skip


def fuzz(numbers: Sequence[int], seed: int, jobs: int = 1, seconds: float = math.inf) -> Report:
    """Try the inputs of some numbers, those that can be begun within ``seconds``. Faults are printed at once."""
    report, began = Report(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="partcraft-fuzz-") as place:
        world = Path(place) / "world"
        subprocess.run(_command(world, "0", "make"), env=own_environment(), check=True, stdout=subprocess.DEVNULL)
        waiting, answers = queue.SimpleQueue[int](), queue.SimpleQueue[dict[str, Any]]()
        for number in numbers:
            waiting.put(number)
        work = partial(_work, world, seed, waiting, answers, began + seconds)
        threads = [threading.Thread(target=work, daemon=True) for _ in range(jobs)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) or not answers.empty():
            with contextlib.suppress(queue.Empty):
                report.take(answer := answers.get(timeout=1))
                if answer["fault"]:
                    words = f"{answer['kind']}, {' '.join(answer['words'])[:300]}"
                    print(f"FAULT {answer['fault']}: number {answer['number']}, {words}\n{answer['said'][-2500:]}\n")
                    sys.stdout.flush()
    report.seconds = time.monotonic() - began
    return report


def _command(*words: Any) -> list[str]:
    return [sys.executable, "-P", "-m", "tests.reliability.fuzz_worker", *map(str, words)]


def _work(
    world: Path,
    seed: int,
    waiting: queue.SimpleQueue[int],
    answers: queue.SimpleQueue[dict[str, Any]],
    end: float,
) -> None:
    """Feed one process after another; one that hangs or dies is followed by the next."""
    worker: _Worker | None = None
    while not waiting.empty() and time.monotonic() < end:
        worker = worker or _Worker(world, seed)
        try:
            number = waiting.get(timeout=1)
        except queue.Empty:
            break
        answer = worker.ask(number)
        answers.put(answer)
        if not worker.alive:
            worker = None
    if worker:
        worker.close()


class _Worker:
    """A process that tries inputs."""

    def __init__(self, world: Path, seed: int) -> None:
        self._world = world
        self._log = (world.parent / f"worker {threading.get_ident()}.log").open("w+b")
        self._process = subprocess.Popen(
            _command(world, seed),
            env=own_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
        )  # fmt: skip
        self._lines = queue.SimpleQueue[bytes]()
        assert self._process.stdout
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()
        self.alive = True
        if not self._lines.get(timeout=WAIT_S):
            raise RuntimeError(f"the worker did not start: {self._tail()}")

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._lines.put(line)
        self._lines.put(b"")

    def ask(self, number: int) -> dict[str, Any]:
        """What one trial came to; afterwards the process may not be ``alive``."""
        assert self._process.stdin
        began = time.monotonic()
        self._process.stdin.write(b"%d\n" % number)
        self._process.stdin.flush()
        line, fault = self._wait(began)
        if line:
            return json.loads(line)
        self.alive = False
        if fault == "a hang":
            self._process.send_signal(signal.SIGUSR1)  # it says where it is
            time.sleep(2)
        self._process.kill()
        code = self._process.wait()
        stacks = self._world.parent / f"trial {number}" / "stacks.txt"
        said = (stacks.read_text() if stacks.is_file() else "") + self._tail()
        return {
            "number": number, "kind": "?", "way": "", "words": [], "code": code, "fault": fault,
            "seconds": time.monotonic() - began, "peak": 0, "rise": 0, "said": said,
        }  # fmt: skip

    def _wait(self, began: float) -> tuple[bytes, str]:
        """The answer; an empty one with what happened instead."""
        cpu = psutil.Process(self._process.pid).cpu_times()
        while time.monotonic() < began + WAIT_S:
            with contextlib.suppress(queue.Empty):
                return self._lines.get(timeout=1), "a crash"
            with contextlib.suppress(psutil.NoSuchProcess):  # the end of its output comes next
                now = psutil.Process(self._process.pid).cpu_times()
                if now.user + now.system - cpu.user - cpu.system > CPU_S:
                    break
        return b"", "a hang"

    def _tail(self) -> str:
        self._log.seek(0)
        return self._log.read()[-4000:].decode("utf-8", "replace")

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)
        self._log.close()


def main() -> int:
    parser = argparse.ArgumentParser("fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number to begin with")
    parser.add_argument("--only", type=int, help="one number, with what it said")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin none after so many")
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.first + arguments.count)
    if arguments.only is not None:
        numbers = range(arguments.only, arguments.only + 1)
    report = fuzz(numbers, arguments.seed, min(arguments.jobs, len(numbers)), arguments.seconds)
    print(report.words())
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
