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


def default_settings(state: LearningState) -> dict[str, Any]:
    """What stands under "More" when nobody changed it: what suits the base model, or what the paper did."""
    suits = create.usual_settings(state.base_model, state.draft.plan.more.get("recipe", "ours"))
    return {**MORE, **{name: value for name, value in suits.items() if name in MORE}}


def setting(state: LearningState, name: str) -> Any:
    """A value under "More"."""
    return state.draft.plan.more.get(name, default_settings(state)[name])


def steps_of(state: LearningState) -> dict[Preset, int]:
    """The training steps of each preset."""
    suits = int(suitable_settings(state.base_model).get("steps", Plan.steps))
    return {preset: max(1, round(suits * share)) for preset, share in SHARES.items()}


def all_steps(state: LearningState) -> int:
    """How many steps the training that is planned takes."""
    plan = state.draft.plan
    return plan.steps or steps_of(state)[plan.preset]


def changed_settings(more: Mapping[str, Any], state: LearningState) -> dict[str, Any]:
    """Only what differs from what is usual, so that a better default reaches old drafts."""
    defaults = default_settings(state)
    return {name: value for name, value in more.items() if name == "recipe" or value != defaults[name]}


def with_proposals(state: LearningState) -> DraftPlan:
    """The plan with a noun and a title where a person gave none."""
    plan = state.draft.plan
    extended = state.extended
    title = f"{extended.title} and more" if extended else create.proposed_title(state.draft.folder) or "My vocabulary"
    noun = extended.vocabulary.noun if extended else _known_noun(state) or "thing"
    return replace(plan, title=plan.title.strip() or title, noun=plan.noun.strip() or noun)


def _known_noun(state: LearningState) -> str:
    """The noun of a pack whose parts have the same names: its eyes recognised them."""
    names = {part.name for part in state.draft.sorting.parts if not part.dropped}
    vocabularies = (pack.vocabulary for pack in state.extendable)
    return next(
        (
            vocabulary.noun
            for vocabulary in vocabularies
            if names and names <= {part.name for part in vocabulary.visible_parts}
        ),
        "",
    )


def plan_error(state: LearningState) -> PageError | None:
    """What keeps the plan from being started, in words."""
    plan = state.draft.plan
    if any(char in "<>:" for char in plan.noun):
        return PageError("The noun cannot have <, > or a colon.", "Write one plain word, like bird.")
    if len(plan.noun) > 60 or len(plan.title) > 120:
        return PageError("The noun or the title is too long.", "Write fewer words.")
    return None


def discover_job(state: LearningState, out: str) -> Discover:
    """The job that writes the untrained pack of a draft into ``out``."""
    draft, plan = state.draft, with_proposals(state)
    sorting = draft.sorting
    clusters = len(sorting.parts) if draft.extends else sorting.clusters
    eyes = draft.eyes or (state.parts_found.eyes if state.parts_found and not draft.extends else "")
    job = Discover(
        draft.folder, out, clusters, state.codes, plan.noun, eyes, state.base_model, title=plan.title,
        left_out=sorting.left_out, corrections=sorting.corrections,
    )  # fmt: skip
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


def measure_key(state: LearningState) -> tuple[Any, ...]:
    """What a step's cost depends on."""
    plan, sorting = state.draft.plan, state.draft.sorting
    parts = tuple(part.members for part in sorting.parts)
    # What another batch takes is predicted.
    return (
        state.draft.folder,
        state.draft.extends,
        state.draft.eyes or (state.parts_found.eyes if state.parts_found else ""),
        sorting.flip,
        sorting.left_out,
        sorting.corrections,
        parts,
        state.base_model,
        setting(state, "rank"),
        plan.more.get("size"),
    )


def cost_of(measured: Measured, state: LearningState, steps: int) -> tuple[float, int]:
    """Seconds that a training of so many steps takes here, and bytes at its peak."""
    return predict_cost(measured, Plan("", steps=steps, batch=setting(state, "batch"), size=setting(state, "size")))


def beginning_pack(state: LearningState) -> Pack | None:
    """The pack whose tokens the new ones begin at: the extended one, or one of the same base model."""
    if setting(state, "recipe") != "ours":
        return None
    base = state.base_model
    return state.extended or next((pack for pack in state.trained if pack.base_model.id == base), None)


def free_memory() -> int:
    """Bytes of memory that programs can still have."""
    return psutil.virtual_memory().available


def make_run(state: LearningState, vocabulary: Path, runs: Path, packs: Path) -> str:
    """A run's folder with the untrained pack and its plan; the folder. Raises ``OSError`` or ``UserError``."""
    plan = state.draft.plan
    base = state.base_model
    settings = {"steps": all_steps(state), **plan.more}
    places = {"pictures": state.draft.folder, "out": str(free_folder(packs, slug(plan.title, "vocabulary")))}
    document = {**create.propose_plan(base, settings, beginning_pack(state)), **places}
    run = create.new_run(runs, plan.title)
    return str(create.create_run(run, vocabulary, document, {KEPT_DRAFT: state.draft.to_document()}))


def kept_draft(run: str) -> Draft | None:
    """What a person had decided when a run was made, if that is there and whole."""
    document = read_json(Path(run) / KEPT_DRAFT)
    return Draft.from_document(document) if document else None
