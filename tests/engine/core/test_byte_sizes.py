"""Amounts of bytes are told as people say them."""

from __future__ import annotations

import pytest

from engine.core.byte_sizes import byte_size

AMOUNTS = {0: "0 bytes", 999: "999 bytes", 1000: "1 kB", 999_400: "999 kB", 999_600: "1.0 MB", 2_700_000: "2.7 MB",
           9_960_000: "10 MB", 90_000_000: "90 MB", 999_600_000: "1.0 GB", 2_130_000_000: "2.1 GB"}  # fmt: skip


@pytest.mark.parametrize("count", AMOUNTS)
def test_amounts(count: int) -> None:
    assert byte_size(count) == AMOUNTS[count]
