"""The cache of features: looked at once, by many, for any eyes; never in memory all together."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from engine.core.errors import JobCancelled, UserError
from engine.packs.pack import Backbone
from engine.segmentation import feature_cache
from engine.segmentation.dino import Dino, open_dino
from engine.segmentation.feature_cache import (
    FeatureCache,
    FeatureMaps,
    PictureFeatures,
    compute_features,
    dino_cache_key,
    open_cache,
)
from engine.worker.jobs import News, Progress
from tests.conftest import REPOSITORY, as_another_user
from tests.fakes import sketch_bird


def silent(_news: News) -> None: ...


@pytest.fixture(scope="module")
def dino(tiny_world: Path, models: Any) -> Dino:
    return open_dino(models, Backbone(str(tiny_world / "eyes"), image_size=64, patch=8))


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    (tmp_path / "pictures").mkdir()
    paths = [tmp_path / "pictures" / f"{code}.png" for code in range(7)]
    for code, path in enumerate(paths):
        sketch_bird(code, 64 + 16 * (code % 2))[0].resize((64, 64 if code % 3 else 96)).save(path)
    return paths


class Looks:
    """Counts how many pictures the eyes really look at."""

    def __init__(self, dino: Dino) -> None:
        self.count = 0
        self._handle = dino.eyes.model.register_forward_hook(self._add, with_kwargs=True)

    def _add(self, model: Any, words: Any, named: Any, output: Any) -> None:
        self.count += len(named["pixel_values"])

    def __enter__(self) -> Looks:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()


def test_features_are_those_of_the_eyes_and_stay_on_the_disk(dino: Dino, pictures: list[Path]) -> None:
    from engine.core.image_files import open_picture

    found = compute_features(dino, pictures, silent, batch=3)
    assert isinstance(found.features, FeatureMaps) and len(found.features) == 7
    for index, one in enumerate(dino.features([open_picture(path) for path in pictures])):
        np.testing.assert_allclose(found.features[index], one, atol=2e-3)
        base = found.features.cells(index)
        while not isinstance(base, np.memmap):
            assert base.base is not None
            base = base.base


def test_a_stopped_look_goes_on_where_it_was(dino: Dino, pictures: list[Path]) -> None:
    def stop(news: News) -> None:
        if isinstance(news, Progress) and news.stage == "Looking at pictures" and news.done == 4:
            raise JobCancelled

    with Looks(dino) as looks, pytest.raises(JobCancelled):
        compute_features(dino, pictures, stop, batch=2)
    assert looks.count == 4
    with Looks(dino) as looks:
        compute_features(dino, pictures, silent, batch=2)
    assert looks.count == 3


@pytest.mark.slow
def test_a_killed_process_leaves_what_it_has_seen(
    dino: Dino, pictures: list[Path], tmp_path: Path, tiny_world: Path
) -> None:
    code = f"""
import os
from pathlib import Path
from engine.models.loader import Models
from engine.packs.pack import Backbone
from engine.segmentation.dino import open_dino
from engine.segmentation.feature_cache import compute_features
from engine.worker.jobs import Progress
def report(news):
    if isinstance(news, Progress) and news.stage == "Looking at pictures" and news.done == 4:
        os._exit(9)
files = sorted(Path({str(pictures[0].parent)!r}).iterdir())
dino = open_dino(Models(device="cpu"), Backbone({str(tiny_world / "eyes")!r}, image_size=64))
compute_features(dino, files, report, batch=2)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 9, done.stderr
    with Looks(dino) as looks:
        compute_features(dino, pictures, silent, batch=2)
    assert looks.count == 3


def test_the_content_is_what_counts(dino: Dino, pictures: list[Path], tmp_path: Path) -> None:
    compute_features(dino, pictures, silent)
    moved = shutil.copytree(pictures[0].parent, tmp_path / "moved")
    with Looks(dino) as looks:
        found = compute_features(dino, sorted(moved.iterdir()), silent)
    assert looks.count == 0 and len(found.features) == 7
    sketch_bird(99)[0].save(moved / "3.png")
    with Looks(dino) as looks:
        again = compute_features(dino, sorted(moved.iterdir()), silent)
    assert looks.count == 1 and again.key != found.key


def test_other_eyes_layers_and_sizes_have_caches_of_their_own(tiny_world: Path, tmp_path: Path) -> None:
    eyes = shutil.copytree(tiny_world / "eyes", tmp_path / "eyes")
    one = Backbone(str(eyes), image_size=64)
    keys = [
        dino_cache_key(one),
        dino_cache_key(Backbone(str(eyes), "-1", 64)),
        dino_cache_key(Backbone(str(eyes), image_size=32)),
    ]
    assert dino_cache_key(Backbone(str(tiny_world / "eyes"), image_size=64)) == keys[0], "the same weights elsewhere"
    weights = eyes / "model.safetensors"
    for notes in ({"format": "pt", "source": "here"}, {"source": "there", "format": "pt"}):
        save_file(load_file(weights), weights, notes)
        assert dino_cache_key(one) == keys[0], "the same tensors with other notes"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    os.utime(weights, ns=(5, 5))
    assert len({*keys, dino_cache_key(one)}) == 4


def test_a_damaged_file_of_the_cache_is_made_again(dino: Dino, pictures: list[Path], home: Path) -> None:
    before = compute_features(dino, pictures, silent)
    kept = [np.array(one) for one in before.features]
    for file in (home / "cache" / "features").rglob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-100])
    with Looks(dino) as looks:
        after = compute_features(dino, pictures, silent)
    assert looks.count == 7
    for one, other in zip(kept, after.features, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_picture_that_vanishes_stops_with_one_sentence(dino: Dino, pictures: list[Path]) -> None:
    def remove(news: News) -> None:
        if isinstance(news, Progress) and news.stage == "Looking at pictures" and news.done == 2:
            pictures[5].unlink()

    with pytest.raises(UserError, match=r"5\.png is not there any more") as told:
        compute_features(dino, pictures, remove, batch=2)
    assert told.value.hint
    with Looks(dino) as looks:
        assert len(compute_features(dino, [*pictures[:5], pictures[6]], silent).files) == 6
    assert looks.count == 2, "what was looked at before is kept"


def test_a_folder_that_vanishes_stops_with_one_sentence(dino: Dino, pictures: list[Path], tmp_path: Path) -> None:
    def unmount(news: News) -> None:
        if isinstance(news, Progress) and news.stage == "Looking at pictures" and news.done == 2:
            pictures[0].parent.rename(tmp_path / "elsewhere")

    with pytest.raises(UserError, match="The folder pictures is not there any more") as told:
        compute_features(dino, pictures, unmount, batch=2)
    assert "drive" in told.value.hint


def test_a_disk_that_is_too_small_is_told_early(
    dino: Dino, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "_SPARE", 1 << 60)
    with pytest.raises(UserError, match="more pictures needs") as told:
        compute_features(dino, pictures, silent, batch=2)
    assert "Make room" in told.value.hint


def test_the_cache_reads_what_others_write(tmp_path: Path) -> None:
    one, two = FeatureCache(tmp_path), FeatureCache(tmp_path)
    one.add({"a": np.ones((3, 2, 4), np.float32)})
    assert "a" in one and "a" not in two
    two.refresh()
    assert two["a"].shape == (2, 4, 3) and two["a"].read().dtype == np.float16


@pytest.mark.slow
def test_two_processes_look_at_a_share_each(
    dino: Dino, pictures: list[Path], tmp_path: Path, tiny_world: Path, home: Path
) -> None:
    code = f"""
import sys
from pathlib import Path
import torch.distributed as dist
from engine.models.loader import Models
from engine.packs.pack import Backbone
from engine.segmentation.dino import open_dino
from engine.segmentation.feature_cache import compute_features
dist.init_process_group("gloo", init_method="file://{tmp_path}/meet", rank=int(sys.argv[1]), world_size=2)
dino = open_dino(Models(device="cpu"), Backbone({str(tiny_world / "eyes")!r}, image_size=64))
looks = []
dino.eyes.model.register_forward_hook(lambda m, w, n, o: looks.append(len(n["pixel_values"])), with_kwargs=True)
files = sorted(Path({str(pictures[0].parent)!r}).iterdir())
found = compute_features(dino, files, lambda news: None, together=True)
print(sum(looks), found.key)
"""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(rank)],
            cwd=REPOSITORY,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    (first, key), (second, other) = (out.split() for out, _ in said)
    assert sorted((int(first), int(second))) == [3, 4] and key == other
    together = compute_features(dino, pictures, silent)
    assert together.key == key
    shared = [np.array(one) for one in together.features]
    shutil.rmtree(home / "cache" / "features")
    for one, alone in zip(shared, compute_features(dino, pictures, silent).features, strict=True):
        np.testing.assert_allclose(one, alone, atol=2e-3)  # batches differ, and so does rounding


def test_found_in_memory_is_as_good(dino: Dino, pictures: list[Path]) -> None:
    from engine.segmentation.codebook_fitting import draw_sample

    found = compute_features(dino, pictures, silent)
    plain = PictureFeatures(found.files, tuple(found.features))
    one, two = draw_sample(found.features, 3, 200), draw_sample(plain.features, 3, 200)
    np.testing.assert_allclose(one.rows, two.rows, atol=1e-6)
    np.testing.assert_array_equal(one.edge, two.edge)
    assert one.rows.shape == (7 * (200 // 7), 48) and set(one.picture.tolist()) == set(range(7))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_more_files_than_a_process_may_open(tmp_path: Path) -> None:
    code = f"""
import resource
from pathlib import Path
import numpy as np
from engine.segmentation.feature_cache import FeatureCache, FeatureMaps
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
cache = FeatureCache(Path({str(tmp_path)!r}))
for index in range(100):
    cache.add({{str(index): np.full((3, 2, 4), index, np.float32)}})
cache = FeatureCache(Path({str(tmp_path)!r}))
maps = FeatureMaps([cache[str(index)] for index in range(100)])
assert all((maps[index] == index).all() for index in range(100))
print("read")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stdout == "read\n", done.stderr


def test_a_cache_that_may_not_be_written_to_is_read_and_added_to_elsewhere(tmp_path: Path) -> None:
    place = tmp_path / "cache"
    FeatureCache(place).add({"a": np.ones((3, 2, 4), np.float32)})
    place.chmod(0o500)
    feature_cache._temporary_folder.cache_clear()
    with as_another_user(place):
        open_cache(place, False).add({"b": np.zeros((3, 2, 4), np.float32)})
        cache = open_cache(place, False)
        assert cache["a"].read().all() and not cache["b"].read().any()
        with pytest.raises(UserError, match="cannot be written to"):  # the others would not find it
            open_cache(place, True).add({"c": np.zeros((3, 2, 4), np.float32)})
    feature_cache._temporary_folder.cache_clear()
    assert len(list(place.iterdir())) == 1


def test_a_cache_that_is_no_folder_does_not_stop_the_look(dino: Dino, pictures: list[Path], home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "cache").write_bytes(b"not a folder")
    with Looks(dino) as looks:
        first, again = (compute_features(dino, pictures, silent) for _ in range(2))
    assert len(first.features) == looks.count == 7, "what was seen is kept as long as the program runs"
    np.testing.assert_array_equal(first.features[6], again.features[6])
    assert (home / "cache").read_bytes() == b"not a folder"
