"""Parts in one piece: stray pieces are what they look like next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.core.errors import UserError
from engine.packs.codebook import Codebook
from engine.packs.foreground import ForegroundVotes, pieces_of
from engine.packs.part_pieces import largest_share, without_strays
from engine.segmentation.one_piece import parts_in_one_piece

HEAD, BACK, LEGS = range(3)


def looks(rows: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Cosines (H, W, 3) and a foreground of a drawing: "h", "b", "l" look like a part, capitals more so; a second look
    is the back, and of the back the legs; "." is ground."""
    cells = np.array([list(row) for row in rows])
    cosines = np.zeros((*cells.shape, 3), np.float32)
    for part, letter in enumerate("hbl"):
        cosines[cells == letter, part] = 0.5
        cosines[cells == letter.upper(), part] = 0.9
    cosines[..., BACK] += 0.2
    cosines[..., LEGS] += 0.1
    return cosines, cells != "."


def labels_of(rows: list[str], whole: tuple[int, ...] = (HEAD, BACK)) -> str:
    cosines, mask = looks(rows)
    labels = without_strays(cosines, mask, whole).argmax(axis=2)
    return "/".join("".join("hbl"[part] if front else "." for part, front in zip(*row, strict=True))
                    for row in zip(labels, mask, strict=True))  # fmt: skip


def test_a_head_on_the_rump_becomes_what_it_looks_like_next() -> None:
    assert labels_of(["hbbbHH", "hbbbHH", "l....l"]) == "bbbbhh/bbbbhh/l....l"


def test_the_piece_that_is_most_of_a_part_stays() -> None:
    assert labels_of(["hhhbHH", "bbbbHH"]) == "bbbbhh/bbbbhh", "four sure cells are more than three unsure ones"


def test_each_object_has_a_head_of_its_own() -> None:
    assert labels_of(["hbb.hbb", "hbb.bbb"]) == "hbb.hbb/hbb.bbb"


def test_parts_of_several_pieces_are_left_alone() -> None:
    assert labels_of(["bbbbbb", "ll..ll"]) == "bbbbbb/ll..ll"


def test_what_is_given_away_may_be_a_stray_there_too() -> None:
    assert labels_of(["Hlh", "blb"], (HEAD, BACK)) == "hll/bll"


@given(arrays.arrays(np.float32, (6, 7, 3), elements=st.floats(-0.875, 1, width=32)), arrays.arrays(np.bool_, (6, 7)))
def test_each_object_has_one_piece_of_each_part_that_is_whole(cosines: np.ndarray, mask: np.ndarray) -> None:
    given_to = without_strays(cosines, mask, (HEAD, BACK))
    labels, objects = np.where(mask, given_to.argmax(axis=2), -1), pieces_of(mask)
    for part in (HEAD, BACK):
        pieces = pieces_of(labels == part)
        for name in np.unique(objects[mask]):
            inside = (objects == name) & (labels == part)
            assert len(np.unique(pieces[inside])) <= 1
    assert (given_to[..., LEGS] == cosines[..., LEGS]).all(), "a part of several pieces takes and loses nothing"
    assert ((given_to == cosines) | (given_to == -1)).all() and (given_to[~mask] == cosines[~mask]).all()


def test_the_share_of_the_largest_piece() -> None:
    assert largest_share(np.array([[1, 1, 0, 1]], bool)) == pytest.approx(2 / 3)
    assert largest_share(np.zeros((3, 3), bool)) == 0.0


def folder_of(rows: list[str], count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """``count`` feature maps of the drawing: each part its own direction, the ground another."""
    cells = np.array([list(row) for row in rows])
    features = np.zeros((4, *cells.shape), np.float32)
    for at, letter in enumerate(".hbl"):
        features[at, cells == letter] = 1
    return [features] * count, [cells != "."] * count


def test_the_pictures_say_which_parts_are_whole() -> None:
    drawing = ["hhhbbbbb", "hhhbbbbb", "hhhbbbbb", "...ll.ll", "...ll.ll"]
    maps, masks = folder_of(drawing, 9)
    centroids = np.eye(4, dtype=np.float32)[1:] - 0.3
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    assert parts_in_one_piece(maps, masks, centroids, ((0,), (1,), (2,))) == (HEAD, BACK)
    assert parts_in_one_piece(maps[:5], masks[:5], centroids, ((0,), (1,), (2,))) == (), "too few to say"


def test_it_is_kept_with_the_codebook(tmp_path: Path) -> None:
    rows = np.eye(4, dtype=np.float32)
    votes = ForegroundVotes(rows[:2].copy(), np.array([0.0, 1.0], np.float32), 0.5)
    book = Codebook(rows[:2].copy(), rows[1:].copy(), rows[1:, None].copy(), votes=votes, in_one_piece=(0, 2))
    book.save(tmp_path / "codebook.safetensors")
    assert Codebook.load(tmp_path / "codebook.safetensors").in_one_piece == (0, 2)
    with pytest.raises(UserError, match="does not have"):
        replace(book, in_one_piece=(3,))
