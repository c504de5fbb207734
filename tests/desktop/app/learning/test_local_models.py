"""Which models and packs on this computer can be learned with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.packs.pack import TOKENS, Pack
from partcraft_desktop.app.learning.local_models import find_local_models


def test_models_are_those_of_the_starter_of_the_models_folder_and_of_the_packs(home: Path, pack: Pack) -> None:
    model = home / "models" / "some" / "model"
    model.mkdir(parents=True)
    (model / "model_index.json").write_text("{}")
    (pack.path / TOKENS).unlink()
    at_hand = find_local_models((pack,))
    assert at_hand.base_models == ("starter/base", "some/model")
    assert at_hand.extendable == (pack,) and at_hand.trained == ()
    (pack.path / TOKENS).write_bytes(b"")
    assert find_local_models((pack,)).trained == (pack,)


@pytest.mark.parametrize("id", ["", "not/here", "x" * 5000, "~nobody-of-that-name/model"])
def test_a_pack_whose_model_is_not_here_keeps_nobody_from_the_others(pack: Pack, id: str) -> None:
    other = replace(pack, base_model=replace(pack.base_model, id=id))
    at_hand = find_local_models((other, pack))
    assert at_hand.base_models == ("starter/base",) and at_hand.extendable == (pack,)
