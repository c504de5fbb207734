"""Which variants of a part there are: kinds first, then their other pictures, then a person's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.core.segmentation import Segmentation
from engine.core.vocabulary import ABSENT, Choice
from engine.packs.pack import Pack
from partcraft_desktop.app.state import OpenPicture


@dataclass(frozen=True)
class Variant:
    """One tile of the wall. ``choice`` is what a click takes, None: nothing of this part. ``name`` is the code's,
    ``detail`` says what else tells it from others; ``image`` and ``labels`` are where its crop is cut from, ``image``
    empty where no picture shows it."""

    choice: Choice | None
    name: str
    detail: str = ""
    image: str = ""
    labels: str | Segmentation = ""

    @property
    def words(self) -> str:
        """All that is written of it, to be searched and read out."""
        return f"{self.name}, {self.detail}" if self.detail else self.name


def variants_of(pack: Pack, own: Sequence[OpenPicture], part: int) -> tuple[Variant, ...]:
    """The variants of a part: nothing, each code with the picture that shows it first, other pictures of the same
    codes, a person's own pictures, and the codes that no picture shows."""
    vocabulary = pack.vocabulary
    first: dict[int, Variant] = {}
    further: list[Variant] = []
    counts: dict[int, int] = {}
    for reference in pack.references:
        code = reference.codes[part] if part < len(reference.codes) else ABSENT
        if not 0 <= code < vocabulary.codes_per_part:
            continue
        counts[code] = counts.get(code, 0) + 1
        name = vocabulary.code_name(part, code)
        detail = "" if reference.title.casefold() == name.casefold() else reference.title
        variant = Variant(Choice(part, code, 1.0, reference.id), name, detail, reference.image, reference.labels)
        if code in first:
            further.append(variant)
        else:
            first[code] = variant
    kinds = [
        Variant(one.choice, one.name, f"{counts[code]} pictures" if counts[code] > 1 else "", one.image, one.labels)
        for code, one in first.items()
    ]
    mine: list[Variant] = []
    for picture in own:
        codes = picture.segmentation.codes if picture.segmentation is not None else ()
        if picture.segmentation is not None and part < len(codes) and 0 <= codes[part] < vocabulary.codes_per_part:
            choice = Choice(part, codes[part], 1.0, picture.id)
            name = vocabulary.code_name(part, codes[part])
            mine.append(Variant(choice, name, picture.title, picture.image, picture.segmentation))
    # Pictures of one kind stand together, in the order of the kinds.
    order = {code: place for place, code in enumerate(first)}
    further.sort(key=lambda one: (order[one.choice.code] if one.choice else -1, one.words.casefold()))
    unseen = [code for code in range(vocabulary.codes_per_part) if code not in first]
    words_only = [Variant(Choice(part, code), vocabulary.code_name(part, code), "no picture") for code in unseen]
    return (Variant(None, f"no {vocabulary.parts[part].name}"), *kinds, *further, *mine, *words_only)


def row_of(variants: Sequence[Variant], choice: Choice | None) -> int:
    """The row of what is chosen: the same picture if it is there, else the same code."""
    if choice is None:
        return 0
    same_code = [row for row, one in enumerate(variants) if one.choice is not None and one.choice.code == choice.code]
    same_picture = [row for row in same_code if (other := variants[row].choice) and other.source == choice.source]
    return next(iter([*same_picture, *same_code]), -1)
