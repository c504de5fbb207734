"""Somebody who does not wait long."""

from __future__ import annotations

import pytest

from engine.hub.patience import Patience


@pytest.fixture
def quick() -> Patience:
    """Somebody who asks again at once, and not often."""
    return Patience(tries=2, first=0.001, longest=0.001, silence=5)
