"""Recipes: all that is needed to render again, as values that can be kept, compared and undone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import reduce
from typing import Any, Final

from engine.core.add_on import AddOn, add_ons_from
from engine.core.json_values import json_bytes, number_from, read_document
from engine.core.start import Start
from engine.core.vocabulary import Choice

RECIPE_VERSION: Final = 1

BY_SEED: Final = "by seed"
"""In :attr:`Recipe.rest`: the reference that the seed chooses."""

Prompt = tuple[str | Choice, ...]
"""A prompt as words and choices in the order they are said; the one place choices are kept."""


@dataclass(frozen=True)
class Recipe:
    """What to render.

    ``pack`` is a pack's id. ``prompt`` is words and choices in order. ``seed`` belongs to the first
    picture; picture i of ``count`` has seed ``seed + i`` and can be rendered alone. ``size`` is the
    side in pixels, 0 for the base model's own. ``extra`` keeps keys of newer versions unharmed. ``start`` is the
    picture rendering begins with; None: noise alone. ``add_ons`` are LoRAs and embeddings of others beside the pack.
    ``rest`` says where the parts that the prompt does not say come from: the id of one of the pack's references,
    ``BY_SEED`` for the one that the seed chooses, empty for whatever the base model makes of them
    (:mod:`engine.packs.unsaid_parts`).
    ``tries``: so many seeds may be rendered for each picture until all parts arrive, of which the best is kept; a
    creation's own recipe has 1.
    """

    pack: str
    prompt: Prompt = ()
    negative: str = ""
    seed: int = 0
    count: int = 1
    steps: int = 20
    guidance: float = 3.0
    size: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
    start: Start | None = None
    add_ons: tuple[AddOn, ...] = ()
    tries: int = 1
    rest: str = ""

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The choices in the order the prompt says them."""
        return tuple(piece for piece in self.prompt if isinstance(piece, Choice))

    def choice_of(self, part: int) -> Choice | None:
        """The first choice for a part, or None."""
        return next((choice for choice in self.choices if choice.part == part), None)

    def with_choice(self, choice: Choice, noun: str = "") -> Recipe:
        """This recipe with the part's choice replaced in place, or said before the noun.

        Without earlier choices it is put before the last ``noun`` of the words, else at the end;
        with earlier ones it follows them.
        """
        pieces = list(self.prompt)
        same = [i for i, p in enumerate(pieces) if isinstance(p, Choice) and p.part == choice.part]
        if same:
            pieces[same[0]] = choice
            return replace(self, prompt=_tidy(pieces))
        choice_indices = [i for i, piece in enumerate(pieces) if isinstance(piece, Choice)]
        if choice_indices:
            return replace(
                self, prompt=_tidy([*pieces[: choice_indices[-1] + 1], " ", choice, *pieces[choice_indices[-1] + 1 :]])
            )
        words = "".join(piece for piece in pieces if isinstance(piece, str))
        at = words.rfind(noun) if noun else -1
        before, after = (words[:at], words[at:]) if at >= 0 else (words, "")
        return replace(self, prompt=_tidy([before.rstrip() + " ", choice, " " + after.lstrip()]))

    def without(self, part: int) -> Recipe:
        """This recipe with every choice of a part taken out, and the comma or "and" that belonged to it alone."""
        pieces = list(self.prompt)
        for at in reversed(range(len(pieces))):
            piece = pieces[at]
            if isinstance(piece, Choice) and piece.part == part:
                pieces[at : at + 1] = []
                _close_gap(pieces, at)
        return replace(self, prompt=_tidy(pieces))

    def to_json(self) -> str:
        """One line of JSON, non-Latin text as it is, in Unicode whatever is in it; read back by :meth:`from_json`."""
        document: dict[str, Any] = dict(self.extra)
        document["version"] = RECIPE_VERSION
        for spec in fields(self):
            if spec.name not in ("prompt", "extra", "start", "add_ons", "tries", "rest"):
                document[spec.name] = getattr(self, spec.name)
        if self.tries != 1:
            document["tries"] = self.tries
        if self.rest:
            document["rest"] = self.rest
        if self.start is not None:
            document["start"] = self.start.to_document()
        if self.add_ons:
            document["add_ons"] = [add_on.to_document() for add_on in self.add_ons]
        document["prompt"] = [piece if isinstance(piece, str) else _choice_json(piece) for piece in self.prompt]
        return json_bytes(document).decode()

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Read a recipe of this or a newer version; unknown keys are kept, wrong values fall back to the defaults.
        Numbers may be texts, and a prompt that is a text is taken as words. Raises ``ValueError`` if it is not a recipe
        at all."""
        try:
            document = read_document(text)
        except ValueError as error:
            raise ValueError("this is not a recipe: the JSON cannot be read") from error
        if not isinstance(document, dict) or not isinstance(document.get("pack"), str):
            raise ValueError("this is not a recipe: it names no pack")
        values: dict[str, Any] = {}
        for spec in fields(cls):
            value = document.get(spec.name)
            if spec.name in ("negative", "pack", "rest") and isinstance(value, str):
                values[spec.name] = value
            elif spec.name in LIMITS and (number := number_from(value)) is not None:
                low, high = LIMITS[spec.name]
                values[spec.name] = min(max(float(number) if spec.name == "guidance" else int(number), low), high)
        pieces = document.get("prompt")
        pieces = [pieces] if isinstance(pieces, str) else pieces if isinstance(pieces, list) else ()
        values["prompt"] = _tidy(_piece(piece) for piece in pieces)
        values["start"] = Start.from_document(document.get("start"))
        values["add_ons"] = add_ons_from(document.get("add_ons"))
        names = {spec.name for spec in fields(cls)} | {"version"}
        if values["start"] is None:
            names.discard("start")  # one of a newer version
        return cls(**values, extra={key: value for key, value in document.items() if key not in names})


LIMITS: Final[dict[str, tuple[int, int]]] = {
    "seed": (0, 2**63 - 1), "count": (1, 1024), "steps": (1, 1000), "size": (0, 8192), "guidance": (0, 100),
    "tries": (1, 64),
}  # fmt: skip
"""What the numbers of a recipe may be."""

MOST_SEED: Final = 2**31 - 1
"""The largest seed that is drawn: other programs take no larger ones."""


def _choice_json(choice: Choice) -> dict[str, Any]:
    return {"part": choice.part, "code": choice.code, "strength": choice.strength, "source": choice.source}


def _piece(piece: Any) -> str | Choice:
    if isinstance(piece, str):
        return piece
    if not isinstance(piece, dict):
        return ""
    part, code = piece.get("part"), piece.get("code")
    if not (isinstance(part, int) and isinstance(code, int)):
        return ""
    strength = number_from(piece.get("strength"))
    source = piece.get("source")
    return Choice(
        part,
        code,
        1.0 if strength is None else min(max(float(strength), 0.0), 2.0),
        source if isinstance(source, str) else "",
    )


_JOINING: Final = r"(?:,|;|&|\band\b)"


def _close_gap(pieces: list[str | Choice], at: int) -> None:
    """Mend the words around a gap before ``pieces[at]``: a joining word or sign that joins nothing any more goes, and
    no blank is left before a comma or a full stop."""
    before = pieces[at - 1] if at else ""
    after = pieces[at] if at < len(pieces) else ""
    if not (isinstance(before, str) and isinstance(after, str)):
        return
    joined = re.fullmatch(rf"\s*{_JOINING}\s*", after)
    if joined and at + 1 < len(pieces):
        after = " "  # it joined what is gone to the choice after it
    elif (kept := re.sub(rf"\s*{_JOINING}\s*$", "", before)) != before:
        before, after = kept, after if not after or after[0].isspace() or after[0] in ",.;:!?" else f" {after}"
    if re.match(r"\s*[,.;:!?]", after):
        before, after = before.rstrip(), after.lstrip()
    if at:
        pieces[at - 1] = before
    if at < len(pieces):
        pieces[at] = after if at else after.lstrip()


def _tidy(pieces: Any) -> Prompt:
    """Join neighbouring words and squeeze the blanks that an insertion or a removal leaves."""
    joined: list[str | Choice] = []
    for piece in pieces:
        before = joined[-1] if joined else None
        if isinstance(piece, str) and isinstance(before, str):
            blanks = before[-1:].isspace() and piece[:1].isspace()
            joined[-1] = before.rstrip() + " " + piece.lstrip() if blanks else before + piece
        elif piece != "":
            joined.append(piece)
    return tuple(joined)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of one choice: the code found in the picture (``ABSENT`` if the part is not
    visible) and the cosine (-1..1) between the found part and the chosen code's centroid.

    ``where`` says whether the part is in its place, for pictures that had a place for it: how much the place where it
    was found and the one where it was put overlap (intersection over union, 0..1); None: there was none.

    Packs with a reader know more: ``likelihood`` is how likely the picture shows the chosen code (0..1), and of an
    ``unsure`` one nobody can say whether it does."""

    part: int
    code: int
    found: int
    similarity: float
    where: float | None = None
    likelihood: float | None = None
    unsure: bool = False

    @property
    def arrived(self) -> bool:
        """Whether the chosen part is what the picture shows."""
        return self.found == self.code and not self.unsure

    @property
    def missing(self) -> bool:
        """Whether the picture shows something else, or nothing, in the chosen part's place."""
        return not self.arrived and not self.unsure


Receipt = tuple[Arrival, ...]
"""For one creation, what became of each choice, in the order of the prompt."""


@dataclass(frozen=True)
class Rest:
    """The choices that were painted without being in a recipe: parts it left unsaid, all as one reference of the pack
    has them. ``reference`` is its id, ``title`` its name for people. A receipt does not count them."""

    reference: str
    title: str
    choices: tuple[Choice, ...]

    def added_to(self, recipe: Recipe, noun: str = "") -> Recipe:
        """The recipe with these choices said, too, where :meth:`Recipe.with_choice` puts them."""
        words = "".join(piece for piece in recipe.prompt if isinstance(piece, str))
        at = words.find(noun) if noun and not recipe.choices else -1
        if at >= 0:  # before the first noun, so that long words after it cut no choice off
            spaced = [piece for choice in self.choices for piece in (choice, " ")]
            return replace(recipe, prompt=_tidy([words[:at], *spaced, words[at:]]))
        return reduce(lambda said, choice: said.with_choice(choice, noun), self.choices, recipe)

    def to_document(self) -> dict[str, Any]:
        """JSON values; read back by :meth:`from_document`."""
        choices = [{"part": choice.part, "code": choice.code} for choice in self.choices]
        return {"reference": self.reference, "title": self.title, "choices": choices}

    @classmethod
    def from_document(cls, document: Any) -> Rest | None:
        """The opposite of :meth:`to_document`; None for anything else."""
        if not isinstance(document, Mapping) or not isinstance(document.get("choices"), list):
            return None
        reference, title = (
            text if isinstance(text := document.get(key), str) else "" for key in ("reference", "title")
        )
        pieces = (_piece(row) for row in document["choices"])
        choices = tuple(replace(piece, source=reference) for piece in pieces if isinstance(piece, Choice))
        return cls(reference, title, choices) if choices else None


@dataclass(frozen=True)
class Creation:
    """A rendered picture on disk with the recipe that makes it again alone (``count`` is 1). ``revision`` is that of
    the base model it was painted with, where that has one; ``rest`` what was painted where the recipe says nothing
    (None: nothing was added)."""

    path: str
    recipe: Recipe
    receipt: Receipt = ()
    created: str = ""
    revision: str = ""
    rest: Rest | None = None
