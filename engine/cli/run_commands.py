"""The commands of the headless front door that learn: train, and the runs."""

from __future__ import annotations

import os
import shutil
import signal
from argparse import Namespace
from contextlib import nullcontext, suppress
from pathlib import Path

from engine.cli.console import INTERRUPTED, Answer, Interrupted, JobRunner
from engine.core.durations import hours_and_minutes
from engine.core.errors import UserError
from engine.core.on_disk import is_file, is_folder
from engine.core.paths import runs_dir
from engine.packs.library import PackLibrary
from engine.packs.pack import MANIFEST, Pack
from engine.runs.create import VOCABULARY, new_run, propose_plan, proposed_codes, proposed_title, start_pack, write_run
from engine.runs.export import export_run
from engine.runs.heartbeat import Heartbeat
from engine.runs.launcher import discard_run, pause_run, start_run, stop_run
from engine.runs.run import list_runs, read_run
from engine.runs.run_folder import PLAN, open_plan, pack_destination
from engine.worker.dispatch import failure_of
from engine.worker.jobs import Discover, FindParts, PartsFound, Train


def train_plan(arguments: Namespace, handlers: str) -> Answer:
    """Train a plan, go on with a run, or train a pack or a folder of pictures with a plan made here."""
    if arguments.background:
        arguments.debug = True  # what it says goes to the run's log, for whoever asks why
        with suppress(OSError, AttributeError):  # not on every system
            os.nice(5)
    first = os.environ.get("RANK", "0") == "0"
    plan, run = open_plan(_place(arguments, handlers))
    if arguments.detach:
        started = start_run(run)
        text = f"{started.title} learns in {run}. See: partcraft runs list"
        return Answer({"run": str(run), "plan": str(run), "interrupted": False}, text)
    if first:
        pack_destination(plan, Pack.open(plan.pack), run)  # said now, not after hours
    with Heartbeat(run, plan.steps, plan.sample_every) if first else nullcontext() as pulse:
        try:
            result = _learn(run, handlers, pulse, spare_core=arguments.background)
        except Interrupted:
            if pulse:
                pulse.end("paused")
            text = f"Stopped. Go on with: partcraft train --resume {run}"
            return Answer({"run": str(run), "interrupted": True}, text, INTERRUPTED)
        except Exception as error:
            failed = failure_of(error)
            if pulse:
                pulse.end("failed", failed.message, failed.hint)
            raise
        if not pulse:  # one of several processes: the first one speaks
            arguments.json = False
            return Answer({}, "")
        message = "" if pulse.step >= plan.steps else f"Stopped after {pulse.step} of {plan.steps} steps."
        pulse.end(
            "stopped" if message else "finished", message, "Go on, and the pack gets better." if message else "", result
        )
    ended = read_run(run)
    rate, resemblance = ended.match_rate, ended.resemblance
    document = {"pack": result, "plan": str(run), "run": str(run), "interrupted": False}
    document["match_rate"] = rate and rate.to_document()
    document["resemblance"] = resemblance and resemblance.to_document()
    if ended.advice:  # whatever a match rate says of such renders, it means nothing
        return Answer(document, f"{message} {result} is written. {ended.advice}".strip())
    counted = f"\nMatch rate {rate.words}." if rate else ""
    counted += f"\nResemblance {resemblance.words}." if resemblance else ""
    return Answer(document, f"{message} {result} is ready.{counted}".strip())


def _learn(run: Path, handlers: str, pulse: Heartbeat | None, spare_core: bool) -> str:
    """Run the training to its end; the pack's folder. A system that shuts down is as good as Ctrl-C."""
    with suppress(ValueError):  # only the main thread may; tests call from others
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with JobRunner(handlers, spare_core) as desk:
            return str(desk.run(Train(str(run)), pulse.hear if pulse else None))
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _place(arguments: Namespace, handlers: str) -> Path:
    """The plan or run that the arguments mean; for a pack or a folder of pictures it is made."""
    place = Path(arguments.resume or arguments.plan).absolute()
    if arguments.resume and not is_file(place / PLAN):
        raise UserError(f"There is no run in {place}: {PLAN} is missing.", "Give the folder of a training.")
    if is_file(place) or is_file(place / PLAN):
        return place
    if not is_folder(place):
        raise UserError(f"{place} is not there.", "Give a plan, a run, a pack, or a folder of pictures.")
    if "WORLD_SIZE" in os.environ and int(os.environ["WORLD_SIZE"]) > 1:
        raise UserError("Several processes can learn from a run only.", "Make it first; see docs/scaling.md.")
    if is_file(place / MANIFEST):
        pack = Pack.open(place)
        return _run_of(pack, arguments, new_run(runs_dir(), pack.title), str(pack.path))
    run = new_run(runs_dir(), proposed_title(place))
    try:
        return _run_of(_draft(place, run / VOCABULARY, arguments, handlers), arguments, run, VOCABULARY, pictures=place)
    except BaseException:
        if not is_file(run / PLAN):  # it never became one
            shutil.rmtree(run, ignore_errors=True)
        raise


def _draft(pictures: Path, out: Path, arguments: Namespace, handlers: str) -> Pack:
    """A draft pack of a folder's pictures, with as many parts as are suggested."""
    with JobRunner(handlers) as desk:
        parts: PartsFound = desk.run(FindParts(str(pictures), eyes=arguments.eyes, show=1))
        codes = proposed_codes(parts.pictures)  # sorted pictures have a code a kind
        noun, title = arguments.noun or "thing", proposed_title(pictures)
        seed, eyes = arguments.seed or 0, parts.eyes
        job = Discover(str(pictures), str(out), parts.suggested, codes, noun, eyes, seed=seed, title=title)
        return Pack.open(desk.run(job))


def _run_of(pack: Pack, arguments: Namespace, run: Path, place: str, pictures: Path | None = None) -> Path:
    """A run's folder with the plan that suits a pack; ``place`` is the pack's folder as the plan names it."""
    named = ("steps", "batch", "seed", "recipe")
    settings = {name: value for name in named if (value := getattr(arguments, name)) is not None}
    extended = Pack.open(pack.path / pack.extends) if pack.extends else None
    start = start_pack(pack.base_model.id, PackLibrary().packs(), extended)
    plan = {"pack": place, **propose_plan(pack.base_model.id, settings, start)}
    if shown := Path(arguments.pictures) if arguments.pictures else pictures:
        plan["pictures"] = str(shown.absolute())
    return write_run(run, plan)


def runs_list(arguments: Namespace, handlers: str) -> Answer:
    """The runs, newest first."""
    rows, lines = [], []
    for run in list_runs():
        remaining = f", {hours_and_minutes(run.seconds_left)} left" if run.seconds_left is not None else ""
        rows.append(
            {
                "folder": run.folder, "title": run.title, "state": run.state, "stage": run.stage, "step": run.step,
                "steps": run.steps, "seconds_left": run.seconds_left, "message": run.message, "hint": run.hint,
                "pack": run.pack, "match_rate": run.match_rate and run.match_rate.to_document(),
                "resemblance": run.resemblance and run.resemblance.to_document(),
            }
        )  # fmt: skip
        lines.append(f"{Path(run.folder).name}  {run.title}  {run.state}, step {run.step} of {run.steps}{remaining}")
        lines += [f"  {run.message} {run.hint}".rstrip()] if run.message else []
        lines += [f"  match rate {run.match_rate.words}"] if run.match_rate and not run.advice else []
        lines += [f"  resemblance {run.resemblance.words}"] if run.resemblance else []
        lines += [f"  {run.advice}"] if run.advice else []
    return Answer({"runs": rows}, "\n".join(lines) or "There is no run yet.")


def runs_pause(arguments: Namespace, handlers: str) -> Answer:
    """Ask a run to keep a checkpoint and end its process."""
    run = _run(arguments.run)
    pause_run(run)
    return Answer({"run": str(run)}, f"It pauses after its step. Go on with: partcraft train --resume {run}")


def runs_stop(arguments: Namespace, handlers: str) -> Answer:
    """Ask a run to write the pack of what it has learned so far."""
    run = _run(arguments.run)
    stop_run(run)
    return Answer({"run": str(run)}, "It writes the pack of what it has learned so far. See: partcraft runs list")


def runs_discard(arguments: Namespace, handlers: str) -> Answer:
    """Move a run to the trash."""
    trashed = discard_run(_run(arguments.run))
    return Answer({"trash": str(trashed)}, f"It is in {trashed} now. Its pack, if it has one, stays.")


def runs_export(arguments: Namespace, handlers: str) -> Answer:
    """Copy a run with all it needs but the models, for another machine."""
    copy, base = export_run(_run(arguments.run), Path(arguments.folder))
    text = f"{copy} can be copied to another machine. There: partcraft train --resume {copy.name}"
    return Answer({"run": str(copy), "base_model": base}, f"{text}\nIt needs the base model {base} there.")


def _run(word: str) -> Path:
    """The folder of a run, by its path or its name among the runs."""
    for place in (Path(word), runs_dir() / word):
        if word and is_file(place / PLAN):
            return place.absolute()
    names = ", ".join(Path(run.folder).name for run in list_runs()[:5])
    raise UserError(f"There is no run called “{word}”.", f"There are: {names or 'none yet'}.")
