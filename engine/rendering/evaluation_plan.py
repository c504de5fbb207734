"""What is in an evaluation's folder: the plan it was begun with, so that only the same one goes on there."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from engine.core.atomic_files import make_folder, read_json, write_bytes
from engine.core.errors import UserError
from engine.core.json_values import json_bytes
from engine.core.on_disk import exists, files_below, is_file, size_of
from engine.core.recipe import Recipe
from engine.models.hub import models_of_pack
from engine.models.loader import Models
from engine.packs.pack import LORA, TOKENS, Pack
from engine.worker.jobs import Evaluate

PLAN: Final = "plan.json"
_VERSION: Final = 1
_ENDS: Final = 1 << 20
"""Bytes at each end of a file of weights that are looked at: two trainings differ everywhere, and reading all of a
large base model takes as long as a picture."""


def begin_evaluation(
    models: Models, pack: Pack, job: Evaluate, out: Path, groups: Sequence[int], recipes: Sequence[Recipe]
) -> Path:
    """Make an evaluation's folder, or see that it is this evaluation's; the folder, with a number where the job takes
    one beside another's. Raises :class:`UserError` where another evaluation is in it."""
    wanted = _plan(models, pack, job, groups, recipes)
    for number in itertools.count(2):
        path = make_folder(out, "the evaluation") / PLAN
        found = read_json(path)
        if not exists(path):
            write_bytes(path, json_bytes(wanted, indent=1), "the evaluation's plan")
        elif found != wanted and not job.beside:
            raise _another(out, found, wanted)
        elif found != wanted:
            out = Path(job.out).with_name(f"{Path(job.out).name}-{number}")
            continue
        return out
    raise AssertionError("numbers never end")


def _plan(
    models: Models, pack: Pack, job: Evaluate, groups: Sequence[int], recipes: Sequence[Recipe]
) -> dict[str, Any]:
    first = recipes[0]
    return {
        "version": _VERSION,
        "pack": pack.id,
        "mixes": sorted(set(groups)),
        "count": len(recipes),
        "seed": job.seed,
        "steps": first.steps,
        "guidance": first.guidance,
        "base_model": pack.base_model.id,
        "precision": str(models.precision).removeprefix("torch."),
        "weights": weights_print(pack),
    }


_NAMES: Final = {
    "pack": "pack", "mixes": "numbers of sources", "count": "number of pictures", "seed": "seed", "steps": "steps",
    "guidance": "guidance", "base_model": "base model", "precision": "precision", "weights": "weights",
}  # fmt: skip


def _another(out: Path, found: dict[str, Any], wanted: dict[str, Any]) -> UserError:
    differing = [name for key, name in _NAMES.items() if found.get(key) != wanted[key]]
    words = f"There is another evaluation in {out}: not the same {', '.join(differing) or 'version'}."
    if not found:
        words = f"There is an evaluation in {out} whose {PLAN} cannot be read."
    return UserError(words, "Choose another folder, or move what is there out of the way.")


def weights_print(pack: Pack) -> str:
    """A digest of all weights that a pack renders with: it changes when any of them is trained on. Raises
    :class:`UserError` if they are not here."""
    found = models_of_pack(pack)
    own = [path for path in (pack.path / TOKENS, pack.path / LORA) if is_file(path)]
    folders = [found.folder, *([found.unet] if found.unet else [])]
    files = [*own, *(path for folder in folders for path in sorted(files_below(folder, "*.safetensors")))]
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        size = size_of(path)
        digest.update(f"{path.name} {size} ".encode("utf-8", "backslashreplace"))
        with path.open("rb") as file:
            digest.update(file.read(_ENDS))
            file.seek(max(_ENDS, size - _ENDS))
            digest.update(file.read(_ENDS))
    return digest.hexdigest()
