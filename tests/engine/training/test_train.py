"""Training: plans, examples, captions, and runs that stop and go on without a trace."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from engine.core.errors import JobCancelled, UserError
from engine.core.segmentation import NO_PART, Segmentation
from engine.core.vocabulary import ABSENT, Choice, Part, Vocabulary
from engine.models.loader import Models
from engine.models.text_encoding import tokenize_prompt
from engine.packs.pack import Pack
from engine.runs.plan import Plan
from engine.runs.run_folder import open_plan
from engine.training.captions import Captions, words_around
from engine.training.diffusion_loss import diffusion_loss, loss_mask, noise_scheduler
from engine.training.examples import Examples, prepare_examples
from engine.training.train import train
from engine.worker.jobs import Losses, News, Preview, Train

WORDS = Vocabulary("bird", (Part(0, "head", "#112233"), Part(1, "wing", "#112233"), Part(2, "sky", "#112233", True)), 4)


def silent(_news: News) -> None: ...


def logged(run: Path) -> list[dict[str, Any]]:
    """The entries of a run's log, but for the time they took."""
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert all(entry.pop("seconds") > 0 for entry in entries)
    return entries


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not JSON"),
        ("[]", "names no pack"),
        ('{"pack": "p", "stepps": 3}', "stepps"),
        ('{"pack": "p", "steps": "many"}', "steps should be a whole number"),
        ('{"pack": "p", "steps": true}', "steps should be a whole number"),
        ('{"pack": "p", "steps": 0}', "steps cannot be 0"),
        ('{"pack": "p", "rest": "none"}', "rest"),
    ],
)
def test_wrong_plans_are_told(text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        Plan.from_json(text)


def test_plans_are_read_back_and_the_paper_is_one_word() -> None:
    plan = Plan.from_json('{"pack": "p", "rate": 1, "recipe": "paper"}')
    assert (plan.rate, plan.rest, plan.empty, plan.start) == (1, "parts", 0.0, "noise")
    assert Plan.from_json(json.dumps(asdict(plan))) == plan
    cosine = replace(plan, schedule="cosine", steps=100, warmup=10)
    factors = [cosine.factor(step) for step in range(100)]
    assert factors[0] < factors[9] and factors[99] < 0.01 and max(factors) <= 1


def test_pictures_masks_and_codes_are_cut_and_mirrored_alike(tiny_world: Path, models: Any) -> None:
    vae = models.pipeline(str(tiny_world / "base")).vae
    labels = np.full((64, 96), NO_PART, np.uint8)
    labels[:, :24] = 0  # its left 16 columns are lost in the central square
    labels[32:, 60:] = 1
    picture = Image.fromarray(np.stack([labels] * 3, -1))
    examples = prepare_examples([(picture, Segmentation(labels, (3, 2, ABSENT)))], vae, 64, crops=1)
    assert examples.latents.shape == (1, 4, 12, 16, 16) and examples.masks.shape == (1, 4, 3, 16, 16)
    plain, mirrored = examples.masks[0, 0], examples.masks[0, 1]
    assert torch.equal(plain.flip(-1), mirrored)
    assert plain[0, :, :2].float().mean() == 255 and not plain[0, :, 2:].any()
    assert plain[1, 8:, 11:].float().mean() == 255 and plain[1].float().sum() == 8 * 5 * 255
    assert examples.codes[0, 0].tolist() == [3, 2, ABSENT]
    flipped = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), Segmentation(labels[:, ::-1], (3, 2, -1))
    mirror = prepare_examples([flipped], vae, 64, flip=False)
    torch.testing.assert_close(mirror.latents[0, 0], examples.latents[0, 1], rtol=0, atol=1e-5)
    assert torch.equal(mirror.masks[0, 0], mirrored)


def test_a_part_that_a_view_does_not_show_is_absent(tiny_world: Path, models: Any, tmp_path: Path) -> None:
    vae = models.pipeline(str(tiny_world / "base")).vae
    labels = np.full((64, 128), NO_PART, np.uint8)
    labels[:, :8] = 0
    picture = Image.fromarray(np.stack([labels] * 3, -1))
    examples = prepare_examples([(picture, Segmentation(labels, (1, 1)))], vae, 64, flip=False)
    assert examples.codes.tolist() == [[[ABSENT, ABSENT]]]
    examples.save(tmp_path / "e.safetensors")
    again = Examples.load(tmp_path / "e.safetensors")
    assert torch.equal(again.latents, examples.latents) and torch.equal(again.codes, examples.codes)
    with pytest.raises(UserError, match="no pictures"):
        prepare_examples([], vae, 64)


def test_captions_say_what_is_visible_and_nothing_else(tiny_world: Path, models: Any) -> None:
    tokenizer = models.pipeline(str(tiny_world / "base")).tokenizer
    captions = Captions(WORDS, tokenizer, dropout=0.3, empty=0.2)
    generator = np.random.default_rng(0)
    drawn = [captions.draw((3, 1, 2), generator) for _ in range(300)]
    said = [tuple((choice.part, choice.code) for _, choice in sentence.places) for sentence in drawn]
    assert set(said) == {(), ((0, 3),), ((1, 1),), ((0, 3), (1, 1)), ((1, 1), (0, 3))}
    assert 30 < said.count(()) < 90
    assert len({sentence.ids for sentence in drawn}) > 10
    absent = [captions.draw((ABSENT, 1, 2), generator) for _ in range(50)]
    assert all(choice.part == 1 for sentence in absent for _, choice in sentence.places)


@pytest.mark.parametrize("noun", ["{}", "bird {} {", "{noun}", "{0} {x!r}"])
def test_a_noun_may_hold_braces(tiny_world: Path, models: Any, noun: str) -> None:
    tokenizer = models.pipeline(str(tiny_world / "base")).tokenizer
    captions = Captions(replace(WORDS, noun=noun), tokenizer, empty=0)
    generator = np.random.default_rng(0)
    assert all(captions.draw((3, 1, 2), generator).places for _ in range(30))
    assert words_around("a photo of a {} {noun}", noun) == ("a photo of a ", f" {noun}")


def test_places_of_unsaid_parts_do_not_count(tiny_world: Path, models: Any) -> None:
    tokenizer = models.pipeline(str(tiny_world / "base")).tokenizer
    masks = torch.zeros(3, 3, 4, 4)
    masks[:, 0, 0], masks[:, 1, 1], masks[:, 2, 2] = 1.0, 0.5, 1.0
    sentences = [
        tokenize_prompt(prompt, tokenizer) for prompt in ((Choice(0, 1),), (Choice(0, 1), Choice(1, 1)), ("",))
    ]
    counts = loss_mask(masks, sentences, (0, 1))
    assert counts[0].mean(1).tolist() == [1.0, 0.5, 1.0, 1.0]
    assert (counts[1:] == 1).all()
    scheduler = noise_scheduler(models.pipeline(str(tiny_world / "base")).scheduler.config)
    latents, noise, predicted = (torch.randn(3, 2, 8, 8) for _ in range(3))
    times = torch.tensor([10, 500, 900])
    plain = diffusion_loss(predicted, latents, noise, times, scheduler, 5.0)
    torch.testing.assert_close(
        diffusion_loss(predicted, latents, noise, times, scheduler, 5.0, counts[1:2].expand(3, 4, 4)), plain
    )
    far = predicted.clone()
    far[0, :, 2] += 100  # in the row of cells that count half
    far[0, :, 3] -= 100
    everywhere = torch.ones(3, 4, 4)
    everywhere[0, 1] = 0
    torch.testing.assert_close(
        diffusion_loss(far, latents, noise, times, scheduler, 5.0, everywhere),
        diffusion_loss(predicted, latents, noise, times, scheduler, 5.0, everywhere),
    )


@pytest.fixture
def plan_file(tiny_world: Path, tiny_pack: Path, tmp_path: Path) -> Path:
    plan = {
        "pack": str(tiny_pack), "pictures": str(tiny_world / "pictures"), "run": "run", "out": "learned",
        "steps": 6, "batch": 3, "checkpoint_every": 2, "sample_every": 4, "samples": 2, "ema": 0.9, "rate": 1e-3,
    }  # fmt: skip
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    return tmp_path / "plan.json"


def test_a_run_that_was_stopped_goes_on_bit_for_bit(plan_file: Path, tiny_pack: Path) -> None:
    models = Models(device="cpu")
    shown: list[News] = []
    whole = Path(train(models, Train(str(plan_file)), shown.append))
    assert whole == plan_file.parent / "learned"
    run = plan_file.parent / "run"
    assert (run / "samples" / "step-4" / "whole.png").is_file() and any(isinstance(news, Preview) for news in shown)
    assert [path.name for path in sorted((run / "checkpoints").iterdir())] == ["step-4", "step-6"]
    log = logged(run)
    assert [entry["step"] for entry in log] == [1, 2, 3, 4, 5, 6]

    def stop_at_three(news: News) -> None:
        if isinstance(news, Losses) and news.step == 3:
            raise JobCancelled

    other = plan_file.parent / "other.json"
    other.write_text(plan_file.read_text().replace('"run": "run"', '"run": "again"')
                     .replace('"learned"', '"learned again"'))  # fmt: skip
    with pytest.raises(JobCancelled):
        train(models, Train(str(other)), stop_at_three)
    stopped = plan_file.parent / "again"
    assert (stopped / "checkpoints" / "step-3").is_dir()
    with (stopped / "log.jsonl").open("a") as file:
        file.write('{"step": 4, "diff')  # as a kill in the middle of a line leaves it
    second = Path(train(models, Train(str(stopped)), silent))
    for name in ("tokens.safetensors", "lora.safetensors"):
        one, again = load_file(whole / name), load_file(second / name)
        assert one.keys() == again.keys()
        assert all(torch.equal(one[key], again[key]) for key in one), name
    assert logged(stopped) == log
    pack = Pack.open(whole)
    assert pack.base_model.widths == (32,) and "trained 6 steps" in pack.provenance
    assert len(pack.references) == len(Pack.open(tiny_pack).references)


@pytest.mark.slow
def test_learning_learns(plan_file: Path) -> None:
    """Against a run of the same noise and captions whose rates are zero, step by step."""
    document = json.loads(plan_file.read_text())
    document |= {"steps": 40, "batch": 4, "attention_weight": 0.5, "ema": 0.0,
                 "checkpoint_every": 40, "sample_every": 100, "empty": 0.0, "pictures": ""}  # fmt: skip
    late: dict[float, list[Losses]] = {}
    for rate in (0.0, 0.01):
        run = {"run": f"run {rate}", "out": f"out {rate}", "rate": rate, "token_rate": rate}
        plan_file.write_text(json.dumps(document | run))
        seen: list[News] = []
        train(Models(device="cpu"), Train(str(plan_file)), seen.append)
        late[rate] = [news for news in seen if isinstance(news, Losses)][-20:]
    assert np.mean([one.attention for one in late[0.01]]) < 0.9 * np.mean([one.attention for one in late[0.0]])
    assert np.mean([one.diffusion for one in late[0.01]]) < np.mean([one.diffusion for one in late[0.0]])


def test_a_run_keeps_its_plan(plan_file: Path) -> None:
    models = Models(device="cpu")

    def stop_at_once(news: News) -> None:
        if isinstance(news, Losses):
            raise JobCancelled

    with pytest.raises(JobCancelled):
        train(models, Train(str(plan_file)), stop_at_once)
    plan_file.write_text(plan_file.read_text().replace('"batch": 3', '"batch": 2'))
    with pytest.raises(UserError, match="another plan"):
        open_plan(plan_file)
    with pytest.raises(UserError, match="no plan"):
        open_plan(plan_file.parent / "none.json")


def test_a_plan_whose_pack_is_missing_leaves_no_run(plan_file: Path) -> None:
    document = json.loads(plan_file.read_text())
    plan_file.write_text(json.dumps(document | {"pack": "nowhere", "run": "a run"}))
    with pytest.raises(UserError, match="nowhere"):
        open_plan(plan_file)
    assert not (plan_file.parent / "a run").exists()
