"""Packs: a vocabulary with its codebook, tokens, LoRA and references in one folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from engine.core.atomic_files import read_text, write_bytes
from engine.core.errors import UserError
from engine.core.json_values import finite_number, json_bytes, read_document
from engine.core.on_disk import is_file, is_link, resolved
from engine.core.recipe import BY_SEED, LIMITS, Creation, Prompt, Recipe
from engine.core.vocabulary import ABSENT, Part, Vocabulary
from engine.packs.codebook import Codebook

PACK_VERSION: Final = 2
"""2: a backbone may be centred. Packs that use nothing new are written as version 1, for older programs."""
MANIFEST: Final = "pack.json"
CODEBOOK: Final = "codebook.safetensors"
TOKENS: Final = "tokens.safetensors"
LORA: Final = "lora.safetensors"
READER: Final = "reader.safetensors"
"""Where a pack may keep the network that makes its receipts (:class:`engine.models.part_reader.PartReader`)."""
BEGINNINGS: Final = "beginnings.safetensors"
"""What a pack may keep beside its tokens to help others begin: ``looks`` (M, N, C), part features of things that are
not in the pack, and ``<encoder>`` (M, N, W), the tokens that say them."""
CODE_PICTURES: Final = "thumbnails/codes"
"""Where a pack may keep ``<part>-<code>.png``: what a code looks like."""

STARTER_BASE: Final = "starter/base"

_AGAIN: Final = "Get the pack again, or remove it."
_MOST: Final = 1 << 20
"""More than any number of a pack is: its codes, the pixels of its eyes' side, the width of its words."""


@dataclass(frozen=True)
class Backbone:
    """The eyes a codebook was made with.

    ``feature_layer`` is "last_hidden_state" (after the final norm) or a hidden-state index;
    ``image_size`` is the side in pixels the picture is scaled to, ``patch`` the patch's side.
    ``sees`` is "drawings" or "photos". ``centred``: the codebook has votes and compares centred cells.
    """

    id: str
    feature_layer: str = "last_hidden_state"
    image_size: int = 256
    patch: int = 8
    sees: str = "drawings"
    centred: bool = False


@dataclass(frozen=True)
class BaseModel:
    """The diffusers folder a pack's tokens and LoRA belong to; ``widths`` are the text encoders'.

    ``unet`` and ``vae`` are folders or ids whose UNet or autoencoder takes the place of the base model's own (empty:
    none). ``steps`` and ``guidance`` are how a base model wants to be asked; ``steps`` 0: it does not mind.
    ``distilled``: it draws in a few steps of its own kind. ``revision`` tells apart what was published under one id.
    ``beside``: a folder that is no model known by an id, as seen from the pack's folder (with slashes); ``id`` is then
    its path here.
    """

    id: str
    revision: str = ""
    widths: tuple[int, ...] = ()
    unet: str = ""
    steps: int = 0
    guidance: float = 0.0
    beside: str = ""
    vae: str = ""
    distilled: bool = False

    @property
    def needs_all_parts(self) -> bool:
        """Whether it was taught with nearly all parts said and paints smears for those that are not."""
        return self.id == STARTER_BASE

    @property
    def name(self) -> str:
        """Its id, or its folder's name: where that is on this computer is nobody else's business."""
        return re.split(r"[/\\]", self.id)[-1] if Path(self.id).is_absolute() else self.id


@dataclass(frozen=True)
class Reference:
    """A picture parts are taken from. Paths are absolute; ``labels`` is an 8-bit PNG of a Segmentation's
    labels at the picture's size (so that hovering needs no engine); ``codes`` has one code a part."""

    id: str
    title: str
    image: str
    thumbnail: str
    labels: str
    codes: tuple[int, ...]


@dataclass(frozen=True)
class Pack:
    """What ``pack.json`` says. Arrays are loaded when asked for (``codebook()``).

    ``kinds`` is the code of each kind of picture where the codes are kinds, empty where they are clusters, None where
    that is not known. ``extends`` is the folder of the pack whose codes come first here, absolute or as seen from this
    pack; ``run`` the identity of the training that wrote it; ``trained``, whether it has tokens, so that its parts can
    be rendered. ``blind``: it has no codebook, so that nothing finds its parts in a picture. ``extra`` is what this
    version does not know.
    """

    path: Path
    id: str
    title: str
    vocabulary: Vocabulary
    backbone: Backbone
    base_model: BaseModel
    references: tuple[Reference, ...] = ()
    licence: str = ""
    provenance: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, int] | None = None
    extends: str = ""
    run: str = ""
    trained: bool = True
    blind: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path | str) -> Pack:
        """Read ``pack.json`` of a folder; the arrays stay on disk. Raises :class:`UserError`."""
        path = resolved(folder)
        return _from_manifest(path, _read_manifest(path))

    def save(self) -> None:
        """Write ``pack.json`` into the pack's folder (which must exist), whole or not at all.

        References whose pictures lie outside the folder raise ``ValueError``: a pack carries all it needs.
        Raises :class:`UserError` if it cannot be written.
        """
        write_bytes(self.path / MANIFEST, json_bytes(self.to_document(), indent=1), "the pack")

    def repaints_otherwise(self, creation: Creation) -> str:
        """What is to be said before a creation's recipe is rendered again: its base model has another revision since.
        Empty where nothing is known of that."""
        now = self.base_model.revision
        if not now or creation.recipe.pack != self.id or creation.revision == now:
            return ""
        return "The base model has changed since this was painted: rendered again, it will look a bit different."

    def new_recipe(self, prompt: Prompt = (), seed: int = 0) -> Recipe:
        """A recipe of this pack, with the steps and guidance its base model wants, and with all parts, if it needs
        them."""
        base = self.base_model
        recipe = Recipe(self.id, prompt, seed=seed, rest=BY_SEED if base.needs_all_parts else "")
        return replace(recipe, steps=base.steps, guidance=base.guidance) if base.steps else recipe

    def codebook(self) -> Codebook:
        """The centroids, checked against the vocabulary. Raises :class:`UserError`, also where the pack has none."""
        if self.blind:
            raise UserError(
                f"“{self.title}” cannot find parts in pictures yet: nothing says what its parts look like.",
                "It learns that from the reference pictures it paints.",
            )
        codebook = Codebook.load(self.path / CODEBOOK, self.vocabulary)
        if bool(codebook.votes) != self.backbone.centred:
            raise UserError(f"The codebook of the pack “{self.path.name}” is another pack's.", _AGAIN)
        return codebook

    @property
    def model_ids(self) -> tuple[str, ...]:
        """The ids of all models it names."""
        base = self.base_model
        return tuple(id for id in (base.id, base.unet, base.vae, self.backbone.id) if id)

    def unet_for(self, base_model: str) -> str:
        """The id of the UNet in place of the base model's own (empty: none) when this pack is used with a base model
        (its id; empty: the pack's): the pack's UNet belongs to the pack's base model alone."""
        return self.base_model.unet if base_model in ("", self.base_model.id) else ""

    def reference(self, id: str) -> Reference | None:
        """The reference with that id, or None."""
        return next((reference for reference in self.references if reference.id == id), None)

    def to_document(self) -> dict[str, Any]:
        """The JSON document of ``pack.json``: version, vocabulary, models, references with relative paths."""
        vocabulary = self.vocabulary
        return {
            **self.extra,
            **({"kinds": dict(self.kinds)} if self.kinds is not None else {}),
            **({"extends": self.extends} if self.extends else {}),
            **({"run": self.run} if self.run else {}),
            **({"blind": True} if self.blind else {}),
            "version": PACK_VERSION if self.backbone.centred else 1,
            "id": self.id,
            "title": self.title,
            "noun": vocabulary.noun,
            "parts": [
                {"index": part.index, "name": part.name, "colour": part.colour, "background": part.background}
                for part in vocabulary.parts
            ],
            "codes_per_part": vocabulary.codes_per_part,
            "code_names": [list(row) for row in vocabulary.code_names],
            "backbone": {
                "id": self.backbone.id,
                "feature_layer": self.backbone.feature_layer,
                "image_size": self.backbone.image_size,
                "patch": self.backbone.patch,
                "sees": self.backbone.sees,
                **({"centred": True} if self.backbone.centred else {}),
            },
            "base_model": {
                "id": self.base_model.beside.rpartition("/")[2] or self.base_model.id,
                "revision": self.base_model.revision,
                "widths": list(self.base_model.widths),
                **_base_model_entry(self.base_model),
            },
            "references": [
                {
                    "id": reference.id,
                    "title": reference.title,
                    "image": self._relative(reference.image),
                    "thumbnail": self._relative(reference.thumbnail),
                    "labels": self._relative(reference.labels),
                    "codes": list(reference.codes),
                }
                for reference in self.references
            ],
            "licence": self.licence,
            "provenance": self.provenance,
            "metrics": dict(self.metrics),
        }

    def _relative(self, path: str) -> str:
        return resolved(path).relative_to(resolved(self.path)).as_posix() if path else ""


_KEYS: Final = {"version", "noun", "parts", "codes_per_part", "code_names"} | {spec.name for spec in fields(Pack)}


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        document = read_document(read_text(path / MANIFEST))
    except FileNotFoundError as error:
        raise UserError(f"{path.name} is not a pack: {MANIFEST} is missing.", _AGAIN) from error
    except OSError as error:
        raise UserError(
            f"The pack “{path.name}” cannot be read: {error.strerror}.", "Check its permissions."
        ) from error
    except ValueError as error:
        raise UserError(f"The pack “{path.name}” is damaged: {MANIFEST} is not whole.", _AGAIN) from error
    if not isinstance(document, dict):
        raise UserError(f"The pack “{path.name}” is damaged: {MANIFEST} is not a pack's description.", _AGAIN)
    version = document.get("version")
    if not isinstance(version, int) or version < 1:
        raise UserError(f"The pack “{path.name}” is damaged: {MANIFEST} has no version.", _AGAIN)
    if version > PACK_VERSION:
        raise UserError(
            f"The pack “{path.name}” was made by a newer PartCraft (version {version}, this one reads {PACK_VERSION}).",
            "Update PartCraft to use it.",
        )
    return document


def _from_manifest(path: Path, document: dict[str, Any]) -> Pack:
    damaged = f"The pack “{path.name}” is damaged: {MANIFEST}"
    try:
        parts = tuple(
            Part(_whole(part["index"]), str(part["name"]), _colour(part["colour"]), part.get("background") is True)
            for part in document["parts"]
        )
        vocabulary = Vocabulary(
            str(document["noun"]),
            parts,
            _whole(document["codes_per_part"], _MOST),
            tuple(tuple(str(name) for name in row) for row in document.get("code_names") or ()),
        )
        eyes = document["backbone"]
        base = document["base_model"]
        return Pack(
            path=path,
            id=str(document["id"]),
            title=str(document.get("title") or document["id"]),
            vocabulary=vocabulary,
            backbone=Backbone(
                _model(eyes["id"]),
                str(eyes.get("feature_layer", "last_hidden_state")),
                _whole(eyes.get("image_size", 256), _MOST),
                _whole(eyes.get("patch", 8), _MOST),
                str(eyes.get("sees", "drawings")),
                eyes.get("centred") is True,
            ),
            base_model=_base_model(path, base),
            references=tuple(_reference(path, entry, vocabulary) for entry in document.get("references") or ()),
            licence=str(document.get("licence", "")),
            provenance=str(document.get("provenance", "")),
            metrics=dict(document.get("metrics") or {}),
            kinds=_kinds(document.get("kinds")),
            extends=_text(document.get("extends")),
            run=_text(document.get("run")),
            trained=is_file(path / TOKENS),
            blind=document.get("blind") is True,
            extra={key: value for key, value in document.items() if key not in _KEYS},
        )
    except KeyError as error:
        raise UserError(f"{damaged} lacks {error.args[0]!r}.", _AGAIN) from error
    except (TypeError, AttributeError, OverflowError) as error:
        raise UserError(f"{damaged} has a value of a wrong kind.", _AGAIN) from error
    except ValueError as error:
        raise UserError(f"{damaged} is not right: {error}.", _AGAIN) from error


def _kinds(value: Any) -> dict[str, int] | None:
    if not isinstance(value, dict):
        return None
    return {kind: code for kind, code in value.items() if type(code) is int and code >= 0}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _base_model_entry(base: BaseModel) -> dict[str, Any]:
    """What most base models do not need to say."""
    entry: dict[str, Any] = {name: id for name, id in (("unet", base.unet), ("vae", base.vae)) if id}
    entry |= {"beside": base.beside} if base.beside else {}
    if base.steps:
        entry |= {"steps": base.steps, "guidance": base.guidance}
    return entry if base.distilled == bool(base.steps) else entry | {"distilled": base.distilled}


def _base_model(path: Path, base: Mapping[str, Any]) -> BaseModel:
    beside = _text(base.get("beside"))
    return BaseModel(
        str(resolved(path / beside)) if beside else _model(base["id"]),
        str(base.get("revision", "")),
        tuple(_whole(width, _MOST) for width in base.get("widths", ())),
        _model(base.get("unet", "")),
        _whole(base.get("steps", 0), LIMITS["steps"][1]),
        _guidance(base.get("guidance", 0.0)),
        beside,
        _model(base.get("vae", "")),
        base.get("distilled", bool(base.get("steps"))) is True,  # before there was the word, only these had steps
    )


def _reference(path: Path, entry: Mapping[str, Any], vocabulary: Vocabulary) -> Reference:
    codes = tuple(_whole(code) for code in entry["codes"])
    if len(codes) != len(vocabulary.parts):
        raise ValueError(f"reference {entry['id']!r} needs one code a part")
    if not all(code == ABSENT or 0 <= code < vocabulary.codes_per_part for code in codes):
        raise ValueError(f"reference {entry['id']!r} has a code out of range")
    return Reference(
        id=str(entry["id"]),
        title=str(entry.get("title") or entry["id"]),
        image=_inside(path, entry["image"]),
        thumbnail=_inside(path, entry.get("thumbnail") or entry["image"]),
        labels=_inside(path, entry["labels"]),
        codes=codes,
    )


def _inside(path: Path, name: str) -> str:
    """An absolute path for a name inside the pack; names that lead out of it raise ``ValueError``."""
    parts = PurePosixPath(str(name))
    if not parts.parts or parts.is_absolute() or ".." in parts.parts or re.search(r"[\\:]", str(name)):
        raise ValueError(f"the path {name!r} leads out of the pack")
    file = path.joinpath(*parts.parts)
    steps = [file, *file.parents[: len(parts.parts) - 1]]
    # Few files are links; to resolve all would ask the disk for each folder above.
    if any(is_link(step) for step in steps) and not file.resolve().is_relative_to(path):
        raise ValueError(f"the path {name!r} leads out of the pack")
    return str(file)


def _model(value: Any) -> str:
    """The id of a model that a pack names; ``ValueError`` for one that walks upwards, such as into the pack itself."""
    id = str(value)
    if ".." in re.split(r"[/\\]", id):
        raise ValueError(f"the model {id!r} is no name of a model")
    return id


def _whole(value: Any, most: int = 0) -> int:
    """A whole number, from 0 on where there is a ``most``."""
    if type(value) is not int:
        raise TypeError
    if most and not 0 <= value <= most:
        raise ValueError(f"a number is not between 0 and {most}")
    return value


def _guidance(value: Any) -> float:
    number, (low, high) = finite_number(value), LIMITS["guidance"]
    if number is None or not low <= number <= high:
        raise ValueError(f"its guidance is not between {low} and {high}")
    return number


def _colour(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError(f"{value!r} is not a colour like #rrggbb")
    return value
