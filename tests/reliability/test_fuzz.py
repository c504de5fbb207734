"""Five hundred spoilt inputs: sentences, never a traceback, a hang, a crash, or memory without bound."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest

from tests.fakes import make_folder, make_pack
from tests.reliability.fuzz import MOST_BYTES, fuzz
from tests.reliability.inputs import KINDS, Trial, World, make_trial

COUNT = 500


@pytest.mark.slow
def test_spoilt_inputs_are_told_in_sentences() -> None:
    report = fuzz(range(COUNT), seed=1, jobs=2)
    print(report.words())
    assert not report.faults, [(fault["number"], fault["fault"], fault["said"][-2000:]) for fault in report.faults]
    assert sum(report.tried.values()) == COUNT and report.tried.keys() == KINDS.keys()
    assert report.codes.keys() <= {0, 1, 2} and report.codes[0] > COUNT // 10 and report.codes[1] > COUNT // 10
    assert report.rise < MOST_BYTES


def test_a_seed_makes_the_same_inputs(tmp_path: Path) -> None:
    world = World(tmp_path)
    make_pack(world.pack, references=2)
    make_folder(world.pictures, ("kind 0", "kind 1"), 1)
    for name in ("base", "eyes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text('{"sample_size": 64}')
    made: list[Trial] = []
    for number in range(24):
        one, other = (make_trial(world, tmp_path / name / str(number), number, 3) for name in ("a", "b"))
        assert [word.replace("/a/", "/b/") for word in one.words] == list(other.words)
        made.append(one)
    assert len({trial.kind for trial in made}) > 5
    first, second = (sorted(path for path in (tmp_path / name).rglob("*") if path.is_file()) for name in ("a", "b"))
    assert [path.relative_to(tmp_path / "a") for path in first] == [path.relative_to(tmp_path / "b") for path in second]
    travels = (".png", ".partpack", ".safetensors", ".csv")  # others name the folder that they are in
    dated = ("r.png", "one.png")  # creations say when they were made
    pairs = [(one, other) for one, other in zip(first, second, strict=True) if one.suffix in travels]
    pairs = [(one, other) for one, other in pairs if one.name not in dated]
    assert len(pairs) > 30 and all(filecmp.cmp(one, other, shallow=False) for one, other in pairs)
