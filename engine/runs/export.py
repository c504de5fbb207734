"""A run with all it needs, copied for another machine."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

from engine.core.atomic_files import make_folder, read_json, write_bytes
from engine.core.errors import UserError
from engine.core.json_values import json_bytes
from engine.core.paths import free_folder
from engine.packs.pack import MANIFEST, Pack
from engine.runs.run_folder import EXAMPLES, IDENTITY, LOG, PLAN, checkpoints, open_plan


def export_run(run: Path, to: Path) -> tuple[Path, str]:
    """Copy a run into a new folder that has all it needs but the models, to be learned on another machine.

    The plan's folders become relative: the draft pack goes along, and the pictures as the examples they were made into
    or, if the run was never begun, as they are. Result: the folder, and the id of the base model it needs there.
    Raises :class:`UserError`.
    """
    plan, run = open_plan(run)
    pack = Pack.open(plan.pack)
    copy = free_folder(make_folder(to.absolute(), "the run"), run.name)
    beside = copy.with_name(f".{copy.name}-part")
    shutil.rmtree(beside, ignore_errors=True)
    changed = {"pack": "draft", "run": "", "out": "pack", "pictures": ""}
    try:
        shutil.copytree(pack.path, beside / "draft")
        if pack.extends:
            shutil.copytree(pack.path / pack.extends, beside / "extends")
            described = read_json(beside / "draft" / MANIFEST) | {"extends": "../extends"}
            write_bytes(beside / "draft" / MANIFEST, json_bytes(described, indent=1), "the run")
        for name in (EXAMPLES, LOG, IDENTITY):
            if (run / name).is_file():
                shutil.copy2(run / name, beside / name)
        for checkpoint in checkpoints(run)[-1:]:
            shutil.copytree(checkpoint, beside / "checkpoints" / checkpoint.name)
        if plan.pictures and not (run / EXAMPLES).is_file():
            changed["pictures"] = "pictures"
            shutil.copytree(plan.pictures, beside / "pictures")
        if Path(plan.start).exists() and Path(plan.start).is_dir():
            changed["start"] = "start"
            shutil.copytree(plan.start, beside / "start")
        elif Path(plan.start).is_file():
            changed["start"] = "start.safetensors"
            shutil.copy2(plan.start, beside / "start.safetensors")
    except (OSError, shutil.Error) as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise UserError(
            f"The run could not be copied to {to}.", "Make room there, or choose another folder."
        ) from error
    document = asdict(replace(plan, base_model=plan.base_model or pack.base_model.id, **changed))
    write_bytes(beside / PLAN, json_bytes(document, indent=1), "the plan")
    beside.rename(copy)
    return copy, document["base_model"]
