"""Every training of a build computes on the device that it is given, of the same random numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("skia", reason="the aviary is drawn with skia-python (pip install .[aviary])")

from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTokenizer

from engine.aviary.captions import make_tokenizer
from engine.aviary.dataset import BirdDataset, make_pool
from engine.aviary.training.autoencoder import PatchPCA, encode_pool, train_autoencoder
from engine.aviary.training.base_model import train_base
from engine.aviary.training.decoder import Rehearsal, new_large_autoencoder, train_decoder
from engine.aviary.training.devices import CPU, Rows, noise_like, training_device
from engine.aviary.training.dino import train_dino
from engine.aviary.training.judge import train_judge
from engine.aviary.training.reader import drawn_pictures
from engine.core.errors import UserError
from engine.models.vae import rebuild_pictures
from engine.segmentation.reader_fitting import ReaderPlan, make_reader
from tests.pretend_card import OnCard, pretend_card

FLOCK = BirdDataset(3, ("Jay", "Owl"), 0.3)
Train = Callable[[Path, torch.device], Any]


class Data:
    """A small pool and what is made of it."""

    def __init__(self, folder: Path) -> None:
        self.images, self.labels = make_pool(folder / "pool", 80, FLOCK, workers=1, log=lambda _text: None)
        self.pca = PatchPCA.fit(np.array(self.images))
        make_tokenizer(folder / "tokenizer", 32)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        latents = torch.randn(10, 16, 16, 16, generator=torch.Generator().manual_seed(0)).half()
        self.rehearsal = Rehearsal(BirdDataset(12, FLOCK.names, 0.0), latents[:6], latents[6:])

    def autoencoder(self, out: Path, device: torch.device) -> Any:
        return train_autoencoder(out, self.images, self.pca, 3, device=device)

    def base(self, out: Path, device: torch.device) -> Any:
        latents, masks = encode_pool(self.images, self.labels, self.pca, lambda _text: None, device)
        return train_base(
            out, latents, masks, self.tokenizer, FLOCK, 2, batch=2, widths=(32, 32, 64), device=device
        )  # fmt: skip

    def decoder(self, out: Path, device: torch.device) -> Any:
        return train_decoder(
            out, FLOCK, self.pca, 2, rehearsal=self.rehearsal, adversary_from=-1.0, device=device
        )  # fmt: skip

    def eyes(self, out: Path, device: torch.device) -> Any:
        return train_dino(out, self.images, self.labels, FLOCK, 2, batch=4, device=device)

    def judge(self, out: Path, device: torch.device) -> Any:
        return train_judge(out, self.pca, 2, 16, batch=4, shown_where=0.5, device=device)

    def reader(self, out: Path, device: torch.device) -> Any:
        torch.manual_seed(0)
        vae: Any = new_large_autoencoder(self.pca).to(device)  # pyright: ignore
        plan = ReaderPlan(examples=12, steps=2, held_out=0.1)
        source = drawn_pictures(FLOCK.names, 12, 41)
        return make_reader(
            source, len(FLOCK.names), plan, lambda some: rebuild_pictures(vae, some, 256), folder=out, device=device
        )[0]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return Data(tmp_path_factory.mktemp("pool"))


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu() for name, value in model.state_dict().items()}


SLOW = [pytest.param(stage, marks=pytest.mark.slow) for stage in ("autoencoder", "decoder", "judge", "reader")]


@pytest.mark.parametrize("stage", ["base", "eyes", *SLOW])
def test_a_stage_learns_on_a_card_as_on_the_processor(
    data: Data, stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The card that is pretended has no bfloat16 and no fast attention: the processor does without, to compare them.
    monkeypatch.setattr(torch.amp, "is_autocast_available", lambda _kind: False)
    train: Train = getattr(data, stage)
    for folder in ("processor", "card"):
        (tmp_path / folder).mkdir()
    with sdpa_kernel(SDPBackend.MATH):
        expected = weights(train(tmp_path / "processor", CPU))
    with sdpa_kernel(SDPBackend.MATH), pretend_card() as card:
        learned = train(tmp_path / "card", card)
        on_card = {isinstance(parameter, OnCard) for parameter in learned.parameters()}
        assert on_card == {stage != "reader"}  # which goes back to the processor, to be measured
        got = weights(learned)
    assert got.keys() == expected.keys()
    if stage == "base":  # its attention is summed in another order there, and a first step goes by signs alone
        apart = torch.cat([(value - expected[name]).flatten().abs() for name, value in got.items()])
        assert apart.max() < 2e-4 and (apart > 1e-6).float().mean() < 2e-3
    else:
        assert all(torch.equal(value, expected[name]) for name, value in got.items())


@pytest.mark.slow
def test_a_training_goes_on_on_another_device(data: Data, tmp_path: Path) -> None:
    whole = weights(train_judge(tmp_path / "one", data.pca, 1, 16, batch=4))
    with pretend_card() as card:
        train_judge(tmp_path / "two", data.pca, 1, 16, batch=4, device=card)
    again = weights(train_judge(tmp_path / "two", data.pca, 1, 16, batch=4))
    assert all(torch.equal(again[name], whole[name]) for name in whole)
    later = train_judge(tmp_path / "two", data.pca, 2, 16, batch=4)
    assert not torch.equal(weights(later)["where.weight"], whole["where.weight"])


def test_the_pretended_card_refuses_what_is_elsewhere() -> None:
    """Else the tests above would show nothing."""
    with pretend_card() as card:
        there, here = torch.ones(2, 3).to(card), torch.ones(2, 3)
        with pytest.raises(RuntimeError, match="on the card and on the processor"):
            _ = there + here
        with pytest.raises(RuntimeError):
            there.numpy()
        assert there.device == card and torch.equal((there * 2).cpu(), here * 2)


def test_rows_are_the_same_everywhere() -> None:
    array, rows = np.arange(24, dtype=np.uint8).reshape(6, 4), np.array([5, 0, 5])
    with pretend_card() as card:
        assert Rows(array, card)[rows].device == card
        assert np.array_equal(Rows(array, card)[rows].cpu().numpy(), array[rows])
    assert np.array_equal(Rows(array)[rows].numpy(), array[rows]) and len(Rows(array)) == 6


def test_noise_is_that_of_the_seed_on_every_device() -> None:
    torch.manual_seed(7)
    here = noise_like(torch.zeros(2, 3, 4, 4))
    with pretend_card() as card:
        torch.manual_seed(7)
        there = noise_like(torch.zeros(2, 3, 4, 4).to(card))
        assert there.device == card and torch.equal(there.cpu(), here)


@pytest.mark.parametrize("name", ["cuda:63", "no card at all"])
def test_a_device_that_is_not_there_is_one_sentence(name: str) -> None:
    with pytest.raises(UserError) as told:
        training_device(name)
    assert name in told.value.message and told.value.message.count(".") == 1 and "--device" in told.value.hint
