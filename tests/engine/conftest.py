"""Fixtures of the engine's tests: golden data, and tiny random models of the real classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def golden_index(golden: Path) -> dict[str, Any]:
    """What golden INDEX.json says of each file."""
    return json.loads((golden / "INDEX.json").read_text())["files"]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tests share the machine, and one thread makes sums come out in one order."""
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny ``base``, tiny ``eyes`` and a folder of ``pictures`` in three kinds."""
    from tests.engine.tiny import make_base, make_eyes, make_pictures

    folder = tmp_path_factory.mktemp("tiny")
    make_base(folder / "base")
    make_eyes(folder / "eyes")
    make_pictures(folder / "pictures")
    return folder


@pytest.fixture(scope="session")
def real_eyes() -> Path:
    """DINOv2-small as set-up fetched it; the test is skipped where that could not be."""
    from engine.core.paths import bundled_models_dir
    from engine.models.dinov2_wheel import EYES, is_whole

    folder = bundled_models_dir() / EYES
    if not is_whole(folder):
        pytest.skip("needs the eyes for photographs, which set-up could not fetch (partcraft eyes get --bundle)")
    return folder


@pytest.fixture(scope="session")
def models() -> Any:
    """One set of models for the tests that only use them."""
    from engine.models.loader import Models

    return Models(device="cpu")


@pytest.fixture(scope="session")
def tiny_pack(tiny_world: Path, models: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of four parts in three kinds, found in the tiny pictures, with random tokens and a random LoRA."""
    import os

    from tests.engine.tiny import make_tiny_pack

    os.environ["PARTCRAFT_HOME"] = str(tmp_path_factory.mktemp("home"))  # before any test's own home is set
    return make_tiny_pack(tmp_path_factory.mktemp("packs") / "tiny", tiny_world, models)
