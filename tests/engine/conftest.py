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
