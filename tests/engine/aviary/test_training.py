"""The aviary's trainings in small: captions, latents, attention, judge's questions, schedule; and the quick build."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from engine.aviary.captions import CaptionTokenizer, colour_name, describe_part, make_tokenizer
from engine.aviary.dataset import BirdDataset, make_pool
from engine.aviary.drawing.attributes import PARTS
from engine.aviary.drawing.bird import draw_bird
from engine.aviary.drawing.species import PACK_SPECIES, mixed_bird, species
from engine.aviary.training.autoencoder import PatchPCA, encode_pool, psnr, to_unit
from engine.aviary.training.base_model import TinyStableDiffusion, base_attention_loss
from engine.aviary.training.dino import part_directions
from engine.aviary.training.judge import NAMES, NONE, Judge, judge_example, where_loss
from engine.aviary.training.schedule import ParameterAverage, TrainingSchedule
from engine.packs.pack import Pack

pytest.importorskip("skia", reason="the aviary is drawn with skia-python (pip install .[aviary])")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    make_tokenizer(folder)
    return CLIPTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def drawings() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    made = [draw_bird(mixed_bird(rng, PACK_SPECIES), rng) for _ in range(120)]
    return np.stack([one.image for one in made]), np.stack([one.labels for one in made])


def test_tokenizer_knows_parts_as_one_token_and_any_text(tokenizer: CLIPTokenizer) -> None:
    for part in PARTS:
        assert len(tokenizer(part, add_special_tokens=False)["input_ids"]) == 1
    ids = tokenizer("Ünglaublich 漢字 🐦")["input_ids"]
    assert ids[0] == tokenizer.bos_token_id and ids[-1] == tokenizer.eos_token_id
    assert tokenizer.unk_token_id not in ids[1:-1] or tokenizer.unk_token_id == tokenizer.eos_token_id


def test_the_tokenizer_is_the_same_each_time(tokenizer: CLIPTokenizer, tmp_path: Path) -> None:
    assert make_tokenizer(tmp_path).get_vocab() == tokenizer.get_vocab()


def test_colours_have_plain_names() -> None:
    named = {"#d92b3a": "red", "#fbcf3b": "yellow", "#3f7fd6": "blue", "#ffffff": "white", "#22222c": "black"}
    assert {colour: colour_name(colour) for colour in named} == named
    rng = np.random.default_rng(0)
    assert describe_part(species("Cardinal").head, "head", rng).endswith("head")


def test_captions_mark_the_columns_of_parts(tokenizer: CLIPTokenizer) -> None:
    prompter = CaptionTokenizer(tokenizer)
    ids, slots = prompter.assemble("a photo of a {} bird", [(2, None), (0, "red head")])
    assert ids.shape == slots.shape == (77,)
    assert slots[0] == 0 and ids[0] == tokenizer.bos_token_id
    assert list(np.flatnonzero(slots == 3)) == [5] and ids[5] == prompter.vocabulary + 2
    assert list(np.flatnonzero(slots == 1)) == [6, 7]
    assert (ids[9:] == tokenizer.eos_token_id).all()
    empty, _ = prompter.assemble("{}", [])
    assert empty.tolist() == tokenizer("", padding="max_length", max_length=77)["input_ids"]


def test_exported_text_encoder_with_injected_tokens_reads_as_the_training_did(
    tokenizer: CLIPTokenizer, tmp_path: Path
) -> None:
    from transformers import CLIPTextModel

    from engine.core.vocabulary import Choice
    from engine.models.part_tokens import PartTokens
    from engine.models.text_encoding import encode_tokenized, tokenize_prompt

    torch.manual_seed(0)
    model = TinyStableDiffusion(tokenizer).eval()
    flock = BirdDataset(names=("Jay", "Owl"))
    model.export(tmp_path, flock)
    text = CLIPTextModel.from_pretrained(tmp_path / "text_encoder")
    vectors = model.species_tokens(flock.names)
    tokens = PartTokens(5, 2, 128, layers=0)
    with torch.no_grad():
        tokens.position.zero_()
        tokens.embedding.copy_(vectors)
        prompter = CaptionTokenizer(tokenizer)
        ids, _ = prompter.assemble("a photo of a {} bird", [(m, None) for m in range(5)])
        mine = model.read(torch.from_numpy(ids)[None], vectors[:, 1][None])
        pieces = [piece for m in range(5) for piece in (Choice(m, 1), " ")]
        theirs = encode_tokenized([tokenize_prompt(("a photo of a ", *pieces, "bird"), tokenizer)], text, tokens).hidden
    assert torch.allclose(mine, theirs, atol=1e-5)


def test_a_short_text_encoder_reads_prompts_of_its_own_length(tmp_path: Path) -> None:
    make_tokenizer(tmp_path, 32)
    short = CLIPTokenizer.from_pretrained(tmp_path)
    ids, slots = CaptionTokenizer(short).assemble("a photo of a {} bird", [(1, None)] * 40)
    assert ids.shape == slots.shape == (32,) and ids[-1] == short.eos_token_id
    model = TinyStableDiffusion(short, (16, 32, 32))
    assert model.text.config.max_position_embeddings == 32
    assert model.unet.config["block_out_channels"] == (16, 32, 32)


def test_attention_loss_is_smallest_when_attention_is_the_mask() -> None:
    labels = torch.randint(0, 6, (2, 256))
    masks = torch.nn.functional.one_hot(labels, 6).permute(0, 2, 1).float()
    slots = torch.full((2, 77), -1)
    slots[:, :6] = torch.arange(6)
    perfect = torch.zeros(2, 256, 77)
    perfect[..., :6] = masks.transpose(1, 2)
    right, wrong = base_attention_loss(perfect, slots, masks), base_attention_loss(perfect.roll(1, 1), slots, masks)
    assert right < 1e-3 < wrong


def test_attention_loss_ignores_captions_without_parts() -> None:
    slots = torch.full((1, 77), -1)
    slots[:, 0] = 0
    maps = torch.rand(1, 256, 77, requires_grad=True)
    assert base_attention_loss(maps, slots, torch.rand(1, 6, 256)).item() == 0


def test_pca_latents_rebuild_pictures(drawings: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    images, labels = drawings
    pca = PatchPCA.fit(images)
    pca.save(tmp_path / "pca.safetensors")
    again = PatchPCA.load(tmp_path / "pca.safetensors")
    unit = to_unit(torch.from_numpy(images[:16]))
    assert psnr(again.pictures(again.latents(unit)), unit) > 22
    latents, masks = encode_pool(images, labels, pca, log=lambda _text: None)
    assert 0.8 < float(latents.float().std()) < 1.2
    assert (masks.int().sum(1) - 255).abs().max() <= 3


def test_part_directions_keep_the_background_far_from_the_parts() -> None:
    likeness = part_directions() @ part_directions().T
    assert torch.allclose(likeness.diagonal(), torch.ones(6), atol=1e-5)
    assert likeness[0, 1:].max() < -0.5 and likeness[1:, 1:].fill_diagonal_(0).max() < 0.4


def test_judge_is_asked_about_negatives_too() -> None:
    truths = np.stack([judge_example(index, 0)[2] for index in range(60)])
    assert truths.max() == NONE == len(NAMES) and 0.1 < (truths == NONE).mean() < 0.35
    first, again = judge_example(5, 0), judge_example(5, 0)
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[2], again[2])


def test_a_judge_of_a_smaller_world_is_asked_about_its_species_only() -> None:
    few = ("Jay", "Raven")
    truths = np.stack([judge_example(index, 0, few)[2] for index in range(40)])
    assert set(np.unique(truths)) == {NAMES.index("Jay"), NAMES.index("Raven"), NONE}


def test_the_judge_is_shown_where_parts_are() -> None:
    labels = torch.zeros(2, 128, 128, dtype=torch.uint8)
    labels[:, :8, :16], labels[:, 120:, 120:] = 1, 3  # two cells and one; the other parts are hidden
    where = torch.full((2, 5, 256), -20.0)
    where[:, 0, :2], where[:, 2, 255] = 0.0, 0.0
    mirrored = torch.tensor([False, False])
    right = where_loss(where, labels, mirrored)
    assert right == pytest.approx(math.log(2) / 2, abs=1e-3)
    grid = where.unflatten(2, (16, 16))
    flipped = torch.stack([grid[0], grid[1].flip(-1)]).flatten(2)
    assert where_loss(flipped, labels, torch.tensor([False, True])) == pytest.approx(float(right), abs=1e-3)
    assert where_loss(flipped, labels, mirrored) > 5


def test_judge_is_saved_and_opened(tmp_path: Path, drawings: tuple[np.ndarray, np.ndarray]) -> None:
    torch.manual_seed(0)
    judge = Judge()
    judge.save(tmp_path, [1.0] * 5)
    verdicts = Judge.open(tmp_path).verdicts(drawings[0][:4])
    assert verdicts.shape == (4, 5) and verdicts.max() <= NONE
    assert json.loads((tmp_path / "config.json").read_text())["classes"][-1] == "none"


def test_pace_descends_smoothly_when_the_total_is_changed(tmp_path: Path) -> None:
    pace = TrainingSchedule(tmp_path, 1000, warmup=1)
    rates = [pace.advance() for _ in range(200)]
    (tmp_path / "total.txt").write_text("400")
    while not pace.finished:
        rates.append(pace.advance())
    assert len(rates) == 400
    assert max(abs(a - b) for a, b in itertools.pairwise(rates[1:])) < 0.01
    assert rates[-1] < 0.02


def test_a_short_training_warms_up_for_a_part_of_it_only(tmp_path: Path) -> None:
    short, long = TrainingSchedule(tmp_path / "short", 60), TrainingSchedule(tmp_path / "long", 6000)
    assert max(short.advance() for _ in range(12)) > 0.9
    assert max(long.advance() for _ in range(12)) < 0.15


def test_a_lengthened_training_goes_on_past_the_number_it_is_begun_with(tmp_path: Path) -> None:
    (tmp_path / "total.txt").write_text("300")
    pace = TrainingSchedule(tmp_path, 100, warmup=1)
    while pace.step < 150:
        pace.advance()
    again = TrainingSchedule(tmp_path, 100, warmup=1)
    again.resume(pace.step, pace.progress)
    assert not again.finished and again.advance() == pytest.approx(pace.advance())
    while not again.finished:
        again.advance()
    assert again.step == 300
    done = TrainingSchedule(tmp_path, 100, warmup=1)
    done.resume(again.step, again.progress)
    assert done.finished, "what has been learned to the end is not learned again"


def test_average_swaps_back() -> None:
    weight = torch.nn.Parameter(torch.zeros(3))
    average = ParameterAverage([weight], 0.9)
    with torch.no_grad():
        weight.fill_(1)
    average.update()
    average.swap()
    assert 0 < weight[0] < 1
    average.swap()
    assert torch.equal(weight, torch.ones(3))


def test_pool_is_drawn_once(tmp_path: Path) -> None:
    flock = BirdDataset(3, ("Jay", "Owl"))
    images, labels = make_pool(tmp_path / "pool", 6, flock, workers=1, log=lambda _text: None)
    bird, pose = flock.bird(4)
    assert np.array_equal(images[4], draw_bird(bird, pose).image)
    assert np.array_equal(labels[4], draw_bird(bird, pose).labels)


def first_and_last(out: Path, stage: str) -> tuple[dict[str, float], dict[str, float]]:
    """The figures a stage logged first and last."""
    lines = (out / "work" / stage / "log.jsonl").read_text().splitlines()
    return json.loads(lines[0]), json.loads(lines[-1])


def check_quick_build(out: Path) -> None:
    """Every network has learned its task in the small world, and the judge sees in renders what was asked for.

    What the whole world's renders reach is tested on the starter that ships (test_starter_judge.py).
    """
    _, autoencoder = first_and_last(out, "autoencoder")
    assert autoencoder["decoder_db"] > 16  # an untrained decoder is below 10
    _, decoder = first_and_last(out, "decoder")
    assert decoder["decoder_db"] > 19
    early, late = first_and_last(out, "base")
    assert late["attention"] < 0.4 * early["attention"]  # parts of the prompt find their places
    assert late["diffusion"] < 0.5 * early["diffusion"]
    early, late = first_and_last(out, "eyes")
    assert late["part"] < early["part"] and late["code"] < 0.7 * early["code"]
    report = json.loads((out / "report.json").read_text())
    print(json.dumps(report, indent=1))
    assert min(report["judge"]["accuracy"]) > 0.8  # by chance 0.17
    for kind in ("same", "mixed"):
        assert report[kind]["emr"] >= 0.5 and report[kind]["floor"] < 0.25
    assert report["segmentation"]["iou"]["background"] > 0.85
    pack = Pack.open(out / "pack")
    assert len(pack.references) == pack.vocabulary.codes_per_part == 6
    assert pack.codebook().codes.any(axis=2).all()
    for name in ("base", "eyes", "judge", "practice"):
        assert (out / name).is_dir()
    assert "CPU s: pictures" in (out / "work" / "build.log").read_text()


@pytest.mark.slow
def test_quick_build_runs_the_whole_recipe(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "engine.aviary", "build", "--quick", "--out", str(tmp_path)]
    subprocess.run(command, check=True, timeout=2400)
    check_quick_build(tmp_path)
