"""docs/architecture.md stays true: its files are there, and the twenty questions are answered where it says."""

from __future__ import annotations

import ast
import re

import pytest

from tests.conftest import REPOSITORY

TEXT = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
QUESTIONS = re.findall(r"^\| ([^|`]+\?) \| `([^`]+)` \| `([^`]+)` \|$", TEXT, re.MULTILINE)
QUESTIONS += re.findall(r"^\| ([^|]*`[^|]+\?) \| `([^`]+)` \| `([^`]+)` \|$", TEXT, re.MULTILINE)
JOURNEYS = TEXT[TEXT.index("## Three journeys") : TEXT.index("## Where to add")]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)`", TEXT)))


def definitions(path: str) -> set[str]:
    """Names a file defines at its top level."""
    names: set[str] = set()
    for node in ast.parse((REPOSITORY / path).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def test_there_are_twenty_questions() -> None:
    assert len(QUESTIONS) == 20 == len({question for question, _, _ in QUESTIONS})


@pytest.mark.parametrize(("question", "path", "name"), QUESTIONS, ids=[question for question, _, _ in QUESTIONS])
def test_a_question_is_answered_where_it_says(question: str, path: str, name: str) -> None:
    assert name in definitions(path), f"Where is {question} {path} has no {name}"


@pytest.mark.parametrize("name", NAMED)
def test_every_file_it_names_is_there(name: str) -> None:
    """A file is named from the repository, from its package, or, within a wing's own sentence, alone."""
    places = [REPOSITORY, REPOSITORY / "engine", REPOSITORY / "partcraft_desktop"]
    alone = [] if "/" in name else list((REPOSITORY / "engine").rglob(name))
    assert any((place / name).is_file() for place in places) or alone, name


def test_a_journey_takes_ten_lines_at_most() -> None:
    for journey in re.split(r"\n\n", JOURNEYS)[1:]:
        assert len(journey.strip().splitlines()) <= 10, journey.splitlines()[:1]


def test_every_wing_is_on_the_map() -> None:
    drawn = TEXT[TEXT.index("## The wings") : TEXT.index("## Three journeys")]
    for package in ("engine", "partcraft_desktop"):
        for folder in (REPOSITORY / package).iterdir():
            if folder.is_dir() and (folder / "__init__.py").is_file():
                assert f"`{folder.name}`" in drawn, folder
