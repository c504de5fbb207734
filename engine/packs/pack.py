"""Packs: a vocabulary with its codebook, tokens, LoRA and references in one folder."""

from __future__ import annotations

import difflib
import itertools
import json
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from engine.core.errors import UserError
from engine.core.paths import make_folder, packs_dir, starter_pack, trash_dir, write_bytes
from engine.core.recipe import Prompt, Recipe
from engine.core.vocabulary import ABSENT, Part, Vocabulary

if TYPE_CHECKING:
    from engine.packs.codebook import Codebook


PACK_VERSION: Final = 1
MANIFEST: Final = "pack.json"
CODEBOOK: Final = "codebook.safetensors"
TOKENS: Final = "tokens.safetensors"
LORA: Final = "lora.safetensors"
BEGINNINGS: Final = "beginnings.safetensors"
"""What a pack may keep beside its tokens to help others begin: ``looks`` (M, N, C), part features of things that are
not in the pack, and ``<encoder>`` (M, N, W), the tokens that say them."""
CODE_PICTURES: Final = "thumbnails/codes"
"""Where a pack may keep ``<part>-<code>.png``: what a code looks like."""

_AGAIN: Final = "Get the pack again, or remove it."


@dataclass(frozen=True)
class Backbone:
    """The eyes a codebook was made with.

    ``feature_layer`` is "last_hidden_state" (after the final norm) or a hidden-state index;
    ``image_size`` is the side in pixels the picture is scaled to, ``patch`` the patch's side.
    ``sees`` is "drawings" or "photos".
    """

    id: str
    feature_layer: str = "last_hidden_state"
    image_size: int = 256
    patch: int = 8
    sees: str = "drawings"


@dataclass(frozen=True)
class BaseModel:
    """The diffusers folder a pack's tokens and LoRA belong to; ``widths`` are the text encoders'.

    ``unet`` is a folder or id whose UNet takes the place of the base model's own (empty: none). ``steps`` and
    ``guidance`` are how a distilled base model wants to be asked; ``steps`` 0: it does not mind.
    """

    id: str
    revision: str = ""
    widths: tuple[int, ...] = ()
    unet: str = ""
    steps: int = 0
    guidance: float = 0.0


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
    """What ``pack.json`` says. Arrays are loaded when asked for (``codebook()``)."""

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
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path | str) -> Pack:
        """Read ``pack.json`` of a folder; the arrays stay on disk. Raises :class:`UserError`."""
        path = Path(folder).resolve()
        return _from_manifest(path, _read_manifest(path))

    def save(self) -> None:
        """Write ``pack.json`` into the pack's folder (which must exist), whole or not at all.

        References whose pictures lie outside the folder raise ``ValueError``: a pack carries all it needs.
        Raises :class:`UserError` if it cannot be written.
        """
        text = json.dumps(self.to_document(), ensure_ascii=False, indent=1) + "\n"
        write_bytes(self.path / MANIFEST, text.encode("utf-8", "replace"), "the pack")

    def new_recipe(self, prompt: Prompt = (), seed: int = 0) -> Recipe:
        """A recipe of this pack, with the steps and guidance its base model wants."""
        base = self.base_model
        recipe = Recipe(self.id, prompt, seed=seed)
        return replace(recipe, steps=base.steps, guidance=base.guidance) if base.steps else recipe

    def codebook(self) -> Codebook:
        """The centroids, checked against the vocabulary. Raises :class:`UserError`."""
        from engine.packs.codebook import Codebook

        return Codebook.load(self.path / CODEBOOK, self.vocabulary)

    def check(self, thorough: bool = False) -> None:
        """See that the pack's files are there, whole, and fit together; pictures too if ``thorough``.

        Raises :class:`UserError` with the first thing that is wrong.
        """
        from engine.packs.archive import check_files

        check_files(self, thorough)

    def reference(self, id: str) -> Reference | None:
        """The reference with that id, or None."""
        return next((reference for reference in self.references if reference.id == id), None)

    def renamed(self, vocabulary: Vocabulary) -> Pack:
        """This pack with other names for its parts and codes. Raises ``ValueError`` if the counts differ."""
        old = self.vocabulary
        if len(vocabulary.parts) != len(old.parts) or vocabulary.codes_per_part != old.codes_per_part:
            raise ValueError("a renamed vocabulary has as many parts and codes as before")
        return replace(self, vocabulary=vocabulary)

    def to_document(self) -> dict[str, Any]:
        """The JSON document of ``pack.json``: version, vocabulary, models, references with relative paths."""
        words = self.vocabulary
        return {
            **self.extra,
            "version": PACK_VERSION,
            "id": self.id,
            "title": self.title,
            "noun": words.noun,
            "parts": [
                {"index": part.index, "name": part.name, "colour": part.colour, "background": part.background}
                for part in words.parts
            ],
            "codes_per_part": words.codes_per_part,
            "code_names": [list(row) for row in words.code_names],
            "backbone": {
                "id": self.backbone.id,
                "feature_layer": self.backbone.feature_layer,
                "image_size": self.backbone.image_size,
                "patch": self.backbone.patch,
                "sees": self.backbone.sees,
            },
            "base_model": {
                "id": self.base_model.id,
                "revision": self.base_model.revision,
                "widths": list(self.base_model.widths),
                **_said(self.base_model),
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
        return Path(path).resolve().relative_to(self.path.resolve()).as_posix() if path else ""


_KEYS: Final = {"version", "noun", "parts", "codes_per_part", "code_names"} | {spec.name for spec in fields(Pack)}


@dataclass(frozen=True)
class Listed:
    """A pack of the library, or what is wrong with its folder."""

    path: Path
    bundled: bool
    pack: Pack | None = None
    error: UserError | None = None


class PackLibrary:
    """The packs at hand: the starter, which is part of the program, and the user's own.

    It keeps nothing in memory: what is on disk is what there is.
    """

    def __init__(self, bundled: Path | None = None, own: Path | None = None) -> None:
        self._bundled = bundled or starter_pack()
        self._own = own

    @property
    def own(self) -> Path:
        """The folder of the user's packs."""
        return self._own or packs_dir()

    def listing(self) -> list[Listed]:
        """Every pack, the starter first, then the user's by title; broken ones come last, with their errors."""
        found = [_look(self._bundled, True)] if self._bundled.is_dir() else []
        if self.own.is_dir():
            folders = (path for path in self.own.iterdir() if path.is_dir() and not path.name.startswith("."))
            found += [_look(path, False) for path in sorted(folders)]
        return sorted(found, key=lambda one: (one.pack is None, not one.bundled, one.pack.title if one.pack else ""))

    def packs(self) -> list[Pack]:
        """The packs that can be used, the starter first."""
        return [one.pack for one in self.listing() if one.pack]

    def find(self, word: str) -> Pack:
        """The pack with that id, title or folder; the first one for "". Raises :class:`UserError`."""
        if word and (Path(word) / MANIFEST).is_file():
            return Pack.open(word)
        listing = self.listing()
        packs = [one.pack for one in listing if one.pack]
        for pack in packs:
            if not word or word.casefold() in (pack.id.casefold(), pack.title.casefold()):
                return pack
        for one in listing:
            if one.error and word in ("", one.path.name):
                raise one.error
        if not word:
            raise UserError("There is no pack yet.", "Import one with `partcraft packs import FILE`, or make one.")
        names = difflib.get_close_matches(word, [pack.id for pack in packs], 3, 0.3) or [pack.id for pack in packs]
        raise UserError(f"There is no pack called “{word}”.", f"There are: {', '.join(names) or 'none yet'}.")

    def import_pack(self, file: Path | str) -> Pack:
        """Unpack a ``.partpack`` into the user's packs. Nothing is changed if anything is wrong with it.

        A pack that is already here is not taken twice; another one with the same id gets an id of its own. Raises
        :class:`UserError`.
        """
        from engine.packs.archive import unpack

        return unpack(Path(file), self.own, self.packs())

    def export_pack(self, pack: Pack, file: Path | str) -> Path:
        """Write a pack as a ``.partpack``, whole or not at all; its path. Raises :class:`UserError`."""
        from engine.packs.archive import pack_up

        return pack_up(pack, Path(file))

    def delete(self, path: Path) -> Path:
        """Move one of the user's packs, whole or broken, to the trash; where :meth:`restore` finds it.

        Raises :class:`UserError` for the starter or if it cannot be moved.
        """
        if path.resolve().parent != self.own.resolve():
            raise UserError("The starter pack is part of PartCraft and stays.", "Delete packs of your own only.")
        there = make_folder(trash_dir(), "the trash") / f"{secrets.token_hex(4)}-{path.name}"
        return _move(path, there)

    def restore(self, trashed: Path) -> Pack:
        """Bring a pack back from the trash. Raises :class:`UserError`."""
        name = trashed.name.partition("-")[2]
        return Pack.open(_move(trashed, free_folder(self.own, name)))


def free_folder(parent: Path, name: str) -> Path:
    """A folder ``parent/name`` that is not there yet, with a number behind the name if need be. Not made."""
    numbers = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
    return next(parent / one for one in numbers if not (parent / one).exists())


def _look(path: Path, bundled: bool) -> Listed:
    try:
        pack = Pack.open(path)
        pack.check()
    except UserError as error:
        return Listed(path, bundled, error=error)
    return Listed(path, bundled, pack)


def _move(path: Path, there: Path) -> Path:
    try:
        make_folder(there.parent)
        shutil.move(path, there)
    except OSError as error:
        raise UserError(f"{path.name} could not be moved: {error.strerror}.", "Is it open in a program?") from error
    return there


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        document = json.loads((path / MANIFEST).read_text("utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path.name} is not a pack: {MANIFEST} is missing.", _AGAIN) from error
    except OSError as error:
        raise UserError(
            f"The pack “{path.name}” cannot be read: {error.strerror}.", "Check its permissions."
        ) from error
    except (ValueError, RecursionError) as error:
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
        words = Vocabulary(
            str(document["noun"]),
            parts,
            _whole(document["codes_per_part"]),
            tuple(tuple(str(name) for name in row) for row in document.get("code_names") or ()),
        )
        eyes = document["backbone"]
        base = document["base_model"]
        return Pack(
            path=path,
            id=str(document["id"]),
            title=str(document.get("title") or document["id"]),
            vocabulary=words,
            backbone=Backbone(
                str(eyes["id"]),
                str(eyes.get("feature_layer", "last_hidden_state")),
                _whole(eyes.get("image_size", 256)),
                _whole(eyes.get("patch", 8)),
                str(eyes.get("sees", "drawings")),
            ),
            base_model=BaseModel(
                str(base["id"]),
                str(base.get("revision", "")),
                tuple(_whole(width) for width in base.get("widths", ())),
                str(base.get("unet", "")),
                _whole(base.get("steps", 0)),
                float(base.get("guidance", 0.0)),
            ),
            references=tuple(_reference(path, one, words) for one in document.get("references") or ()),
            licence=str(document.get("licence", "")),
            provenance=str(document.get("provenance", "")),
            metrics=dict(document.get("metrics") or {}),
            extra={key: value for key, value in document.items() if key not in _KEYS},
        )
    except KeyError as error:
        raise UserError(f"{damaged} lacks {error.args[0]!r}.", _AGAIN) from error
    except (TypeError, AttributeError) as error:
        raise UserError(f"{damaged} has a value of a wrong kind.", _AGAIN) from error
    except ValueError as error:
        raise UserError(f"{damaged} is not right: {error}.", _AGAIN) from error


def _said(base: BaseModel) -> dict[str, Any]:
    """What most base models do not need to say."""
    said: dict[str, Any] = {"unet": base.unet} if base.unet else {}
    return said | ({"steps": base.steps, "guidance": base.guidance} if base.steps else {})


def _reference(path: Path, one: Mapping[str, Any], words: Vocabulary) -> Reference:
    codes = tuple(_whole(code) for code in one["codes"])
    if len(codes) != len(words.parts):
        raise ValueError(f"reference {one['id']!r} needs one code a part")
    if not all(code == ABSENT or 0 <= code < words.codes_per_part for code in codes):
        raise ValueError(f"reference {one['id']!r} has a code out of range")
    return Reference(
        id=str(one["id"]),
        title=str(one.get("title") or one["id"]),
        image=_inside(path, one["image"]),
        thumbnail=_inside(path, one.get("thumbnail") or one["image"]),
        labels=_inside(path, one["labels"]),
        codes=codes,
    )


def _inside(path: Path, name: str) -> str:
    """An absolute path for a name inside the pack; names that lead out of it raise ``ValueError``."""
    parts = PurePosixPath(str(name))
    if not parts.parts or parts.is_absolute() or ".." in parts.parts or re.search(r"[\\:]", str(name)):
        raise ValueError(f"the path {name!r} leads out of the pack")
    return str(path.joinpath(*parts.parts))


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value


def _colour(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError(f"{value!r} is not a colour like #rrggbb")
    return value
