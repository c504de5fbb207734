"""Receipts and evaluations count what arrived."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.core.errors import JobCancelled, UserError
from engine.core.png_metadata import read_creation
from engine.core.recipe import Arrival, Recipe
from engine.core.vocabulary import ABSENT, Choice
from engine.packs.pack import Pack
from engine.rendering.evaluation import REFERENCES, evaluate, mixed_recipes
from engine.rendering.painter import open_painter
from engine.rendering.receipts import receipt_of
from engine.rendering.scores import Scorer, scores_of
from engine.worker.jobs import Evaluate, Evaluating, News, Progress
from tests.conftest import REPOSITORY


def test_a_reference_is_its_own_receipt(tiny_pack: Path, models: Any) -> None:
    """The parts of a reference arrive in the reference itself; parts of another do not."""
    pack = Pack.open(tiny_pack)
    right = wrong = asked = 0
    for reference in pack.references:
        shown = [Choice(part, code) for part, code in enumerate(reference.codes) if code != ABSENT]
        others = [replace(choice, code=(choice.code + 1) % 3) for choice in shown]
        with Image.open(reference.image) as picture:
            right += sum(one.arrived for one in receipt_of(models, pack, picture, Recipe("", tuple(shown))))
            wrong += sum(one.arrived for one in receipt_of(models, pack, picture, Recipe("", tuple(others))))
        asked += len(shown)
    assert asked and right > 0.8 * asked and wrong < 0.2 * asked


def test_pictures_without_a_way_to_look_have_no_receipt(tiny_pack: Path, models: Any) -> None:
    pack = Pack.open(tiny_pack)
    picture, recipe = Image.new("RGB", (64, 64)), Recipe("", (Choice(0, 1),))
    assert len(receipt_of(models, pack, picture, recipe)) == 1
    assert receipt_of(models, pack, picture, Recipe("", ("words",))) == ()
    blind = replace(pack, backbone=replace(pack.backbone, id="nobody/eyes"))
    assert receipt_of(models, blind, picture, recipe) == ()


def test_mixes_take_parts_from_as_many_references_as_asked(tiny_pack: Path) -> None:
    pack = Pack.open(tiny_pack)
    for recipe in mixed_recipes(pack, 1, 20, 3):
        assert len({choice.source for choice in recipe.choices}) == 1
    several = mixed_recipes(pack, 2, 20, 3)
    assert max(len({choice.source for choice in recipe.choices}) for recipe in several) == 2
    assert several == mixed_recipes(pack, 2, 20, 3) != mixed_recipes(pack, 2, 20, 4)
    for recipe in several:
        for choice in recipe.choices:
            reference = pack.reference(choice.source)
            assert reference is not None and reference.codes[choice.part] == choice.code
    with pytest.raises(UserError, match="no references"):
        mixed_recipes(replace(pack, references=()), 2, 2, 0)


def test_scores_are_means_over_what_was_asked(tiny_pack: Path) -> None:
    """A case by hand: four parts in two pictures, one of them right."""
    pack = Pack.open(tiny_pack)
    receipts = [
        (Arrival(0, 1, 1, 0.9), Arrival(1, 2, 0, 0.1)),
        (Arrival(0, 1, 2, 0.3), Arrival(1, 2, ABSENT, 0.0)),
    ]
    result = scores_of(pack, receipts)
    heads, wings = pack.codebook().codes[:2].astype(np.float64)
    head_cosine, wing_cosine = cosine(heads[1], heads[2]), cosine(wings[2], wings[0])
    assert result.emr == 0.25 and result.cosim == pytest.approx((1 + head_cosine + wing_cosine + 0) / 4)
    assert result.whole == 0 and result.pictures == 2 and result.asked == 4
    head = result.parts["head"]
    assert (head.emr, head.absent, head.asked, head.chance) == (0.5, 0.0, 2, 0.5)
    assert head.cosim == pytest.approx((1 + head_cosine) / 2)
    # Picture 0 shows head 1, which is what picture 1 asks for; picture 1 shows head 2, which picture 0 does not.
    assert head.floor == 0.5 and result.parts["wing"].floor == 0.0 and result.floor == 0.25
    assert result.parts["wing"].absent == 0.5 and result.parts["tail"].asked == 0
    # Two heads were asked for as 1, and one of them looks like 1; wings: at least one of as many as can be asked for.
    wings = len({reference.codes[1] for reference in pack.references} - {ABSENT})
    assert result.parts["wing"].chance == pytest.approx(1 / wings)
    assert result.chance == pytest.approx((0.5 + 1 / wings) / 2)
    assert result.match_rate.words.endswith("hardly better than guessing (4 parts)")
    # Of two pictures a resample has each one, or one of them twice: EMR 0.25, 0.5 or 0.
    assert result.emr_interval == (0.0, 0.5) and head.emr_interval == (0.0, 1.0)
    assert 0 < scores_of(pack, []).chance <= 1 and scores_of(pack, []).match_rate.asked == 0


def cosine(one: Any, other: Any) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def receipts_with(pack: Pack, count: int, right: float) -> list[tuple[Arrival, ...]]:
    """Receipts of random requests for all parts of which a share is right."""
    generator = np.random.default_rng(5)
    codes = generator.integers(0, 3, (count, 4))
    seen = np.where(generator.random(codes.shape) < right, codes, generator.integers(-1, 3, codes.shape))
    return [
        tuple(Arrival(part, int(row[part]), int(found[part]), 0.0) for part in range(4))
        for row, found in zip(codes, seen, strict=True)
    ]


def test_what_is_perfect_is_one(tiny_pack: Path) -> None:
    scores = scores_of(Pack.open(tiny_pack), receipts_with(Pack.open(tiny_pack), 20, 1.0))
    assert (scores.emr, scores.cosim, scores.whole) == (1.0, 1.0, 1.0)
    assert scores.emr_interval == scores.cosim_interval == scores.whole_interval == (1.0, 1.0)
    assert scores.floor < 0.6 and all(part.emr == 1 for part in scores.parts.values())


def test_shuffled_requests_score_the_floor(tiny_pack: Path) -> None:
    """The floor is the mean over all ways to give pictures the requests of others; here by turning them round."""
    pack = Pack.open(tiny_pack)
    receipts = receipts_with(pack, 12, 0.7)
    turned = []
    for shift in range(1, 12):
        others = [receipts[(index + shift) % 12] for index in range(12)]
        turned.append(scores_of(pack, [
            tuple(replace(seen, code=asked.code) for seen, asked in zip(own, other, strict=True))
            for own, other in zip(receipts, others, strict=True)
        ]))  # fmt: skip
    scores = scores_of(pack, receipts)
    assert scores.floor == pytest.approx(np.mean([one.emr for one in turned]))
    assert scores.floor_cosim == pytest.approx(np.mean([one.cosim for one in turned]))
    for name, part in scores.parts.items():
        assert part.floor == pytest.approx(np.mean([one.parts[name].emr for one in turned]))
    assert scores.emr_interval[0] < scores.emr < scores.emr_interval[1]
    assert scores == scores_of(pack, receipts), "the same receipts, the same intervals"


def test_intervals_keep_the_number_of_pictures_of_each_group(tiny_pack: Path) -> None:
    """Ten pictures that are all right beside ten that are all wrong: drawn within their groups, half is right."""
    right = [(Arrival(0, 1, 1, 1.0),)] * 10
    wrong = [(Arrival(0, 1, 2, 0.0),)] * 10
    scorer = Scorer(Pack.open(tiny_pack))
    assert scorer.scores(right + wrong, [1] * 10 + [4] * 10).emr_interval == (0.5, 0.5)
    low, high = scorer.scores(right + wrong).emr_interval
    assert low < 0.4 and high > 0.6


JOB = {"mixes": (1, 2), "count": 5, "steps": 3}


def test_an_evaluation_leaves_its_figures_its_pictures_and_a_page(tiny_pack: Path, models: Any, tmp_path: Path) -> None:
    seen: list[News] = []
    out = tmp_path / "out"
    result = evaluate(models, Evaluate(str(tiny_pack), str(out), **JOB), seen.append)
    document = json.loads((out / "report.json").read_text())
    assert document == document | json.loads(json.dumps(result.to_document())), "the page's figures are the result's"
    assert result.count == result.planned == 5 and result.mixes == (1, 2) and result.steps == 3
    sources = result.judgements[0].sources
    assert [scores.pictures for scores in sources.values()] == [3, 2]
    assert result.scores.emr == pytest.approx((3 * sources[1].emr + 2 * sources[2].emr) / 5)
    assert result.judgements[0].ceilings[REFERENCES].emr > 0.8 > result.scores.floor
    pictures = sorted((out / "pictures").iterdir())
    assert [path.name for path in pictures] == [f"{mix}-{number:05}.png" for mix, number in
                                                ((1, 0), (1, 1), (1, 2), (2, 0), (2, 1))]  # fmt: skip
    for entry in document["each"]:
        creation = read_creation(out / entry["file"])
        (told,) = entry["seen"].values()
        assert creation.recipe.seed == entry["seed"] and len(told) == len(creation.recipe.choices)
        assert [one["arrived"] for one in told] == [arrival.arrived for arrival in creation.receipt]
    grown = [news.result.count for news in seen if isinstance(news, Evaluating)]
    assert grown == sorted(grown) and grown[-1] == 5
    steps = [news for news in seen if isinstance(news, Progress) and news.stage == "Rendering mixes"]
    assert {news.total for news in steps} == {15} and [news.done for news in steps] == sorted(n.done for n in steps)


class Links(HTMLParser):
    """What a page refers to, its scripts, and the text of its styles."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "img", "line", "circle", "rect", "br"):
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "xlink:href", "data")]

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag


def test_the_page_needs_nothing_from_outside(tiny_pack: Path, models: Any, tmp_path: Path) -> None:
    pack = Pack.open(tiny_pack)
    named = tmp_path / "named"
    shutil.copytree(tiny_pack, named)
    document = json.loads((named / "pack.json").read_text())
    document["title"] = 'Birds <script>alert(1)</script> & "friends"'
    (named / "pack.json").write_text(json.dumps(document))
    evaluate(models, Evaluate(str(named), str(tmp_path / "out"), **JOB), lambda news: None)
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    found = Links()
    found.feed(page)
    assert not found.open or found.open == ["!doctype"], "every tag is closed"
    assert "script" not in found.tags and "link" not in found.tags and found.tags.count("svg") == 2
    assert len(found.links) == 5 and all(link.startswith("data:image/jpeg;base64,") for link in found.links)
    assert page.count('role="region" tabindex="0"') == page.count("<table>"), "wide tables are scrolled by keys, too"
    assert "http" not in page and "url(" not in page and "@import" not in page
    with Image.open(BytesIO(base64.b64decode(found.links[0].partition(",")[2]))) as picture:
        assert picture.size == (64, 64)
    assert pack.vocabulary.parts[0].name in page


KILLED = """
import os, signal, sys
from engine.models.loader import Models
from engine.rendering.evaluation import evaluate
from engine.worker.jobs import Evaluate, Evaluating
import engine.rendering.evaluation as module
module._BATCH = 2

def report(news):
    if isinstance(news, Evaluating) and news.result.count >= 2:
        os.kill(os.getpid(), signal.SIGKILL)

evaluate(Models(device="cpu"), Evaluate(sys.argv[1], sys.argv[2], mixes=(1, 2), count=5, steps=3), report)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no process can be killed like that there")
def test_an_evaluation_goes_on_after_a_kill(tiny_pack: Path, models: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tiny_pack), str(out)], cwd=REPOSITORY)
    assert killed.returncode == -signal.SIGKILL
    before = {path: path.read_bytes() for path in (out / "pictures").iterdir()}
    assert len(before) == 2 and not (out / "report.json").exists()
    seen: list[News] = []
    result = evaluate(models, Evaluate(str(tiny_pack), str(out), **JOB), seen.append)
    rendered = [news.done for news in seen if isinstance(news, Progress) and news.stage == "Rendering mixes"]
    assert rendered[0] == 2 * 3, "two pictures were there"
    assert all(path.read_bytes() == data for path, data in before.items())
    whole = evaluate(models, Evaluate(str(tiny_pack), str(tmp_path / "whole"), **JOB), lambda news: None)
    assert result == whole

    (out / "pictures" / "1-00000.png").write_bytes(b"half a picture")
    seen.clear()
    assert evaluate(models, Evaluate(str(tiny_pack), str(out), **JOB), seen.append) == whole
    rendered = [news.done for news in seen if isinstance(news, Progress) and news.stage == "Rendering mixes"]
    assert rendered[0] == 4 * 3


def test_another_evaluation_does_not_go_on_in_a_folder(tiny_pack: Path, models: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def stop(news: News) -> None:
        raise JobCancelled

    with pytest.raises(JobCancelled):
        evaluate(models, Evaluate(str(tiny_pack), str(out), **JOB), stop)
    with pytest.raises(UserError, match=r"There is another evaluation in .*: not the same number of pictures, seed\."):
        evaluate(models, Evaluate(str(tiny_pack), str(out), **{**JOB, "count": 6}, seed=1), stop)
    trained_on = tmp_path / "tiny"
    shutil.copytree(tiny_pack, trained_on)
    (trained_on / "tokens.safetensors").write_bytes((tiny_pack / "tokens.safetensors").read_bytes() + b" ")
    with pytest.raises(UserError, match="not the same weights"):
        evaluate(models, Evaluate(str(trained_on), str(out), **JOB), stop)
    (out / "plan.json").write_text("half a pl")
    with pytest.raises(UserError, match="plan.json cannot be read"):
        evaluate(models, Evaluate(str(tiny_pack), str(out), **JOB), stop)


def test_packs_whose_parts_cannot_be_counted_are_refused(tiny_pack: Path, models: Any, tmp_path: Path) -> None:
    """Published checkpoints have codes that are classes; others have no codebook, or learned no tokens."""
    pack = tmp_path / "pack"
    shutil.copytree(tiny_pack, pack)
    (pack / "tokens.safetensors").rename(pack / "elsewhere")
    with pytest.raises(UserError, match="has learned no tokens yet"):
        evaluate(models, Evaluate(str(pack), str(tmp_path / "out"), **JOB), lambda news: None)
    book = Pack.open(pack).codebook()
    replace(book, codes=np.zeros_like(book.codes)).save(pack / "codebook.safetensors")
    with pytest.raises(UserError, match="are classes that its codebook cannot tell apart"):
        evaluate(models, Evaluate(str(pack), str(tmp_path / "out"), **JOB), lambda news: None)
    (pack / "codebook.safetensors").unlink()
    with pytest.raises(UserError, match="has no codebook"):
        evaluate(models, Evaluate(str(pack), str(tmp_path / "out"), **JOB), lambda news: None)
    with pytest.raises(UserError, match="at least one picture"):
        evaluate(models, Evaluate(str(tiny_pack), str(tmp_path / "out"), (1,), 0), lambda news: None)
    assert not (tmp_path / "out").exists()


def test_pictures_of_a_batch_are_those_rendered_alone(tiny_pack: Path, models: Any) -> None:
    pack = Pack.open(tiny_pack)
    painter = open_painter(models, pack)
    recipes = mixed_recipes(pack, 2, 3, 8)
    together = painter.paint_each([one.prompt for one in recipes], [one.seed for one in recipes], steps=3, guidance=2.0)
    for picture, recipe in zip(together, recipes, strict=True):
        (alone,) = painter.paint(recipe.prompt, (), [recipe.seed], steps=3, guidance=2.0)
        assert np.abs(np.asarray(picture, int) - np.asarray(alone, int)).max() <= 1
