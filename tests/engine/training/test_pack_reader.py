"""A training ends with a reader of the pack's own pictures, which is kept only if it has learned to read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.core.paths import starter_pack
from engine.models.part_reader import PartReader
from engine.packs.pack import READER, Pack
from engine.packs.validation import check_pack
from engine.runs.plan import Plan
from engine.training import pack_reader
from engine.training.pack_reader import READER_METRICS, STAGE, whole_reader, write_reader
from engine.worker.jobs import News, Progress


@pytest.fixture
def pack(tiny_pack: Path, tmp_path: Path) -> Pack:
    return Pack.open(shutil.copytree(tiny_pack, tmp_path / "pack"))


@pytest.mark.parametrize("least", [1.1, -1.0])
def test_a_reader_is_kept_only_if_it_reads(
    pack: Pack, models: Any, monkeypatch: pytest.MonkeyPatch, least: float
) -> None:
    PartReader(4, 3, 4).save(pack.path / READER)  # of an earlier training
    before = (pack.path / READER).read_bytes()
    monkeypatch.setattr(pack_reader, "LEAST_KAPPA", least)
    seen: list[News] = []
    made = write_reader(models, pack, pack, Plan(str(pack.path)), 2, seen.append)
    assert any(isinstance(news, Progress) and news.stage == STAGE and news.total for news in seen)
    assert (READER_METRICS in made.metrics) == (pack.path / READER).exists() == (least < 0)
    if least < 0:
        assert (pack.path / READER).read_bytes() != before
        check_pack(Pack.open(pack.path), thorough=True)


def test_the_starter_has_a_reader_to_begin_with() -> None:
    known = whole_reader(starter_pack())
    assert known is not None and (known.parts, known.codes) == (5, 24)
