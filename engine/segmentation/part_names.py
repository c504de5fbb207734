"""Names for what was found: parts after those of packs that see with the same eyes, codes after what their pictures are
called."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from engine.core.errors import UserError
from engine.core.palette import PALETTE
from engine.core.part_looks import part_signs
from engine.core.vocabulary import Part
from engine.packs.library import PackLibrary
from engine.packs.pack import Backbone, Pack
from engine.segmentation.codebook_fitting import FittedCodebook, unit_rows
from engine.segmentation.known_parts import KnownParts

_NEAR: Final = 0.6
"""A part is another pack's if their centroids' cosine is at least this, and a part of the same places at least ..."""
_SHARE: Final = 0.5
_UNNAMED: Final = re.compile(r"part \d+")
_COMMON: Final = 0.6
_TELLING: Final = 1.5
_CAMERA_WORDS: Final = re.compile(
    "img|image|picture|photo|dsc|dscn|pic|copy|scan|file|screenshot|screen|shot|capture|download|untitled|whatsapp"
)
_SMALL_WORDS: Final = re.compile(
    "an|and|at|by|for|from|in|is|no|not|of|off|on|or|out|over|the|to|under|up|with|without|"
    "am|auf|aus|bei|das|der|die|ein|eine|im|mit|ohne|und|vom|von|zu|"
    "al|au|aux|avec|de|des|du|en|et|la|le|les|ou|par|pour|sans|sur|un|une|con|del|el|los|las|por|sin|una|di|da|il|lo"
)
"""They say nothing of what a picture shows; in the languages of most file names."""

Floats = npt.NDArray[np.float32]


def part_names(
    centroids: Floats,
    rows: Floats,
    backbone: Backbone,
    packs: Sequence[Pack] | None = None,
    known: KnownParts | None = None,
) -> list[str]:
    """A name for each part (unit centroids (M, C)) of unit rows (N, C): that of a part of a pack at hand with the same
    eyes which lies at the same places and looks alike, each used once; else that of a known part that it looks like;
    else "part 1", "part 2", ..."""
    names = [f"part {index + 1}" for index in range(len(centroids))]
    for index, name in (known.names_of(centroids, rows) if known else {}).items():
        names[index] = name
    plain = tuple(names)
    best = 0.0
    for pack in PackLibrary().packs() if packs is None else packs:
        if pack.backbone != backbone:
            continue
        try:
            matched = _match(centroids, rows, pack)
        except UserError:
            continue  # a damaged pack has no say in names
        if sum(score for _, score in matched.values()) > best:
            best = sum(score for _, score in matched.values())
            for index in range(len(centroids)):
                names[index] = matched.get(index, (plain[index], 0.0))[0]
    return [_distinct(name, names[:index]) for index, name in enumerate(names)]


def _match(centroids: Floats, rows: Floats, pack: Pack) -> dict[int, tuple[str, float]]:
    """Which parts are parts of the pack, with the share of their rows that the pack calls so."""
    shown = [part for part in pack.vocabulary.visible_parts if not _UNNAMED.fullmatch(part.name)]
    if not shown:
        return {}
    pack_parts = unit_rows(pack.codebook().parts[[part.index for part in shown]])
    ours = (rows @ centroids.T).argmax(axis=1)
    called = (rows @ pack_parts.T).argmax(axis=1)
    table = np.zeros((len(centroids), len(shown)))
    np.add.at(table, (ours, called), 1)
    table /= np.maximum(table.sum(axis=1, keepdims=True), 1)
    near = centroids @ pack_parts.T
    pairs = zip(*linear_sum_assignment(-table), strict=True)
    return {
        int(cluster): (shown[other].name, float(table[cluster, other]))
        for cluster, other in pairs
        if table[cluster, other] >= _SHARE and near[cluster, other] >= _NEAR
    }


def make_parts(names: Sequence[str], background: Sequence[bool], colours: Sequence[str] = ()) -> tuple[Part, ...]:
    """Parts of given names and colours; by default the usual ones of their names."""
    usual = [PALETTE[sign] for sign in part_signs(tuple(names))]
    shown = [*colours[: len(names)], *usual[len(colours) :]]
    return tuple(Part(at, name, shown[at], background[at]) for at, name in enumerate(names))


def code_names(
    parts: Sequence[Part], fitted: FittedCodebook, files: Sequence[Path], classes: Sequence[str]
) -> list[list[str]]:
    """A name for each code of each part (M, K): its kind if the pictures are sorted; else the kind or the word of the
    file names that most of its pictures share and others do not; else the part's name and its number, or "look 1",
    "look 2" of a part that has no name. Names of a part's codes differ; parts of the background have none."""
    count = fitted.codes.centroids.shape[1]
    file_words = [_name_words(file) for file in files]
    kinds = [{kind} - {""} for kind in classes or [""] * len(files)]
    rows: list[list[str]] = []
    for part in parts:
        row: list[str] = []
        if fitted.kinds and not part.background:
            row += fitted.kinds
        for code in range(count if not (row or part.background) else 0):
            members = np.flatnonzero(fitted.codes.codes[:, part.index] == code).tolist()
            name = _shared(members, kinds) or _shared(members, file_words)
            # "part 1 1" would read like one number.
            number = f"look {code + 1}" if _UNNAMED.fullmatch(part.name) else f"{part.name} {code}"
            row.append(_distinct(name or number, row))
        rows.append(row)
    return rows


def _shared(members: Sequence[int], all: Sequence[set[str]]) -> str:
    """The word that most of the members have and not as many of the others; "" if there is none."""
    counts = Counter(word for index in members for word in all[index])
    everywhere = Counter(word for words in all for word in words)
    for word, number in sorted(counts.items(), key=lambda item: (-item[1], everywhere[item[0]], item[0])):
        share, usual = number / max(len(members), 1), everywhere[word] / max(len(all), 1)
        if number > 1 and share >= _COMMON and share >= _TELLING * usual:
            return word
    return ""


def _name_words(file: Path) -> set[str]:
    """The words of a file's name, of any script; without numbers, small words and what cameras and programs write."""
    text = unicodedata.normalize("NFC", file.stem)
    words = {word.casefold() for word in re.findall(r"[^\W\d_]{2,}", text)}
    return {word for word in words if not (_CAMERA_WORDS.fullmatch(word) or _SMALL_WORDS.fullmatch(word))}


def _distinct(name: str, names: Sequence[str]) -> str:
    """The name, with a number behind it if it is taken."""
    folded = {taken_name.casefold() for taken_name in names}
    number, distinct = 2, name
    while distinct.casefold() in folded:
        distinct, number = f"{name} {number}", number + 1
    return distinct


def joined_names(old: Sequence[str], old_count: int, new: Sequence[str], new_count: int) -> list[str]:
    """A row of code names for old codes followed by new ones; empty if neither has names."""
    if not old and not new:
        return []
    row = list(old) or [""] * old_count
    for name in list(new) or [""] * new_count:
        row.append(_distinct(name, row) if name else "")
    return row
