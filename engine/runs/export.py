"""A run with all it needs, copied for another machine."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

from safetensors import SafetensorError, safe_open

from engine.core.atomic_files import make_folder, plain_file, read_json, write_bytes
from engine.core.errors import UserError
from engine.core.image_files import LABELS, open_image
from engine.core.json_values import json_bytes
from engine.core.on_disk import exists, is_file, is_folder, is_link
from engine.core.paths import free_folder
from engine.core.picture_listing import picture_files
from engine.packs.contents import copy_pack
from engine.packs.pack import MANIFEST, Pack
from engine.runs.run_folder import EXAMPLES, IDENTITY, LOG, PLAN, STATE, checkpoints, open_plan


def export_run(run: Path, to: Path) -> tuple[Path, str]:
    """Copy a run into a new folder that has all it needs but the models, to be learned on another machine.

    The plan's folders become relative: the draft pack goes along, and the pictures as the examples they were made into
    or, if the run was never begun, as they are. What a run does not need stays where it is, whatever folders its plan
    and its pack name: of packs only their own files go along, of folders of pictures only pictures, and no link is
    followed out of them. Result: the folder, and the id of the base model it needs there.
    Raises :class:`UserError`.
    """
    plan, run = open_plan(run)
    pack = Pack.open(plan.pack)
    copy = free_folder(make_folder(to.absolute(), "the run"), run.name)
    beside = copy.with_name(f".{copy.name}-part")
    shutil.rmtree(beside, ignore_errors=True)
    changed = {"pack": "draft", "run": "", "out": "pack", "pictures": ""}
    try:
        copy_pack(pack, beside / "draft")
        if pack.extends:
            copy_pack(Pack.open(pack.path / pack.extends), beside / "extends")
            described = read_json(beside / "draft" / MANIFEST) | {"extends": "../extends"}
            write_bytes(beside / "draft" / MANIFEST, json_bytes(described, indent=1), "the run")
        for name in (EXAMPLES, LOG, IDENTITY):
            if _is_own(run / name):
                shutil.copy2(run / name, beside / name)
        for checkpoint in checkpoints(run)[-1:]:
            if _is_own(checkpoint.parent) and _is_own(checkpoint) and _is_own(checkpoint / STATE):
                (beside / "checkpoints" / checkpoint.name).mkdir(parents=True)
                shutil.copy2(checkpoint / STATE, beside / "checkpoints" / checkpoint.name / STATE)
        if plan.pictures and not _is_own(run / EXAMPLES):
            changed["pictures"] = "pictures"
            _copy_pictures(Path(plan.pictures), beside / "pictures")
        if is_folder(plan.start):
            changed["start"] = "start"
            copy_pack(Pack.open(plan.start), beside / "start")
        elif is_file(plan.start):
            changed["start"] = "start.safetensors"
            _require_tensors(Path(plan.start))
            shutil.copy2(plan.start, beside / "start.safetensors")
    except UserError:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    except (OSError, shutil.Error) as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise UserError(
            f"The run could not be copied to {to}.", "Make room there, or choose another folder."
        ) from error
    document = asdict(replace(plan, base_model=plan.base_model or pack.base_model.id, **changed))
    write_bytes(beside / PLAN, json_bytes(document, indent=1), "the plan")
    beside.rename(copy)
    return copy, document["base_model"]


def _is_own(path: Path) -> bool:
    """Whether there is a file or folder in a run that is no link to another place."""
    return exists(path) and not is_link(path)


def _copy_pictures(folder: Path, to: Path) -> None:
    """Copy the pictures of a folder, and what says their kinds; whatever else lies there is nobody's business."""
    # What is behind a link may be anything, whatever it is called.
    files = [file for file in picture_files(folder) if _is_picture(file)]
    labels = folder / LABELS
    if is_file(labels) and not is_link(labels):
        files.append(labels)
    for file in files:
        place = to / file.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


def _is_picture(path: Path) -> bool:
    try:
        with open_image(path):
            return True
    except (OSError, ValueError, SyntaxError, UserError):
        return False


def _require_tensors(path: Path) -> None:
    try:
        with safe_open(plain_file(path), "numpy"):
            return
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(
            f"The plan's start, {path}, cannot be read.", 'Use "words", "noise" or the folder of a pack.'
        ) from error
