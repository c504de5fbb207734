"""The commands ``models list``, ``check`` and ``download``."""

from __future__ import annotations

import sys
from argparse import Namespace

from engine.cli.console import DONE, FAILED, Answer
from engine.core.errors import UserError
from engine.packs.library import PackLibrary


def models_list(words: Namespace, handlers: str) -> Answer:
    """The models on this computer."""
    from engine.models.hub import list_models

    found = list_models()
    rows = [{"id": one.id, "kind": one.kind, "path": one.folder, "missing": list(one.missing)} for one in found]
    lines = [f"{one.id}  {one.kind}" + (f"  lacks {', '.join(one.missing)}" if one.missing else "") for one in found]
    return Answer({"models": rows}, "\n".join(lines) or "There are no models on this computer.")


def models_check(words: Namespace, handlers: str) -> Answer:
    """Whether a model is here and whole; without a name, those that the packs need."""
    from engine.models.hub import check_model

    ids = [words.model] if words.model else sorted(needed_models())
    rows, lines = [], []
    for id in ids:
        try:
            found = check_model(id)
            fault = f"It lacks {', '.join(found.missing)}." if found.missing else ""
            hint = "Get the model again." if fault else ""
            if not found.kind:
                fault, hint = "It is no model that can be used here.", "See the README for those that can."
        except UserError as error:
            fault, hint = error.message, error.hint
        rows.append({"id": id, "ok": not fault, "message": fault, "hint": hint})
        lines.append(f"{id}: {fault or 'whole'} {hint}".rstrip())
    whole = all(row["ok"] for row in rows)
    return Answer({"models": rows}, "\n".join(lines) or "No pack needs a model.", DONE if whole else FAILED)


def models_download(words: Namespace, handlers: str) -> Answer:
    """Fetch a model from the Hugging Face hub."""
    from engine.models.hub import download

    folder = download(words.model, lambda line: print(line, file=sys.stderr))
    return Answer({"id": words.model, "path": str(folder)}, f"{words.model} is in {folder}.")


def needed_models() -> set[str]:
    """Ids of the models that the packs at hand need."""
    packs = PackLibrary().packs()
    return {id for pack in packs for id in (pack.base_model.id, pack.base_model.unet, pack.backbone.id) if id}
