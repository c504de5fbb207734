"""The folder of a run: its plan, what is in it, where its pack goes, and how it travels to another machine."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from engine.core.atomic_files import make_folder, read_json, read_text, write_bytes
from engine.core.errors import UserError
from engine.core.json_values import json_bytes
from engine.core.on_disk import exists, files_like, is_empty_folder, is_file, is_folder, resolved
from engine.core.paths import packs_dir, runs_dir, slug
from engine.packs.pack import MANIFEST, TOKENS, Pack
from engine.runs.plan import Plan

PLAN: Final = "plan.json"
LOG: Final = "log.jsonl"
EXAMPLES: Final = "examples.safetensors"
STATE: Final = "state.safetensors"
TRIED: Final = "tried"

IDENTITY: Final = "run.json"

_PLACES: Final = ("pack", "pictures", "run", "out")


def open_plan(path: Path) -> tuple[Plan, Path]:
    """A plan and its run's folder, which then holds ``plan.json``. Raises :class:`UserError`.

    ``path`` is a run's folder, or a plan whose ``run`` (by default one named after the pack) may be new. Relative
    folders in a plan are relative to the plan's own; in what is returned they are absolute.
    """
    try:
        file = path / PLAN if is_folder(path) else path
        text = read_text(file)
    except UnicodeDecodeError as error:
        raise UserError("The plan is not JSON.", "Save it as text in UTF-8.") from error
    except (OSError, ValueError) as error:
        raise UserError(f"There is no plan at {path}.", "Choose a plan.json or the folder of a run.") from error
    plan = Plan.from_json(text)
    home = resolved(file.parent)
    try:
        absolute = {name: str((home / value).resolve()) for name in _PLACES if (value := getattr(plan, name))}
        # A model or a pack to start at may lie beside the plan; otherwise these are ids and words.
        absolute |= {
            name: str((home / value).resolve())
            for name in ("base_model", "unet", "start")
            if (value := getattr(plan, name)) and exists(home / value)
        }
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError("The plan names a folder that cannot be: " + _longest(plan), "Write it again.") from error
    plan = replace(plan, **absolute)
    if is_folder(path) or plan.run == str(home) or (not plan.run and home.parent == runs_dir()):
        return replace(plan, run=str(home)), home
    run = Path(plan.run) if plan.run else runs_dir() / f"{Path(plan.pack).name}-{plan.seed}"
    plan = replace(plan, run=str(run))
    plan_file = run / PLAN
    whole = json_bytes(asdict(plan), indent=1)
    if is_file(plan_file) and plan_file.read_bytes() != whole and checkpoints(run):
        raise UserError(f"The run in {run} has another plan.", "Go on with that folder, or choose another run folder.")
    Pack.open(plan.pack)  # else a run would be listed that can never begin
    make_folder(run, "the run")
    write_bytes(plan_file, whole, "the plan")
    return plan, run


def checkpoints(run: Path) -> list[Path]:
    """Whole checkpoints of a run, oldest first."""
    by_step = {
        int(path.name[5:]): path
        for path in files_like(run / "checkpoints", "step-*")
        if path.name[5:].isdecimal() and is_file(path / STATE)
    }
    return [by_step[step] for step in sorted(by_step)]


def run_identity(run: Path) -> str:
    """The name by which a pack remembers the run that wrote it; made when first asked for."""
    stored = read_json(run / IDENTITY).get("id")
    if isinstance(stored, str) and stored:
        return stored
    identity = secrets.token_hex(8)
    write_bytes(make_folder(run, "the run") / IDENTITY, json_bytes({"id": identity}), "the run")
    return identity


def pack_destination(plan: Plan, pack: Pack, run: Path) -> Path:
    """The folder that a run's pack is written to: never one that holds another pack.

    The plan's ``out``, or a folder named after the pack among the user's packs, numbered if that name is taken. A
    folder that this run wrote before, and the folder of a pack without tokens (a draft) itself, are not another's.
    Raises :class:`UserError` if the plan's ``out`` is another's.
    """
    if plan.out:
        out = Path(plan.out)
        if resolved(pack.path) in resolved(out).parents:
            raise UserError(f"The plan's out, {out}, is inside the pack that is learned.", "Choose another folder.")
        if resolved(out) != resolved(pack.path) and not is_run_output(out, run):
            raise UserError(f"There is something else in {out} already.", "Choose another folder in the plan's out.")
        return out
    name = slug(pack.title, "pack")
    folder = packs_dir() / name
    number = 1
    draft = resolved(pack.path) if not is_file(pack.path / TOKENS) else None
    while exists(folder) and resolved(folder) != draft and not is_run_output(folder, run):
        number += 1
        folder = packs_dir() / f"{name}-{number}"
    return folder


def is_run_output(folder: Path, run: Path) -> bool:
    """Whether a run may write its pack into a folder: it is new, empty, or has what the run wrote before."""
    if not exists(folder) or is_empty_folder(folder):
        return True
    return read_json(folder / MANIFEST).get("run") == run_identity(run)


def _longest(plan: Plan) -> str:
    return max((getattr(plan, name) for name in _PLACES), key=len)[:60]


WISH: Final = "wish.json"


def read_wish(folder: Path) -> str:
    """What is wished of a run: "pause", "stop" or ""."""
    if not exists(folder / WISH):
        return ""
    wish = read_json(folder / WISH).get("wish")
    return wish if wish in ("pause", "stop") else ""


def clear_wish(folder: Path) -> None:
    """The wish was fulfilled, or is of an earlier time."""
    with contextlib.suppress(OSError):  # it is overwritten or obeyed later
        (folder / WISH).unlink(missing_ok=True)


def write_wish(folder: Path, wish: str) -> None:
    write_bytes(folder / WISH, json_bytes({"wish": wish}), "the wish")
