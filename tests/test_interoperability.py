"""docs/interoperability.md stays true: the tests that it names are there."""

from __future__ import annotations

import re

import pytest

from tests.conftest import REPOSITORY

TEXT = (REPOSITORY / "docs" / "interoperability.md").read_text("utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_it_names_is_there(path: str, name: str) -> None:
    assert f"def {name}" in (REPOSITORY / path).read_text("utf-8")


def test_every_row_names_a_test() -> None:
    rows = [line for line in TEXT[TEXT.index("| Shown") :].splitlines() if line.startswith("| ")]
    shown = [row for row in rows if not re.match(r"\| (Shown|What|---)", row)]
    assert len(shown) == len(NAMED) >= 10
