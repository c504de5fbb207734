"""Rows of creations: what stays keeps its place and its selection, also among thousands."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QAbstractListModel, QItemSelectionModel

from engine.core.recipe import Creation, Recipe
from partcraft_desktop.creature.strip_model import CreatureStripModel
from partcraft_desktop.gallery.strip import CreationListModel
from partcraft_desktop.widgets.creation_rows import CreationRows

ALL = tuple(Creation(f"{number}.png", Recipe("p")) for number in range(2000))


@pytest.fixture(params=[CreationListModel, lambda: CreatureStripModel(lambda _: "")], ids=["gallery", "strip"])
def rows(qapp: object, request: pytest.FixtureRequest) -> CreationRows:
    model: CreationRows = request.param()
    model.show_creations(ALL)
    return model


@pytest.mark.parametrize("gone", [{0}, {1999}, {3, 4, 5, 900, 902}, set(range(1500))], ids=str)
def test_rows_that_stay_keep_their_selection(rows: CreationRows, gone: set[int]) -> None:
    selection = QItemSelectionModel(rows)
    at = rows.index_of("1998.png")
    selection.select(at, QItemSelectionModel.SelectionFlag.Select)
    left = tuple(one for number, one in enumerate(ALL) if number not in gone)
    rows.show_creations(left)
    assert rows.creations == left and rows.rowCount() == len(left) + rows.first
    assert selection.selectedIndexes() == [rows.index_of("1998.png")]


@pytest.mark.parametrize("gone", [{0}, {1999}, {3, 4, 5, 900, 902}, set(range(1500))], ids=str)
def test_what_comes_back_leaves_the_selection(rows: CreationRows, gone: set[int]) -> None:
    rows.show_creations(tuple(one for number, one in enumerate(ALL) if number not in gone))
    selection = QItemSelectionModel(rows)
    selection.select(rows.index_of("1998.png"), QItemSelectionModel.SelectionFlag.Select)
    rows.show_creations(ALL)
    assert rows.creations == ALL and rows.rowCount() == len(ALL) + rows.first
    assert selection.selectedIndexes() == [rows.index_of("1998.png")]


def test_neighbours_go_together_and_very_many_at_once(rows: CreationRows) -> None:
    model: QAbstractListModel = rows
    removed: list[tuple[int, int]] = []
    resets: list[None] = []
    model.rowsRemoved.connect(lambda _, low, high: removed.append((low - rows.first, high - rows.first)))
    model.modelReset.connect(lambda: resets.append(None))
    rows.show_creations(ALL[:10] + ALL[1000:])
    assert removed == [(10, 999)] and not resets
    rows.show_creations(rows.creations[::2])
    assert len(removed) == 1 and len(resets) == 1
    assert all(rows.index_of(one.path).row() == rows.first + row for row, one in enumerate(rows.creations))
