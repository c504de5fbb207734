"""A run made from a draft pack and a person's decisions: the same plan from the window and from the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from engine.core.atomic_files import make_folder, write_bytes
from engine.core.errors import UserError
from engine.core.json_values import json_bytes
from engine.core.on_disk import is_file
from engine.core.paths import free_folder, slug
from engine.core.unicode_text import unicode_text
from engine.packs.pack import TOKENS, Pack
from engine.runs.plan import PAPER, Plan, suitable_settings
from engine.runs.run_folder import PLAN

CHECKPOINTS: Final = 8
"""How often a training keeps its state and paints samples."""

VOCABULARY: Final = "vocabulary"
"""The folder of the untrained pack inside its run."""

_PICTURES_A_CODE: Final = 6
_MOST_CODES: Final = 64


def proposed_codes(pictures: int) -> int:
    """How many codes a part gets when the pictures are not sorted by kind: one for each six pictures, 2 to 64."""
    return min(max(pictures // _PICTURES_A_CODE, 2), _MOST_CODES, max(pictures, 1))


def proposed_title(pictures: Path | str) -> str:
    """A title for a pack, from the name of its pictures' folder."""
    name = unicode_text(Path(pictures).name).replace("_", " ").replace("-", " ").strip()
    return name[:1].upper() + name[1:]


def usual_settings(base_model: str, recipe: str = "ours") -> dict[str, Any]:
    """What a plan says differently from :class:`Plan`'s defaults when nobody asked for anything: what suits the base
    model (its id), or what the paper did."""
    return dict(PAPER) if recipe == "paper" else suitable_settings(base_model)


def start_pack(base_model: str, packs: Iterable[Pack], extended: Pack | None = None) -> Pack | None:
    """The pack whose tokens new ones begin at: the one that is extended, else the first of the same base model that has
    tokens; None if there is none."""
    alike = (pack for pack in packs if pack.base_model.id == base_model and is_file(pack.path / TOKENS))
    return extended or next(alike, None)


def propose_plan(base_model: str, settings: Mapping[str, Any], start: Pack | None = None) -> dict[str, Any]:
    """A plan's words for a training on a base model (its id): what suits it, eight checkpoints and samples on the way
    (more in a long training: one in 500 steps at least),
    tokens that begin at ``start``'s, and over all that ``settings``, which a person chose."""
    recipe = settings.get("recipe", "ours")
    suits = suitable_settings(base_model)
    steps = int(settings.get("steps") or suits.get("steps", Plan.steps))
    suits = suits if recipe == "ours" else {}  # the paper's settings, for as many steps as suit the base model
    every = max(1, min(-(-steps // CHECKPOINTS), Plan.checkpoint_every))
    begins = {"start": str(start.path)} if start is not None and recipe == "ours" else {}
    rhythm = {"base_model": base_model, "steps": steps, "checkpoint_every": every, "sample_every": every}
    return {**suits, **rhythm, **begins, **settings, "steps": steps}


def new_run(runs: Path, name: str) -> Path:
    """A new, empty folder for a run, named after its title, with a number behind it if that name is taken: it is made
    here, so that nobody else can take it meanwhile. Raises :class:`UserError`."""
    make_folder(runs, "the runs")
    while True:
        run = free_folder(runs, slug(name, "vocabulary"))
        try:
            run.mkdir()
        except FileExistsError:  # another program was quicker
            continue
        except OSError as error:
            raise UserError(f"The folder of the training cannot be made in {runs}.", "Is it read-only?") from error
        return run


def write_run(run: Path, plan: Mapping[str, Any], beside: Mapping[str, Mapping[str, Any]] | None = None) -> Path:
    """Write a run's plan, after the JSON documents that are kept ``beside`` it (by name); the run's folder. Raises
    :class:`UserError` for a plan that is not right."""
    Plan.from_json(json.dumps(plan))
    make_folder(run, "the run")
    for name, document in {**(beside or {}), PLAN: plan}.items():
        write_bytes(run / name, json_bytes(document, indent=1), "the run")
    return run


def create_run(
    run: Path, vocabulary: Path, plan: Mapping[str, Any], beside: Mapping[str, Mapping[str, Any]] | None = None
) -> Path:
    """Fill the folder that :func:`new_run` made with a copy of an untrained pack and the plan; the folder. Refused,
    nothing is left of it. Raises ``OSError`` or :class:`UserError`."""
    try:
        shutil.copytree(vocabulary, run / VOCABULARY)
        return write_run(run, {"pack": str(run / VOCABULARY), "run": str(run), **plan}, beside)
    except BaseException:
        shutil.rmtree(run, ignore_errors=True)
        raise
