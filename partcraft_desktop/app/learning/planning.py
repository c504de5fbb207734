"""From what a person decided to a job for the engine, a plan for a training, and what it will take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import psutil

from engine.core.atomic_files import read_json
from engine.core.paths import free_folder, slug
from engine.packs.pack import Pack
from engine.runs import create
from engine.runs.plan import Plan, predict_cost, suitable_settings
from engine.worker.jobs import Discover, Measured
from partcraft_desktop.app.learning.draft import MORE, SHARES, Draft, DraftPlan, Preset
from partcraft_desktop.app.learning.state import LearningState, PageError

KEPT_DRAFT: Final = "draft.json"
"""What a person decided, kept in the folder of the run that learns it."""

FALLBACK_BASE: Final = "starter/base"


def default_settings(now: LearningState) -> dict[str, Any]:
    """What stands under "More" when nobody changed it: what suits the base model, or what the paper did."""
    suits = create.usual_settings(base_model(now), now.draft.plan.more.get("recipe", "ours"))
    return {**MORE, **{name: value for name, value in suits.items() if name in MORE}}


def setting(now: LearningState, name: str) -> Any:
    """A value under "More"."""
    return now.draft.plan.more.get(name, default_settings(now)[name])


def steps_of(now: LearningState) -> dict[Preset, int]:
    """The training steps of each preset."""
    suits = int(suitable_settings(base_model(now)).get("steps", Plan.steps))
    return {preset: max(1, round(suits * share)) for preset, share in SHARES.items()}


def all_steps(now: LearningState) -> int:
    """How many steps the training that is planned takes."""
    plan = now.draft.plan
    return plan.steps or steps_of(now)[plan.preset]


def changed_settings(more: Mapping[str, Any], now: LearningState) -> dict[str, Any]:
    """Only what differs from what is usual, so that a better default reaches old drafts."""
    known = default_settings(now)
    return {name: value for name, value in more.items() if name == "recipe" or value != known[name]}


def base_model(now: LearningState) -> str:
    """The base model that is trained: the one chosen, the extended pack's, or the first at hand."""
    if now.extended is not None:
        return now.extended.base_model.id
    chosen = now.draft.plan.base_model
    return chosen if chosen in now.base_models else (*now.base_models, FALLBACK_BASE)[0]


def with_proposals(now: LearningState) -> DraftPlan:
    """The plan with a noun and a title where a person gave none."""
    plan = now.draft.plan
    extended = now.extended
    title = f"{extended.title} and more" if extended else create.proposed_title(now.draft.folder) or "My vocabulary"
    noun = extended.vocabulary.noun if extended else _known_noun(now) or "thing"
    return replace(plan, title=plan.title.strip() or title, noun=plan.noun.strip() or noun)


def _known_noun(now: LearningState) -> str:
    """The noun of a pack whose parts have the same names: its eyes recognised them."""
    names = {part.name for part in now.draft.sorting.parts if not part.dropped}
    known = (pack.vocabulary for pack in now.extendable)
    return next((words.noun for words in known if names and names <= {part.name for part in words.visible_parts}), "")


def plan_error(now: LearningState) -> PageError | None:
    """What keeps the plan from being started, in words."""
    plan = now.draft.plan
    if any(char in "<>:" for char in plan.noun):
        return PageError("The noun cannot have <, > or a colon.", "Write one plain word, like bird.")
    if len(plan.noun) > 60 or len(plan.title) > 120:
        return PageError("The noun or the title is too long.", "Write fewer words.")
    return None


def discover_job(now: LearningState, out: str) -> Discover:
    """The job that writes the untrained pack of a draft into ``out``."""
    draft, plan = now.draft, with_proposals(now)
    sorting = draft.sorting
    clusters = len(sorting.parts) if draft.extends else sorting.clusters
    job = Discover(draft.folder, out, clusters, now.codes, plan.noun, "", base_model(now), title=plan.title)
    if draft.extends:
        return replace(job, extends=draft.extends)
    return replace(
        job,
        flip_background=sorting.flip,
        merged=sorting.merged,
        dropped=sorting.dropped,
        part_names=tuple(part.name for part in sorting.parts),
        colours=tuple(part.colour for part in sorting.parts),
        background=tuple(part.dropped for part in sorting.parts),
    )


def measure_key(now: LearningState) -> tuple[Any, ...]:
    """What a step's cost depends on."""
    plan, sorting = now.draft.plan, now.draft.sorting
    parts = tuple(part.members for part in sorting.parts)
    # What another batch takes is predicted.
    return (
        now.draft.folder,
        now.draft.extends,
        sorting.flip,
        parts,
        base_model(now),
        setting(now, "rank"),
        plan.more.get("size"),
    )


def cost_of(measured: Measured, now: LearningState, steps: int) -> tuple[float, int]:
    """Seconds that a training of so many steps takes here, and bytes at its peak."""
    return predict_cost(measured, Plan("", steps=steps, batch=setting(now, "batch"), size=setting(now, "size")))


def beginning_pack(now: LearningState) -> Pack | None:
    """The pack whose tokens the new ones begin at: the extended one, or one of the same base model."""
    if setting(now, "recipe") != "ours":
        return None
    base = base_model(now)
    return now.extended or next((pack for pack in now.trained if pack.base_model.id == base), None)


def free_memory() -> int:
    """Bytes of memory that programs can still have."""
    return psutil.virtual_memory().available


def make_run(now: LearningState, vocabulary: Path, runs: Path, packs: Path) -> str:
    """A run's folder with the untrained pack and its plan; the folder. Raises ``OSError`` or ``UserError``."""
    plan = now.draft.plan
    base = base_model(now)
    settings = {"steps": all_steps(now), **plan.more}
    places = {"pictures": now.draft.folder, "out": str(free_folder(packs, slug(plan.title, "vocabulary")))}
    document = {**create.propose_plan(base, settings, beginning_pack(now)), **places}
    run = create.new_run(runs, plan.title)
    return str(create.create_run(run, vocabulary, document, {KEPT_DRAFT: now.draft.to_document()}))


def kept_draft(run: str) -> Draft | None:
    """What a person had decided when a run was made, if that is there and whole."""
    document = read_json(Path(run) / KEPT_DRAFT)
    return Draft.from_document(document) if document else None
