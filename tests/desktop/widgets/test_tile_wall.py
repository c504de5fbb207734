"""A wall of tiles."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QStringListModel
from pytestqt.qtbot import QtBot

from partcraft_desktop.widgets.theme import Theme
from partcraft_desktop.widgets.tile_wall import TileWall


@pytest.mark.parametrize("count", [2, 40])
def test_no_column_is_left_empty_at_any_width(qtbot: QtBot, themed: Theme, count: int) -> None:
    wall = TileWall(110, 40)
    qtbot.addWidget(wall)
    wall.setModel(QStringListModel([str(number) for number in range(count)]))
    wall.show()
    for width in range(250, 420, 3):
        wall.resize(width, 300)
        places = [wall.visualRect(wall.model().index(number, 0)) for number in range(count)]
        columns = {place.x() for place in places}
        assert places[0].y() == places[1].y(), f"two tiles of {wall.gridSize()} stand below each other at {width}"
        assert len(columns) == min(count, round(wall.width() / wall.gridSize().width() - 0.5)), f"empty room at {width}"
