"""Codebook and Segmentation: golden labels, and what the original does not survive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from engine.core.errors import UserError
from engine.core.segmentation import NO_PART, Segmentation
from engine.core.vocabulary import ABSENT, Choice, Part, Vocabulary
from engine.packs.codebook import Codebook
from engine.segmentation.mask_refinement import segment_picture


def random_book(
    parts: int = 3, codes: int = 4, width: int = 8, seed: int = 0, background: int | None = None
) -> Codebook:
    generator = np.random.default_rng(seed)

    def rows(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    return Codebook(rows(2, width), rows(parts, width), rows(parts, codes, width), background)


# Golden


@pytest.fixture(scope="module")
def golden_book(golden: Path, golden_index: dict[str, Any]) -> Codebook:
    """The original's centroids: its foreground row comes first, and background cells belong to part 0."""
    arrays = load_file(golden / "kmeans_centroids.safetensors")
    said = golden_index["kmeans_centroids.safetensors"]
    rows = arrays["fg"] if said["fg_idx"] == 1 else arrays["fg"][::-1].copy()
    codes = np.stack([arrays[f"fine{part}"] for part in range(said["M"])])
    return Codebook(rows, arrays["coarse"], codes, said["bg_code"])


def test_golden_labels_codes_and_features(golden: Path, golden_book: Codebook, golden_index: dict[str, Any]) -> None:
    said = load_file(golden / "kmeans_a16.safetensors")
    for index, features in enumerate(said["feat_map_f16"].astype(np.float32)):
        found = golden_book.segment(features)
        assert np.array_equal(found.labels.ravel(), said["coarse_labels"][index])
        for part in range(8):
            assert np.array_equal(found.mask(part), said["segmask"][index, part] > 0)
        # the original says code K where a part has no cells; we say ABSENT
        codes = [ABSENT if code == golden_book.codes.shape[1] else int(code) for code in said["fine_labels"][index]]
        assert list(found.codes) == codes
        pooled = golden_book.pooled(features, found.labels)
        assert np.abs(pooled - said["features"][index].astype(np.float32)).max() < 6e-4  # it is stored in 16 bits
        sentence = " ".join(f"{part}:{code}" for part, code in enumerate(found.codes) if code != ABSENT)
        assert sentence == golden_index["kmeans_a16.safetensors"]["prompts"][index]


def test_golden_foreground(golden: Path, golden_book: Codebook, golden_index: dict[str, Any]) -> None:
    said = load_file(golden / "kmeans_a16.safetensors")
    foreground = golden_index["kmeans_a16.safetensors"]["fg_idx"]
    plain = Codebook(golden_book.foreground, golden_book.parts, golden_book.codes)  # no part for the background
    for index, features in enumerate(said["feat_map_f16"].astype(np.float32)):
        seen = plain.segment(features).labels.ravel() != NO_PART
        assert np.array_equal(seen, said["fg_labels"][index] == foreground)


# What the original does not survive


def test_without_background_every_cell_has_a_part() -> None:
    book = random_book()
    book = Codebook(np.stack([np.zeros(8, np.float32), book.foreground[1]]), book.parts, book.codes, 0)
    found = book.segment(np.random.default_rng(1).standard_normal((8, 4, 4)).astype(np.float32))
    assert NO_PART not in found.labels


def test_all_background_has_no_parts() -> None:
    book = random_book()
    features = np.broadcast_to(book.foreground[0][:, None, None], (8, 4, 4)).astype(np.float32)
    found = book.segment(features)
    assert (found.labels == NO_PART).all() and found.codes == (ABSENT,) * 3
    picture = segment_picture(book, features, np.zeros((32, 48, 3), np.uint8))
    assert picture.labels.shape == (32, 48) and (picture.labels == NO_PART).all()


def test_another_width_is_told() -> None:
    with pytest.raises(UserError, match="9 numbers"):
        random_book().segment(np.zeros((9, 4, 4), np.float32))


def test_empty_clusters_are_never_chosen() -> None:
    book = random_book(parts=4)
    parts, codes = book.parts.copy(), book.codes.copy()
    parts[2] = 0
    codes[1] = 0
    codes[0, 1:] = 0
    # features against every part, so that the cosine 0 of an empty row would win
    features = np.random.default_rng(3).standard_normal((8, 6, 6)).astype(np.float32)
    found = Codebook(np.stack([np.zeros(8, np.float32), np.ones(8, np.float32)]), parts, codes).segment(features)
    assert 2 not in found.labels and found.codes[2] == ABSENT
    assert found.codes[1] == ABSENT and found.codes[0] in (0, ABSENT)


def test_not_a_number_is_background() -> None:
    book = random_book()
    features = np.broadcast_to(book.foreground[1][:, None, None], (8, 4, 4)).astype(np.float32).copy()
    whole = book.segment(features)
    features[:, 0, 0] = np.nan
    features[3, 1, 1] = np.inf
    found = book.segment(features)
    assert found.labels[0, 0] == found.labels[1, 1] == NO_PART
    assert found.codes == whole.codes
    assert book.segment(np.full((8, 4, 4), np.nan, np.float32)).codes == (ABSENT,) * 3
    segment_picture(book, features, np.zeros((16, 16, 3), np.uint8))


@pytest.mark.parametrize(
    "change",
    [
        {"foreground": np.zeros((3, 8), np.float32)},
        {"parts": np.zeros((3, 7), np.float32)},
        {"parts": np.zeros((3, 8), np.float32)},
        {"codes": np.zeros((2, 4, 8), np.float32)},
        {"codes": np.zeros((3, 8), np.float32)},
        {"parts": np.full((3, 8), np.nan, np.float32)},
    ],
)
def test_a_codebook_that_does_not_fit_together(change: dict[str, np.ndarray]) -> None:
    book = random_book()
    with pytest.raises(UserError):
        Codebook(**{"foreground": book.foreground, "parts": book.parts, "codes": book.codes, **change})


def test_exchanged_background_and_foreground_take_the_rest() -> None:
    book = random_book()
    features = np.random.default_rng(2).standard_normal((8, 6, 6)).astype(np.float32)
    seen = book.segment(features).labels != NO_PART
    flipped = replace(book, foreground=book.foreground[::-1].copy())
    assert np.array_equal(flipped.segment(features).labels != NO_PART, ~seen)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([None, 0, 2]))
def test_labels_and_codes_agree(seed: int, background: int | None) -> None:
    book = random_book(seed=seed, background=background)
    features = np.random.default_rng(seed).standard_normal((8, 5, 7)).astype(np.float32)
    for found in (book.segment(features), segment_picture(book, features, np.zeros((20, 28, 3), np.uint8))):
        assert found.labels.dtype == np.uint8
        shown = set(np.unique(found.labels).tolist()) - {NO_PART}
        assert shown == {part for part, code in enumerate(found.codes) if code != ABSENT}
        assert background is None or NO_PART not in found.labels


# Files


def vocabulary(parts: int, codes: int, background: int | None = None) -> Vocabulary:
    names = tuple(Part(i, f"part {i}", "#000000", i == background) for i in range(parts))
    return Vocabulary("bird", names, codes)


def test_a_codebook_is_read_as_it_was_written(tmp_path: Path) -> None:
    book = random_book()
    book.save(tmp_path / "codebook.safetensors")
    read = Codebook.load(tmp_path / "codebook.safetensors", vocabulary(3, 4, background=1))
    assert all(np.array_equal(getattr(read, name), getattr(book, name)) for name in ("foreground", "parts", "codes"))
    assert read.background == 1


def test_a_foreground_row_that_comes_first(tmp_path: Path) -> None:
    book = random_book()
    arrays = {"foreground": book.foreground[::-1].copy(), "parts": book.parts, "codes": book.codes}
    save_file(arrays, tmp_path / "c.safetensors", {"foreground_row": "0"})
    assert np.array_equal(Codebook.load(tmp_path / "c.safetensors").foreground, book.foreground)


def test_damaged_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "codebook.safetensors"
    with pytest.raises(UserError, match="missing"):
        Codebook.load(path)
    random_book().save(path)
    with pytest.raises(UserError, match="does not fit its pack"):
        Codebook.load(path, vocabulary(3, 5))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match="not whole"):
        Codebook.load(path)
    save_file({"parts": np.zeros((3, 8), np.float32)}, path)
    with pytest.raises(UserError, match="lacks codes, foreground"):
        Codebook.load(path)


# Receipts


def test_a_receipt_says_what_arrived() -> None:
    book = random_book()
    features = np.zeros((8, 4, 4), np.float32)
    features[:] = book.foreground[0][:, None, None]
    front = book.foreground[1] * 50
    features[:, :2, :2] = (front + book.parts[1])[:, None, None]
    found = book.segment(features)
    (part,) = {int(label) for label in np.unique(found.labels)} - {NO_PART}
    other = (part + 1) % 3
    receipt = book.receipt(features, [Choice(part, found.codes[part]), Choice(other, 2)])
    assert [arrival.arrived for arrival in receipt] == [True, False]
    assert receipt[0].similarity == max(book.similarity(part, code, features[:, 0, 0]) for code in range(4))
    assert receipt[1].found == ABSENT and receipt[1].similarity == 0


def test_part_at() -> None:
    found = Segmentation(np.array([[0, 1], [NO_PART, 0]], np.uint8), (3, ABSENT))
    assert [found.part_at(0, 0), found.part_at(1, 0), found.part_at(0, 1)] == [0, None, None]
    assert found.part_at(2, 0) is None and found.part_at(0, -1) is None
