"""The end of a training: what was learned becomes a pack, which must open and render before anyone calls it done."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from PIL import Image
from safetensors.torch import save_file

from engine.core.atomic_files import make_folder, write_whole
from engine.core.errors import UserError
from engine.core.match_rate import MATCH_METRICS
from engine.core.on_disk import exists, resolved
from engine.core.paths import free_folder
from engine.core.resemblance import RESEMBLANCE
from engine.models.loader import Models
from engine.models.lora import lora_state, save_lora
from engine.packs.pack import LORA, TOKENS, BaseModel, Pack
from engine.packs.validation import check_pack
from engine.rendering.evaluation import mixed_recipes, receipts_of
from engine.rendering.painter import open_painter
from engine.rendering.scores import scores_of
from engine.runs.plan import Plan
from engine.runs.run_folder import EXAMPLES, TRIED, is_run_output, run_identity
from engine.training.learner import Learner
from engine.training.resemblance import measure_resemblance
from engine.worker.jobs import Report

_MIX: Final = 4
_PICTURES: Final = 8
_SLOW_PICTURES: Final = 2
_SMALL: Final = 256
"""Pictures of up to so many pixels a side are painted in seconds on a CPU."""


def write_trained_pack(learner: Learner, pack: Pack, plan: Plan, base: BaseModel, step: int, out: Path) -> Pack:
    """Write what was learned in ``step`` steps as a pack in ``out``: tokens, LoRA and pack.json, the rest copied from
    ``pack`` (unless that is where it goes). Raises :class:`UserError`."""
    if resolved(out) != resolved(pack.path):
        try:
            shutil.rmtree(out, ignore_errors=True)
            make_folder(out.parent, "the pack")
            shutil.copytree(pack.path, out)
        except (OSError, shutil.Error) as error:
            raise UserError(
                f"The pack could not be written to {out.parent}.", "Make room, or choose another folder."
            ) from error
    with learner.averaged():
        tokens = learner.tokens.tensors()
        write_whole(out / TOKENS, lambda beside: save_file(tokens, beside), "the pack's tokens")
        if plan.rank:
            save_lora(lora_state(learner.pipeline.unet), out / LORA)
        else:
            (out / LORA).unlink(missing_ok=True)
    trained = replace(
        Pack.open(out),
        base_model=base,
        provenance=f"{pack.provenance}; trained {step} steps of {plan.batch}".removeprefix("; "),
        # A new pack has the tokens of the one it extends, and needs it no more.
        extends=pack.extends if resolved(out) == resolved(pack.path) else "",
        run=run_identity(Path(plan.run)),
    )
    trained.save()
    return trained


def prove_pack(models: Models, pack: Pack, run: Path, seed: int, report: Report) -> Pack:
    """See that a pack opens and renders, and measure its match rate: the share of parts that arrive in a few mixes of
    its references, as ``partcraft evaluate`` counts them; and how much the mixes resemble what was learned from.

    The pack with its :class:`MatchRate` and :class:`Resemblance` among its ``metrics``, saved. The mixes are kept in
    ``tried/`` of the run. Raises :class:`UserError`."""
    check_pack(pack, thorough=True)
    painter = open_painter(models, pack)
    quick = models.device.type != "cpu" or painter.size <= _SMALL
    if not pack.references:
        painter.paint((f"a photo of a {pack.vocabulary.noun}",), (), [seed], steps=2, guidance=1.0)
        return pack
    recipes = mixed_recipes(pack, _MIX, _PICTURES if quick else _SLOW_PICTURES, seed)
    receipts, painted = receipts_of(models, pack, painter, recipes, report, "Trying the pack")
    _keep(painted, run)
    # What was measured before belongs to what was learned before.
    metrics = {key: value for key, value in pack.metrics.items() if key not in (*MATCH_METRICS, RESEMBLANCE)}
    if any(receipts):  # else its eyes are not on this computer: nobody can count here
        metrics |= scores_of(pack, receipts).match_rate.to_metrics()
    resemblance = measure_resemblance(models, pack, painter.pipeline.vae, painted, run / EXAMPLES, report)
    metrics |= resemblance.to_metrics() if resemblance else {}
    pack = replace(pack, metrics=metrics)
    pack.save()
    return pack


def _keep(painted: Sequence[Image.Image], run: Path) -> None:
    """Keep pictures in the place of those of an earlier try. Raises :class:`UserError`."""
    place = run / TRIED
    shutil.rmtree(place, ignore_errors=True)
    make_folder(place, "the pictures")
    for index, picture in enumerate(painted):
        write_whole(place / f"{index}.png", lambda beside, image=picture: image.save(beside, "PNG"), "the pictures")


def install_pack(pack: Pack, out: Path, run: Path) -> Path:
    """Put a pack that was written beside into its place; where it is. What this run wrote there before gives way; if
    another's came to be there meanwhile, the pack goes beside it. Raises :class:`UserError`."""
    place = out if is_run_output(out, run) else free_folder(out.parent, out.name)
    replace(pack, id=place.name).save()
    old = place.with_name(f".{place.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    try:
        if exists(place):
            place.rename(old)
        pack.path.rename(place)
    except OSError as error:
        if exists(old) and not exists(place):
            old.rename(place)
        raise UserError(f"The pack could not be put into {place}.", "Is it open in a program? Then go on.") from error
    shutil.rmtree(old, ignore_errors=True)
    return place
