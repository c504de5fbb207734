"""Receipts of packs with a reader: what arrived, what is missing, and what is unsure; and packs without one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file

from engine.core.errors import UserError
from engine.core.recipe import Recipe
from engine.core.vocabulary import ABSENT, Choice
from engine.models.part_reader import PartReader
from engine.packs.archive import read_archive, write_archive
from engine.packs.contents import pack_files
from engine.packs.pack import READER, Pack
from engine.packs.validation import check_pack
from engine.rendering.evaluation import evaluate
from engine.rendering.receipts import receipt_of
from engine.worker.jobs import Evaluate

RECIPE = Recipe("", (Choice(0, 1), Choice(2, 2), Choice(3, 0)))


def telling(codes: list[int | None], parts: int = 4, count: int = 3) -> PartReader:
    """A reader that says the same of every picture: for each part a code, or None: nobody knows."""
    torch.manual_seed(0)
    reader = PartReader(parts, count, 4)
    with torch.no_grad():
        for head, code in zip(reader.what, codes, strict=True):
            last: Any = head[-1]  # pyright: ignore
            last.weight.zero_()
            last.bias.zero_()
            if code is not None:
                last.bias[code] = 20.0
    reader.missing.fill_(0.1)
    reader.arrived.fill_(0.9)
    return reader.eval()


@pytest.fixture
def pack(tiny_pack: Path, tmp_path: Path) -> Pack:
    return Pack.open(shutil.copytree(tiny_pack, tmp_path / "pack"))


def test_the_reader_decides_and_says_what_nobody_knows(pack: Pack, models: Any) -> None:
    picture = Image.new("RGB", (64, 64), "red")
    before = receipt_of(models, pack, picture, RECIPE)
    telling([1, 0, 3, None]).save(pack.path / READER)
    head, tail, body = receipt_of(models, pack, picture, RECIPE)
    assert head.arrived and not head.missing and head.likelihood == pytest.approx(1.0)
    assert tail.missing and tail.found == ABSENT and not tail.unsure, "the reader's last class is none of the codes"
    assert body.unsure and not body.arrived and not body.missing
    assert [one.similarity for one in before] == [one.similarity for one in (head, tail, body)]
    telling([1, 0, 0, 0]).save(pack.path / READER)  # another reader in its place is taken up
    assert receipt_of(models, pack, picture, RECIPE)[1].found == 0


def test_a_code_may_have_bounds_of_its_own(pack: Pack, models: Any) -> None:
    reader = telling([None, None, None, None])  # holds every code, and none, for likely by a quarter
    reader.arrived[0, 1] = reader.missing[3] = reader.arrived[3] = 0.2
    reader.missing[2, 2] = reader.arrived[2, 2] = 0.3
    reader.save(pack.path / READER)
    check_pack(pack, thorough=True)
    head, tail, body = receipt_of(models, pack, Image.new("RGB", (64, 64), "red"), RECIPE)
    assert head.arrived and tail.missing and body.arrived
    other = receipt_of(models, pack, Image.new("RGB", (64, 64), "red"), Recipe("", (Choice(0, 0), Choice(2, 1))))
    assert all(one.unsure for one in other), "another code of the part has its own"


def test_an_evaluation_says_that_the_reader_reads_and_what_is_unsure(pack: Pack, models: Any, tmp_path: Path) -> None:
    telling([None, None, None, None]).save(pack.path / READER)
    job = Evaluate(str(pack.path), str(tmp_path / "out"), mixes=(1,), count=2, steps=2)
    result = evaluate(models, job, lambda news: None)
    (name,) = (one.judge for one in result.judgements)
    assert name == "receipts, by the pack's reader"
    each = json.loads((tmp_path / "out" / "report.json").read_text())["each"]
    told = [one for entry in each for one in entry["seen"][name]]
    assert told and all(one["unsure"] and not one["arrived"] for one in told)
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert page.count("<li>? ") == len(told) and "✗" not in page and "✓" not in page


def test_a_pack_without_a_reader_has_the_receipts_it_always_had(pack: Pack, models: Any) -> None:
    check_pack(pack, thorough=True)
    reference = pack.references[0]
    with Image.open(reference.image) as picture:
        receipt = receipt_of(models, pack, picture, RECIPE)
    assert len(receipt) == 3 and all(one.likelihood is None and not one.unsure for one in receipt)


def test_pictures_of_any_size_have_the_same_receipt(pack: Pack, models: Any) -> None:
    torch.manual_seed(3)
    PartReader(4, 3, 4).save(pack.path / READER)
    small = Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)).resize((128, 128))
    receipts = [receipt_of(models, pack, small.resize((side, side), Image.Resampling.BICUBIC), RECIPE)
                for side in (128, 256)]  # fmt: skip
    likely = np.array([[one.likelihood for one in receipt] for receipt in receipts], float)
    assert np.abs(likely[0] - likely[1]).max() < 0.02


def test_the_order_of_the_choices_changes_nothing(pack: Pack, models: Any) -> None:
    torch.manual_seed(3)
    PartReader(4, 3, 4).save(pack.path / READER)
    picture = Image.effect_noise((64, 64), 90).convert("RGB")
    one = receipt_of(models, pack, picture, RECIPE)
    other = receipt_of(models, pack, picture, replace(RECIPE, prompt=RECIPE.prompt[::-1]))
    assert one == other[::-1]


def test_a_reader_travels_with_its_pack(pack: Pack, tmp_path: Path) -> None:
    telling([1, 0, 3, None]).save(pack.path / READER)
    assert READER in pack_files(pack)
    write_archive(pack, tmp_path / "it.partpack")
    there = read_archive(tmp_path / "it.partpack", tmp_path / "packs", [])
    assert (there.path / READER).read_bytes() == (pack.path / READER).read_bytes()


def spoil(path: Path, how: str) -> None:
    arrays = load_file(path)
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-50])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "no numbers":
        arrays["fine.0.0.weight"][0] = np.nan
        save_file(arrays, path)
    elif how == "another pack's":
        PartReader(4, 7, 4).save(path)
    elif how == "no bounds":
        save_file({name: array for name, array in arrays.items() if name != "arrived"}, path)
    elif how == "crossed":
        arrays["missing"][:] = 2.0
        save_file(arrays, path)
    else:
        save_file({"something": np.zeros(3, np.float32)}, path)


FAULTS = ["cut", "empty", "no numbers", "another pack's", "no bounds", "something else"]


@pytest.mark.parametrize("how", [*FAULTS, "crossed"])
def test_a_malformed_reader_is_refused_in_a_sentence(pack: Pack, models: Any, how: str) -> None:
    telling([1, 0, 3, None]).save(pack.path / READER)
    check_pack(pack, thorough=True)
    spoil(pack.path / READER, how)
    if how in FAULTS:
        with pytest.raises(UserError):
            check_pack(pack, thorough=True)
    with pytest.raises(UserError, match="reader|damaged") as refused:
        receipt_of(models, pack, Image.new("RGB", (64, 64)), RECIPE)
    assert refused.value.hint
