"""Window, engine host, render and training killed at random moments, and run on disks that are full.

``python -m tests.reliability.kills`` prints, for each: how often it was killed, and how often something made was lost,
a half file was listed, a next start failed, or a training learned otherwise than undisturbed. It ends with 1 if any of
that happened. ``--kills N`` is for each of the four, ``--disks N`` too: small disks (tmpfs) need root, and are left
out, saying so, without. Linux only: processes are forked (see :mod:`tests.reliability.kill_targets`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import torch

import engine.handlers  # noqa: F401 - imported before anything is forked
from engine.core.atomic_files import read_json
from engine.core.errors import UserError
from engine.core.image_files import open_picture
from engine.packs.archive import write_archive
from engine.packs.library import PackLibrary
from engine.packs.pack import Pack
from engine.packs.validation import check_pack
from engine.runs.run import list_runs, read_run
from engine.runs.run_folder import STATE, checkpoints
from partcraft_desktop.app.creation_files import creations_in, trashed_in
from tests.fakes import make_pack, write_script
from tests.reliability import kill_targets
from tests.reliability.forked_child import PATIENCE_S, Child
from tests.reliability.inputs import World, make_world

PLAN: Final[dict[str, Any]] = {
    "steps": 8, "batch": 2, "checkpoint_every": 2, "sample_every": 100, "samples": 0, "ema": 0.9, "rate": 1e-3,
}  # fmt: skip


class Tally:
    """What was counted for one target."""

    def __init__(self, name: str) -> None:
        self.name, self.counts, self.faults = name, Counter[str](), list[str]()

    def fault(self, what: str, detail: str) -> None:
        self.counts[what] += 1
        self.faults.append(f"{what}: {detail}")
        print(f"FAULT {self.name}: {what}: {detail}", flush=True)

    def killed(self) -> None:
        """Count a kill; every fifth is told, for a run may be cut short."""
        self.counts["kills"] += 1
        if self.counts["kills"] % 5 == 0:
            print(self.words(), flush=True)

    def words(self) -> str:
        """The figures, in a line."""
        counts = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        return f"{self.name}: {counts}; faults {len(self.faults)}"


def look(home: Path, made: set[str], deleting: set[str], tally: Tally) -> None:
    """See that nothing made was lost and that nothing half is listed."""
    out = home / "creations"
    listed = {creation.path for creation in creations_in(out)}
    trashed = {item.creation.path for item in trashed_in(out)}
    for path in sorted(made - deleting - listed):
        tally.fault("lost", path)
    for path in sorted((made & deleting) - listed - trashed):
        tally.fault("lost", f"{path}, which was being deleted")
    for path in sorted(listed):
        try:
            open_picture(path)
        except UserError as error:
            tally.fault("half file", f"{path}: {error}")
    for entry in PackLibrary(home / "no starter", home / "packs").listing():
        if entry.error:
            tally.fault("half pack", f"{entry.path}: {entry.error}")
    for name in ("session.json", "settings.json"):
        if (home / name).is_file():
            try:
                json.loads((home / name).read_text("utf-8"))
            except ValueError as error:
                tally.fault("half file", f"{name}: {error}")
    tally.counts["creations there"] = max(tally.counts["creations there"], len(listed))


def kill_windows(world: World, folder: Path, count: int, of: Random) -> Tally:
    """Each start is the next start of the one that was killed."""
    tally, home = Tally("window"), fake_home(folder / "home")
    made, deleting = set[str](), set[str]()
    for _ in range(count):
        child = Child(home, kill_targets.window)
        ready = child.until("ready")
        listed = len(creations_in(home / "creations"))
        if ready is None or ready.split()[1:] != [str(listed), "0"]:
            tally.fault("start failed", f"{ready}, and {listed} are on disk\n{child.said}")
        child.live(of.uniform(0, 2.5))
        code = child.end(kill=True)
        if code != -signal.SIGKILL:
            tally.fault("ended by itself", f"{code}\n{child.said}")
        tally.killed()
        made |= child.paths("made")
        deleting |= child.paths("deleting")
        look(home, made, deleting, tally)
    tally.counts["made"] = len(made)
    return tally


def kill_hosts(world: World, folder: Path, count: int, of: Random) -> Tally:
    """The engine's process is killed under one engine, which goes on."""
    tally, home = Tally("engine host"), fake_home(folder / "home")
    child = Child(home, kill_targets.engine)
    for _ in range(count):
        before = len(child.lines)
        child.live(of.uniform(0, 3))
        hosts = [line for line in child.lines if line.startswith("host ")]
        while not hosts or int(hosts[-1][5:]) == tally.counts["last"]:
            if not child.read(PATIENCE_S):
                tally.fault("start failed", child.said)
                return tally
            hosts = [line for line in child.lines if line.startswith("host ")]
        tally.counts["last"] = int(hosts[-1][5:])
        child.live(of.uniform(0, 3))
        os.kill(tally.counts["last"], signal.SIGKILL)
        tally.killed()
        look(home, child.paths("made"), set(), tally)
        odd = [line for line in child.lines[before:] if line.startswith("ended ") and not _is_told(line)]
        for line in odd:
            tally.fault("an ending", line)
    child.until("nothing more", 3)
    child.end(kill=True)
    del tally.counts["last"]
    endings = Counter(line.split()[1] for line in child.lines if line.startswith("ended "))
    tally.counts |= Counter({f"jobs {name.lower()}": number for name, number in endings.items()})
    if not endings["Finished"]:
        tally.fault("next start", f"few jobs finished: {endings}")
    tally.counts["made"] = len(child.paths("made"))
    look(home, child.paths("made"), set(), tally)
    return tally


def _is_told(line: str) -> bool:
    return line.startswith("ended Finished") or "The engine" in line


def kill_renders(world: World, folder: Path, count: int, of: Random) -> Tally:
    """The command line is killed while it renders."""
    tally, home = Tally("render"), tiny_home(world, folder / "home")
    made = set[str]()
    for number in range(count):
        child = Child(home, kill_targets.render)
        if child.until("ready") is None:
            tally.fault("start failed", child.said)
        if number % 2:  # while models are loaded, or once pictures come
            child.until("made")
        child.live(of.uniform(0, 4))
        code = child.end(kill=True)
        if code != -signal.SIGKILL:
            tally.fault("ended by itself", f"{code}\n{child.said}")
        tally.killed()
        made |= child.paths("made")
        look(home, made, set(), tally)
    tally.counts["made"] = len(made)
    child = Child(home, kill_targets.render, 1)
    if code := child.end(kill=False):
        tally.fault("start failed", f"{code}\n{child.said}")
    return tally


KILLS_A_RUN: Final = 12


def kill_trainings(world: World, folder: Path, count: int, of: Random) -> Tally:
    """Trainings are killed, gone on with, killed again; at last each is let be, and has learned what a calm one has."""
    tally, home = Tally("training"), tiny_home(world, folder / "home")
    began = time.monotonic()
    child = Child(home, kill_targets.training, make_run(world, home, "calm"))
    if code := child.end(kill=False):
        tally.fault("start failed", f"{code}\n{child.said}")
        return tally
    calm, seconds = weights_of(home, "calm"), time.monotonic() - began
    while tally.counts["kills"] < count:
        name = make_run(world, home, f"wild {tally.counts['runs']}")
        tally.counts["runs"] += 1
        for _ in range(min(KILLS_A_RUN, count - tally.counts["kills"])):
            child = Child(home, kill_targets.training, name)
            child.live(of.uniform(0, seconds))
            code = child.end(kill=True)
            if code == 0:
                break  # it was quicker
            if code != -signal.SIGKILL:
                tally.fault("ended by itself", f"{code}\n{child.said}")
            tally.killed()
            look(home, set(), set(), tally)
            look_at_run(home / "runs" / name, tally)
        child = Child(home, kill_targets.training, name)
        if code := child.end(kill=False):
            tally.fault("did not resume", f"{code}\n{child.said}")
        elif weights_of(home, name) != calm:
            tally.fault("learned otherwise", name)
        else:
            tally.counts["resumed to the same bits"] += 1
    return tally


def look_at_run(run: Path, tally: Tally) -> None:
    """What a killed training left is whole and listed."""
    state = read_run(run).state
    if state not in ("lost", "ready", "paused", "finished") or run.name not in {
        Path(r.folder).name for r in list_runs()
    }:
        tally.fault("run", f"{run.name} is {state}")
    for checkpoint in checkpoints(run):
        try:
            check_tensors(checkpoint / STATE)
        except (OSError, ValueError) as error:
            tally.fault("half file", f"{checkpoint}: {error}")


def check_tensors(path: Path) -> None:
    """Read a safetensors file to its end. Raises ``OSError`` or ``ValueError``."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def weights_of(home: Path, name: str) -> tuple[bytes, ...]:
    """The learned files of a run's pack."""
    pack = Pack.open(home / "packs" / f"of {name}")
    check_pack(pack, thorough=True)
    return tuple((pack.path / file).read_bytes() for file in ("tokens.safetensors", "lora.safetensors"))


def fake_home(home: Path) -> Path:
    """A home with a drawn pack and one to take in."""
    pack = make_pack(home / "packs" / "fake-birds")
    other = make_pack(home.parent / "another", id="another", references=2)
    write_archive(other, home / "another.partpack")
    write_script(home / "script.json", render={"delay": 0.002})
    (home / "creations").mkdir()
    del pack
    return home


def tiny_home(world: World, home: Path) -> Path:
    """A home with the world's pack."""
    tiny = Pack.open(shutil.copytree(world.pack, home / "packs" / "tiny"))
    shutil.copytree(world.pack, home / "packs" / "bare")
    # Of a pack without references one mix is tried at the end, not eight.
    replace(tiny, path=home / "packs" / "bare", id="bare", references=()).save()
    (home / "creations").mkdir()
    (home / "runs").mkdir()
    return home


def make_run(world: World, home: Path, name: str) -> str:
    """A run's folder; its name."""
    run = home / "runs" / name
    run.mkdir()
    places = {
        "pack": str(home / "packs" / "bare"),
        "pictures": str(world.pictures),
        "out": str(home / "packs" / f"of {name}"),
    }
    (run / "plan.json").write_text(json.dumps(PLAN | places))
    return name


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A disk of its own size. Raises ``OSError`` where none can be mounted."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise OSError("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def grow(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=256m", str(disk)], check=True)


DISK_WORDS: Final = {"window": (14,), "engine": (6,), "render": (6,), "training": ("run",)}


def fill_disks(world: World, folder: Path, name: str, count: int, of: Random) -> Tally:
    """A target works until the disk is full, and again once there is room."""
    tally, target = Tally(f"{name} on a full disk"), getattr(kill_targets, name)
    for number in range(count):
        with small_disk(folder / f"disk {number}", 65536) as disk:
            home = disk / "home"
            fake_home(home) if name in ("window", "engine") else tiny_home(world, home)
            if name == "training":
                make_run(world, home, "run")
            used = sum(path.stat().st_size for path in disk.rglob("*") if path.is_file())
            room = of.randrange(4, {"window": 60, "engine": 200, "render": 30, "training": 1500}[name])
            filler = disk / "filler"
            free = shutil.disk_usage(disk).free
            filler.write_bytes(bytes(max(0, free - room * 1024)))
            first = Child(home, target, *DISK_WORDS[name])
            first_code = first.end(kill=False)
            full = shutil.disk_usage(disk).free < room * 512 or first_code or "full" in "".join(first.lines)
            tally.counts["disks"] += 1
            tally.counts["ran full"] += bool(full)
            tally.counts["told by exit code 1"] += first_code == 1
            if first_code not in (0, 1) or "Something went wrong" in first.said or "Traceback" in first.said:
                tally.fault("not told", f"exit code {first_code}, {room} KB, {used}\n{first.said}")
            made, deleting = first.paths("made"), first.paths("deleting")
            look(home, made, deleting, tally)
            filler.unlink()
            second = Child(home, target, *DISK_WORDS[name])
            if code := second.end(kill=False):
                tally.fault("start failed", f"with room again: {code}\n{second.said}")
            look(home, made | second.paths("made"), deleting | second.paths("deleting"), tally)
            if name == "training" and read_json(home / "runs" / "run" / "status.json").get("state") != "finished":
                tally.fault("did not resume", second.said)
    return tally


KILLERS: Final = {
    "window": kill_windows, "engine": kill_hosts, "render": kill_renders, "training": kill_trainings,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser("kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=25, help="of each target")
    parser.add_argument("--disks", type=int, default=5, help="small disks for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(KILLERS), action="append", help="one target; may be given again")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tallies: list[Tally] = []
    with tempfile.TemporaryDirectory(prefix="partcraft-kills-") as place:
        world = World(Path(place) / "world")
        child = Child(Path(place) / "home", lambda home, say: (build(world), 0)[1])
        if child.end(kill=False):
            raise RuntimeError(child.said)
        for name, killer in KILLERS.items():
            if arguments.only and name not in arguments.only:
                continue
            began, of = time.monotonic(), Random(f"{arguments.seed} {name}")
            os.environ["PARTCRAFT_HOME"] = str(Path(place) / f"kill {name}" / "home")
            if arguments.kills:
                tallies.append(killer(world, Path(place) / f"kill {name}", arguments.kills, of))
                print(f"{tallies[-1].words()} ({time.monotonic() - began:.0f} s)", flush=True)
            began = time.monotonic()
            try:
                if arguments.disks:
                    tallies.append(fill_disks(world, Path(place) / f"fill {name}", name, arguments.disks, of))
                    print(f"{tallies[-1].words()} ({time.monotonic() - began:.0f} s)", flush=True)
            except OSError as error:
                print(f"no full disks: {error}")
    return 1 if any(tally.faults for tally in tallies) else 0


def build(world: World) -> None:
    """The world, with a base model that draws in two steps."""
    make_world(world.folder)
    pack = Pack.open(world.pack)
    replace(pack, base_model=replace(pack.base_model, steps=2)).save()


if __name__ == "__main__":
    sys.exit(main())
