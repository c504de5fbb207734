"""A PNG remembers its recipe: text chunks ``partcraft`` (ours, JSON) and ``parameters`` (the line other tools read)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from engine.core.add_on_places import without_place
from engine.core.atomic_files import write_whole
from engine.core.errors import UserError
from engine.core.image_files import open_image
from engine.core.json_values import finite_number, json_bytes
from engine.core.parameters_line import parameters_line, read_parameters
from engine.core.recipe import Arrival, Creation, Receipt, Recipe, Rest
from engine.core.source_mark import add_mark
from engine.core.start import Start
from engine.core.unicode_text import unicode_text
from engine.core.vocabulary import Vocabulary

CHUNK: Final = "partcraft"
PARAMETERS: Final = "parameters"
_CHUNK_VERSION: Final = 1


def save_creation(
    picture: Image.Image,
    path: Path | str,
    recipe: Recipe,
    receipt: Receipt = (),
    vocabulary: Vocabulary | None = None,
    model: str = "",
    sampler: str = "",
    source: str = "",
    revision: str = "",
    rest: Rest | None = None,
) -> Creation:
    """Write a picture as PNG with the recipe that makes it again alone, whole or not at all.

    ``picture`` is RGB. ``recipe`` should have the picture's own seed; its ``count`` and ``tries`` become 1. With a
    ``vocabulary`` the names of the choices are written beside their numbers, for people and for packs that change.
    ``model`` and ``sampler`` are names for other tools; ``source`` is a digital source type
    (:mod:`engine.core.source_mark`); ``revision`` tells apart base models of one name; ``rest`` is what was painted
    where the recipe says nothing: other programs are told it as if it were said. Raises :class:`UserError` for a full
    disk, a folder that is gone or cannot be written to.
    """
    path, recipe = Path(path), replace(recipe, count=1, tries=1)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    told = _with_start(recipe, recipe.start and recipe.start.named_from(path.parent))
    told = replace(told, add_ons=tuple(map(without_place, told.add_ons)))
    document: dict[str, Any] = {
        "version": _CHUNK_VERSION,
        "recipe": json.loads(told.to_json()),
        "receipt": [_arrival_document(arrival) for arrival in receipt],
        "created": created,
    }
    if revision:
        document["revision"] = revision
    if rest:
        document["rest"] = rest.to_document()
    spoken = rest.added_to(recipe, vocabulary.noun if vocabulary else "") if rest else recipe
    if vocabulary:
        document["names"] = {
            f"{choice.part}:{choice.code}": [
                vocabulary.parts[choice.part].name,
                vocabulary.code_name(choice.part, choice.code),
            ]
            for choice in spoken.choices
            if choice.part < len(vocabulary.parts) and choice.code < vocabulary.codes_per_part
        }
    info = PngInfo()
    info.add_itxt(CHUNK, json_bytes(document).decode())
    line = parameters_line(spoken, picture.size, vocabulary, model, sampler)
    info.add_itxt(PARAMETERS, unicode_text(line))
    add_mark(info, source)
    write_whole(path, lambda beside: picture.save(beside, "PNG", pnginfo=info), "the picture")
    return Creation(str(path), recipe, receipt, created, revision, rest)


def read_creation(path: Path | str) -> Creation:
    """The creation a PNG remembers. Raises :class:`UserError` if it is no PNG or has no recipe."""
    path = Path(path)
    text = _texts(path).get(CHUNK)
    if text is None:
        raise UserError(f"{path.name} has no recipe in it.", "Open a PNG made by PartCraft.")
    return _creation(path, text)


def read_other_recipe(path: Path, vocabulary: Vocabulary) -> Recipe | None:
    """What another program's line in a PNG says of a pack's parts; None without one. Raises :class:`UserError` if it is
    no PNG."""
    line = _texts(path).get(PARAMETERS)
    return None if line is None else read_parameters(line, vocabulary)


def _texts(path: Path) -> Mapping[str, str]:
    """The text chunks of a PNG."""
    try:
        with open_image(path) as picture:
            if not isinstance(picture, PngImageFile):
                raise UserError(f"{path.name} has no recipe in it.", "Open a PNG made by PartCraft.")
            picture.load()
            return picture.text
    except FileNotFoundError as error:
        raise UserError(f"{path.name} is not there any more.", "It may have been moved or deleted.") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path.name} cannot be read as a picture.", "Open a PNG made by PartCraft.") from error


def _creation(path: Path, text: str) -> Creation:
    try:
        document = json.loads(text)
        recipe = Recipe.from_json(json.dumps(document["recipe"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"The recipe in {path.name} cannot be read.", "Open another PNG made by PartCraft.") from error
    recipe = _with_start(recipe, recipe.start and recipe.start.found_from(path.parent))
    rows = document.get("receipt")
    receipt = tuple(arrival for row in rows if (arrival := _arrival(row))) if isinstance(rows, list) else ()
    created, revision = (text if isinstance(text := document.get(key), str) else "" for key in ("created", "revision"))
    return Creation(str(path), recipe, receipt, created, revision, Rest.from_document(document.get("rest")))


def _with_start(recipe: Recipe, start: Start | None) -> Recipe:
    return recipe if start == recipe.start else replace(recipe, start=start)


def _arrival_document(arrival: Arrival) -> dict[str, Any]:
    return {name: value for name, value in asdict(arrival).items() if value is not None and value is not False}


def _arrival(row: Any) -> Arrival | None:
    if not isinstance(row, Mapping):
        return None
    part, code, found, similarity = (row.get(key) for key in ("part", "code", "found", "similarity"))
    if not (isinstance(part, int) and isinstance(code, int) and isinstance(found, int)):
        return None
    where, likelihood = (_share(row.get(key)) for key in ("where", "likelihood"))
    return Arrival(part, code, found, finite_number(similarity) or 0.0, where, likelihood, row.get("unsure") is True)


def _share(value: Any) -> float | None:
    """A number of 0 to 1, None for all else."""
    number = finite_number(value)
    return number if number is not None and 0 <= number <= 1 else None
