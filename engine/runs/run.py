"""Runs: trainings seen from outside. Each has a folder and, while it learns, a process of its own.

A run's folder holds ``plan.json``, ``status.json`` (see :mod:`engine.runs.status`), ``log.jsonl``,
``checkpoints/step-N``, ``samples/step-N``, ``tried/`` and ``process.log``. Whoever wants something of its process
writes ``wish.json`` there.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engine.core.atomic_files import plain_file, read_json, read_text
from engine.core.errors import UserError
from engine.core.match_rate import MatchRate
from engine.core.on_disk import entries_of, files_like, is_file, status_of
from engine.core.paths import runs_dir
from engine.core.resemblance import Resemblance
from engine.packs.pack import MANIFEST
from engine.runs.plan import Plan
from engine.runs.run_folder import IDENTITY, LOG, PLAN, TRIED, checkpoints
from engine.runs.status import LEARNING_STAGE, RunStatus, read_status

_AT_REST: Final = ("ready", "paused", "stopped", "failed", "finished")


@dataclass(frozen=True)
class SampleImage:
    """A picture painted on the way, after ``step`` steps: of a whole sentence (``part`` -1), or of one part alone."""

    step: int
    part: int
    picture: str


@dataclass(frozen=True)
class Run:
    """A training as it is now.

    ``state`` is "ready" (never begun), "running", "paused", "stopped" (on request, its pack was written), "failed",
    "finished", or "lost" (its process died without a word). ``plan`` is what plan.json says, None if it cannot be
    read. ``stage`` with ``done`` of ``total`` is what it does; ``step`` of ``steps`` how far it has learned; ``losses``
    are (step, diffusion, attention). ``message`` and ``hint`` tell a person what happened. ``pack`` is the folder of
    the pack it has written, empty before; ``tried`` are the pictures that its match rate was counted in, and
    ``match_rate`` what was counted, None before, and where nobody could; ``resemblance`` likewise whether they resemble
    the pictures that were learned from.
    """

    folder: str
    title: str
    plan: Plan | None = None
    state: str = "ready"
    stage: str = ""
    done: int = 0
    total: int = 0
    step: int = 0
    steps: int = 0
    losses: tuple[tuple[int, float, float], ...] = ()
    samples: tuple[SampleImage, ...] = ()
    seconds_left: float | None = None
    message: str = ""
    hint: str = ""
    pack: str = ""
    tried: tuple[str, ...] = ()
    match_rate: MatchRate | None = None
    resemblance: Resemblance | None = None

    @property
    def advice(self) -> str:
        """What to do where its renders do not resemble the pictures, in a sentence; empty where they do, and where
        nobody knows."""
        return self.resemblance.advice if self.resemblance else ""


def list_runs() -> list[Run]:
    """The runs in PartCraft's own folder, newest first."""
    places = [path for path in entries_of(runs_dir()) if not path.name.startswith(".")]
    folders = [path for path in places if is_file(path / PLAN)]
    return [read_run(folder) for folder in sorted(folders, key=_touched, reverse=True)]


def read_run(folder: Path | str) -> Run:
    """A run as it is now. Never raises for what is in the folder. Raises :class:`UserError` if there is no plan."""
    path = Path(folder)
    if not is_file(path / PLAN):
        raise no_run_error(path)
    plan = _plan_of(path)
    status = read_status(path) or _silent(path)
    state = status.state if status.state in _AT_REST or status.alive else "lost"
    message, hint = status.message, status.hint
    if state == "lost":
        message = "This training ended without a word: was the computer switched off, or did memory run out?"
        hint = "Go on with it; it loses what came after its last checkpoint."
    losses = _log_of(path / LOG)
    metrics, base_model = _metrics(path, status.pack)
    learning = state == "running" and status.stage == LEARNING_STAGE
    return Run(
        folder=str(path), title=_title(path), plan=plan, state=state, stage=status.stage, done=status.done,
        total=status.total, step=losses[-1][0] if losses else 0,
        steps=plan.steps if plan else status.total if learning else 0, losses=losses, samples=_samples(path),
        seconds_left=status.seconds_left if state == "running" else None, message=message, hint=hint, pack=status.pack,
        tried=_tried(path) if status.pack else (),
        match_rate=MatchRate.from_metrics(metrics), resemblance=Resemblance.from_metrics(metrics, base_model),
    )  # fmt: skip


def _silent(folder: Path) -> RunStatus:
    """The status of a run that has none: new, or from before there were any."""
    learned = checkpoints(folder)
    return RunStatus(state="paused" if learned else "ready")


def _plan_of(folder: Path) -> Plan | None:
    try:
        return Plan.from_json(read_text(folder / PLAN))
    except (UserError, OSError, ValueError):  # it is told when the run is started
        return None


def _title(folder: Path) -> str:
    """The title of the pack that is learned, else the folder's name."""
    pack = read_json(folder / PLAN).get("pack")
    title = read_json(folder / pack / "pack.json").get("title") if isinstance(pack, str) and "\0" not in pack else None
    return title if isinstance(title, str) and title else folder.name


def _samples(folder: Path) -> tuple[SampleImage, ...]:
    samples = []
    steps = files_like(folder / "samples", "step-*")
    for path in (path for step in steps for path in files_like(step, "*.png")):
        step, part = path.parent.name.removeprefix("step-"), path.stem.removeprefix("part-")
        if step.isdecimal() and (path.stem == "whole" or part.isdecimal()):
            samples.append(SampleImage(int(step), -1 if path.stem == "whole" else int(part), str(path)))
    return tuple(sorted(samples, key=lambda sample: (sample.step, sample.part)))


def _tried(folder: Path) -> tuple[str, ...]:
    pictures = [path for path in files_like(folder / TRIED, "*.png") if path.stem.isdecimal()]
    return tuple(str(path) for path in sorted(pictures, key=lambda path: int(path.stem)))


def _metrics(folder: Path, pack: str) -> tuple[Mapping[str, Any], str]:
    """What the pack that a run has written says of itself, and the id of its base model; nothing if it is gone, or
    another's now."""
    if not pack or "\0" in pack:
        return {}, ""
    manifest = read_json(Path(pack) / MANIFEST)
    if manifest.get("run") != read_json(folder / IDENTITY).get("id"):
        return {}, ""
    metrics, base = manifest.get("metrics"), manifest.get("base_model")
    base_model = base.get("id") if isinstance(base, dict) else ""
    return metrics if isinstance(metrics, dict) else {}, base_model if isinstance(base_model, str) else ""


def _touched(folder: Path) -> float:
    written = (status_of(folder / name) for name in (LOG, PLAN))
    return max((status.st_mtime for status in written if status is not None), default=0.0)


def no_run_error(folder: Path) -> UserError:
    return UserError(f"There is no run in {folder}: {PLAN} is missing.", "Choose the folder of a training.")


# The log grows by a line a step and is looked at every second: only what is new is read.

_LINE: Final = re.compile(rb'"step": (\d+), "diffusion": (\S+), "attention": ([^\s,}]+)')
_known: dict[Path, tuple[int, int, list[tuple[int, float, float]]]] = {}
_knowing = threading.Lock()


def _log_of(path: Path) -> tuple[tuple[int, float, float], ...]:
    try:
        with _knowing, plain_file(path).open("rb") as file:
            stat = os.fstat(file.fileno())
            node, offset, losses = _known.get(path, (-1, 0, []))
            if node != stat.st_ino or stat.st_size < offset:
                offset, losses = 0, []
            file.seek(offset)
            data = file.read()
            data = data[: data.rfind(b"\n") + 1]  # the last line may be half written
            for line in data.splitlines():
                with contextlib.suppress(ValueError):
                    if match := _LINE.search(line):
                        losses.append((int(match[1]), float(match[2].rstrip(b",")), float(match[3])))
            _known[path] = (stat.st_ino, offset + len(data), losses)
            return tuple(losses)
    except OSError:
        return ()
