"""Eyes, segmenting, and vocabularies found in a folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.core.errors import JobCancelled, UserError
from engine.core.image_files import open_picture
from engine.core.paths import runs_dir
from engine.core.segmentation import NO_PART
from engine.core.vocabulary import ABSENT
from engine.packs.pack import Backbone, Pack
from engine.packs.validation import check_pack
from engine.runs.create import create_run, new_run
from engine.runs.export import export_run
from engine.runs.run import read_run
from engine.runs.run_folder import open_plan
from engine.segmentation.choose_eyes import looks_like_a_photo
from engine.segmentation.class_labels import kinds_of
from engine.segmentation.codebook_fitting import (
    FittedCodebook,
    arrange_parts,
    cluster_foreground,
    draw_sample,
    fit_codes,
    split_background,
)
from engine.segmentation.dino import Dino, open_dino
from engine.segmentation.discover import discover
from engine.segmentation.feature_cache import PictureFeatures, compute_features
from engine.segmentation.segment import segment
from engine.training.train import train
from engine.worker.jobs import Discover, EyeSettings, News, Progress, Report, Segment, Train
from tests.fakes import sketch_bird


def silent(_news: News) -> None: ...


@pytest.fixture(scope="module")
def dino(tiny_world: Path, models: Any) -> Dino:
    return open_dino(models, Backbone(str(tiny_world / "eyes"), image_size=64, patch=8))


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 300), st.integers(1, 300))
def test_pictures_of_any_shape_become_whole_patches(dino: Dino, width: int, height: int) -> None:
    pixels = dino.pixels(Image.new("RGB", (width, height)))
    rows, columns = pixels.shape[1] // 8, pixels.shape[2] // 8
    assert pixels.shape == (3, rows * 8, columns * 8)
    assert 40 <= rows * columns <= 90 and 3 <= rows <= 17 and 3 <= columns <= 17
    (features,) = dino.features([Image.new("RGB", (width, height))])
    assert features.shape == (48, rows, columns) and np.isfinite(features).all()


def test_the_layer_and_the_batch_are_as_asked(dino: Dino, tiny_world: Path, models: Any) -> None:
    pictures = [sketch_bird(code)[0] for code in range(3)]
    pictures.insert(1, pictures[0].resize((128, 64)))
    together = dino.features(pictures)
    for picture, one in zip(pictures, together, strict=True):
        np.testing.assert_allclose(dino.features([picture])[0], one, atol=1e-4)
    raw = open_dino(models, Backbone(str(tiny_world / "eyes"), "-1", 64, 8)).features(pictures[:1])[0]
    assert raw.shape == together[0].shape and np.abs(raw - together[0]).max() > 0.1
    with pytest.raises(UserError, match="patches of 8"):
        open_dino(models, Backbone(str(tiny_world / "eyes"), image_size=64, patch=14))


def planted(kinds: int = 3, each: int = 6, seed: int = 0) -> PictureFeatures:
    """Feature maps with a background at the borders and two parts inside, whose looks depend on the kind."""
    generator = np.random.default_rng(seed)
    background, head, body = np.eye(3, 12, dtype=np.float32)
    maps, classes = [], []
    for kind in range(kinds):
        for _ in range(each):
            features = np.tile(background[:, None, None], (1, 8, 8))
            features[:, 2:4, 2:6] = (head + 0.5 * np.eye(12)[4 + kind])[:, None, None]
            features[:, 4:6, 2:6] = (body + 0.5 * np.eye(12)[4 + (kind + 1) % kinds])[:, None, None]
            maps.append((features + 0.02 * generator.standard_normal(features.shape)).astype(np.float32))
            classes.append(f"kind {kind}")
    files = tuple(Path(f"{index}.png") for index in range(len(maps)))
    return PictureFeatures(files, tuple(maps), tuple(classes))


def fitted(found: PictureFeatures, parts: int, codes: int, flip: bool = False) -> FittedCodebook:
    """The three tiers, one after the other, as a discovery finds them."""
    sample = draw_sample(found.features)
    split = split_background(sample)
    split = split.flipped() if flip else split
    tier = arrange_parts(sample, split, cluster_foreground(sample, split, parts))
    return fit_codes(found, split, tier, codes, tier.background)


def test_planted_parts_and_codes_are_found() -> None:
    found = planted()
    for classes in (found.classes, ()):
        clusters = fitted(PictureFeatures(found.files, found.features, classes), 2, 3)
        sentences = []
        for features in found.features:
            labels = clusters.codebook.segment(features)
            assert (labels.labels[0] == NO_PART).all()
            assert len(np.unique(labels.labels[2:4, 2:6])) == 1 == len(np.unique(labels.labels[4:6, 2:6]))
            assert labels.labels[2, 2] != labels.labels[4, 2]
            sentences.append(labels.codes)
        assert len(set(sentences)) == 3 and len(set(sentences[:6])) == 1
        assert clusters.metrics["foreground_share"] == pytest.approx(16 / 64)
        assert clusters.metrics["alike"] == []


def test_the_background_can_be_flipped() -> None:
    clusters = fitted(planted(), 2, 3, flip=True)
    labels = clusters.codebook.segment(planted().features[0]).labels
    assert (labels[0] != NO_PART).all() and (labels[3:5, 3:5] == NO_PART).all()


def test_too_few_pictures_leave_codes_empty_and_say_so() -> None:
    found = planted(kinds=2, each=1)
    clusters = fitted(PictureFeatures(found.files, found.features), 2, 5)
    assert clusters.metrics["codes_found"] == [2, 2]
    assert clusters.codebook.codes.shape == (2, 5, 12) and not clusters.codebook.codes[:, 2:].any()
    assert max(max(clusters.codebook.segment(one).codes) for one in found.features) == 1
    alike = fitted(planted(kinds=1), 4, 3).metrics["alike"]
    assert alike, "four parts where there are two: some are nearly the same, and that is told"


def test_classes_are_folders_when_all_pictures_are_in_them(tiny_world: Path) -> None:
    root = Path("/pictures")
    assert kinds_of(root, [root / "a/1.png", root / "b/x/2.png"])[0] == ("a", "b")
    assert kinds_of(root, [root / "a/1.png", root / "2.png"])[0] == ()
    assert kinds_of(root, [root / "a/1.png", root / "a/2.png"])[0] == ()


@pytest.mark.parametrize(
    ("names", "kinds", "said"),
    [
        (["train/a/1", "train/b/2", "val/a/3", "val/b/4"], ["a", "b", "a", "b"], "train, val are parts of one"),
        (["Train/a/1", "Train/b/2"], ["a", "b"], "Train is a folder around"),
        (["birds/a/1", "birds/b/x/2"], ["a", "b"], "birds is a folder around the others"),
        (["birds/train/a/1", "birds/test/b/2"], ["a", "b"], "test, train are parts"),
        (["train/birds/a/1", "val/birds/b/2"], ["a", "b"], "birds is a folder around"),
        (["a/1", "b/2", "stray"], ["a", "b", ""], "stray.png lies beside"),
        (["birds/a/1", "birds/b/2", "stray"], ["a", "b", ""], "stray.png lies beside"),
        (["train/1", "val/2"], [], "no kinds"),
        (["a/1", "b/2", "3", "4"], [], "2 of 4 pictures lie beside"),
        (["train/1", "plane/2"], ["train", "plane"], ""),
        (["a/x/1", "b/y/2"], ["a", "b"], ""),
        (["birds/a/1", "birds/a/2"], [], ""),
        (["1", "2"], [], ""),
    ],
)
def test_layouts_are_recognised_and_said(names: list[str], kinds: list[str], said: str) -> None:
    root = Path("/pictures")
    found, problems = kinds_of(root, [root / f"{name}.png" for name in names])
    assert found == tuple(kinds)
    assert all(problem.what == "note" for problem in problems) and bool(problems) == bool(said)
    assert said in " ".join(problem.message for problem in problems)


def test_a_found_pack_is_whole(tiny_pack: Path, tiny_world: Path, models: Any) -> None:
    pack = Pack.open(tiny_pack)
    assert [part.name for part in pack.vocabulary.parts] == ["head", "wing", "tail", "body"]
    assert pack.vocabulary.code_names[0] == ("kind 0", "kind 1", "kind 2")
    assert len(pack.references) == 12
    for reference in pack.references:
        with Image.open(reference.labels) as labels, Image.open(reference.image) as picture:
            assert labels.size == picture.size and labels.mode == "L"
            shown = set(np.unique(np.asarray(labels)).tolist()) - {NO_PART}
        kind = pack.vocabulary.code_names[0].index(reference.title)
        assert all(code in (ABSENT, kind) for code in reference.codes)
        assert shown == {part for part, code in enumerate(reference.codes) if code != ABSENT}
    found = segment(models, Segment(str(tiny_pack), pack.references[0].image), silent)
    with Image.open(pack.references[0].labels) as labels:
        assert (found.segmentation.labels == np.asarray(labels)).mean() > 0.95


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are Unicode there")
def test_names_that_are_no_unicode_are_learned_from_like_others(
    tiny_world: Path, models: Any, tmp_path: Path, home: Path
) -> None:
    folder = tmp_path / os.fsdecode(b"\xe9t\xe9")
    for number, file in enumerate(sorted((tiny_world / "pictures").rglob("*.png"))):
        kind = folder / os.fsdecode(b"\xe9" + bytes([65 + number % 2]))
        kind.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, kind / os.fsdecode(b"\xe9%d.png" % number))
    base, eyes = str(tiny_world / "base"), str(tiny_world / "eyes")
    out = tmp_path / os.fsdecode(b"draft\xe9")
    name = "\ud83dbird"  # half an emoji, from the clipboard of another program
    parts = [f"{name} {number}" for number in range(4)]
    discover(models, Discover(str(folder), str(out), 4, 2, name, eyes, base, title=name, part_names=parts,
                              eye_settings=EyeSettings(image_size=64, sees="drawings")), silent)  # fmt: skip
    pack = Pack.open(out)
    assert pack.title == pack.vocabulary.noun == name
    assert pack.vocabulary.code_names[0] == ("\ufffdA", "\ufffdB")
    run = create_run(new_run(runs_dir(), pack.title), out, {"base_model": base, "pictures": str(folder), "steps": 1,
                     "samples": 1, "batch": 1})  # fmt: skip
    plan, _ = open_plan(run)
    assert Path(plan.pictures) == folder
    copy, _ = export_run(run, tmp_path / os.fsdecode(b"else\xe9"))
    assert open_plan(copy)[0].pictures == str(copy / "pictures")
    trained = Pack.open(train(models, Train(str(run)), silent))
    assert trained.title == name and read_run(run).title == name


def test_pictures_that_cannot_be_read_are_skipped_and_looking_again_is_quick(dino: Dino, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    sketch_bird(0)[0].save(good)
    bad.write_bytes(good.read_bytes()[:200])
    found = compute_features(dino, [bad, good], silent)
    assert found.files == (good,) and "bad.png" in found.skipped[0]
    seen: list[int] = []
    handle = dino.eyes.model.register_forward_hook(lambda *_: seen.append(1))
    again = compute_features(dino, [good], silent)
    handle.remove()
    assert not seen
    np.testing.assert_array_equal(again.features[0], found.features[0])
    with pytest.raises(UserError, match="None of the pictures"):
        compute_features(dino, [bad], silent)


def test_wrong_wishes_are_told(tmp_path: Path, tiny_world: Path, models: Any) -> None:
    with pytest.raises(UserError, match="no folder"):
        discover(
            models, Discover(str(tmp_path / "none"), str(tmp_path / "out"), 2, 2, eyes=str(tiny_world / "eyes")), silent
        )
    with pytest.raises(UserError, match="at least one part"):
        discover(models, Discover(str(tmp_path), str(tmp_path / "out"), 2, 0), silent)
    job = Discover(
        str(tiny_world / "pictures"), str(tmp_path / "out"), 2, 2, eyes=str(tiny_world / "eyes"),
        part_names=["head", "Head"], eye_settings=EyeSettings(image_size=32),
    )  # fmt: skip
    with pytest.raises(UserError, match="distinct"):
        discover(models, job, silent)
    assert not (tmp_path / "out" / "pack.json").exists()
    with pytest.raises(UserError, match="not on this computer"):
        discover(models, Discover(str(tmp_path), str(tmp_path / "out"), 2, 2, eyes="nobody/eyes"), silent)


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """The disk takes no file of more than 1000 bytes."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(UserError, match="The pack could not be saved") as told:
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert told.value.hint and ".importing" not in str(told.value)


@pytest.mark.skipif(sys.platform == "win32", reason="there the system knows no such limit")
@pytest.mark.parametrize("before", ["nothing", "a draft", "files of somebody"])
@pytest.mark.parametrize("how", ["full", "cancelled"])
def test_a_discovery_that_ends_early_leaves_no_half_pack(
    tiny_world: Path, models: Any, tmp_path: Path, how: str, before: str
) -> None:
    def take(out: Path, parts: int, report: Report = silent) -> Pack:
        return Pack.open(discover(models, Discover(
            str(tiny_world / "pictures"), str(out), parts, 2, eyes=str(tiny_world / "eyes"), references=4,
            eye_settings=EyeSettings(image_size=32),
        ), report))  # fmt: skip

    def cancel(news: News) -> None:
        if isinstance(news, Progress) and news.stage.startswith("Cutting") and news.done == 2:
            raise JobCancelled

    out = tmp_path / "packs" / "owls"
    take(out if before == "a draft" else tmp_path / "first", 2)  # what is seen is in the cache now
    if before == "files of somebody":
        out.mkdir(parents=True)
        (out / "notes.txt").write_text("mine")
    there = contents_of(out)
    with full_disk() if how == "full" else pytest.raises(JobCancelled):
        take(out, 3, cancel if how == "cancelled" else silent)
    assert contents_of(out) == there, "what was there is as it was"
    assert [path.name for path in (tmp_path / "packs").iterdir()] == (["owls"] if there else [])
    pack = take(out, 3)
    check_pack(pack)
    assert len(pack.vocabulary.parts) == 3 and not list(out.parent.rglob(".importing*"))
    assert before != "files of somebody" or (out / "notes.txt").read_text() == "mine"


def contents_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_discovery_says_how_far_it_is(tiny_world: Path, models: Any, tmp_path: Path) -> None:
    seen: list[News] = []
    job = Discover(
        str(tiny_world / "pictures"), str(tmp_path / "pack"), 2, 3, eyes=str(tiny_world / "eyes"),
        references=4, codes_from="clusters", eye_settings=EyeSettings(image_size=32),
    )  # fmt: skip
    pack = Pack.open(discover(models, job, seen.append))
    assert {news.stage for news in seen if isinstance(news, Progress)} == {
        "Listing pictures", "Looking through the folder", "Looking at pictures", "Looking at known parts",
        "Trying numbers of parts", "Finding parts", "Finding codes", "Cutting references into parts",
    }  # fmt: skip
    assert len(pack.references) == 4 and pack.vocabulary.codes_per_part == 3


def test_photos_are_told_from_drawings(photos: Path) -> None:
    shown = sorted(photos.rglob("*.jpg"))
    assert shown and all(looks_like_a_photo(open_picture(path)) for path in shown)
    assert not any(looks_like_a_photo(sketch_bird(code)[0]) for code in range(5))


def test_eyes_that_know_drawings_say_so_of_a_photo(photos: Path, tiny_pack: Path, models: Any) -> None:
    from dataclasses import replace

    pack = Pack.open(tiny_pack)
    replace(pack, backbone=replace(pack.backbone, sees="drawings")).save()
    try:
        photo = next(photos.rglob("*.jpg"))
        shown = segment(models, Segment(str(tiny_pack), str(photo), anyway=True), silent)
        assert "dinov2" in shown.note and not shown.unseen and shown.segmentation.labels.min() < NO_PART
        unseen = segment(models, Segment(str(tiny_pack), str(photo)), silent)
        assert unseen.unseen and "wrong parts" in unseen.note, "no wrong parts unless they are asked for"
        assert (unseen.segmentation.labels == NO_PART).all() and set(unseen.segmentation.codes) == {ABSENT}
        assert unseen.segmentation.labels.shape == shown.segmentation.labels.shape
        seen = segment(models, Segment(str(tiny_pack), pack.references[0].image), silent)
        assert seen.note == "" and not seen.unseen
    finally:
        pack.save()
