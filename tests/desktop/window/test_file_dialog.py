"""Qt's own file dialog, which is shown where the system has none, is readable in both themes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QFileDialog, QToolButton
from pytestqt.qtbot import QtBot

from partcraft_desktop.app.settings import Settings
from partcraft_desktop.widgets.part_glyphs import luminance
from partcraft_desktop.widgets.theme import DARK, LIGHT, Colours, Theme


def contrast(first: QColor, second: QColor) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def strongest(picture: QImage, ground: QColor) -> float:
    """The largest contrast to the ground that a picture has anywhere."""
    colours = {picture.pixelColor(x, y).name() for x in range(picture.width()) for y in range(picture.height())}
    return max(contrast(QColor(name), ground) for name in colours)


@pytest.mark.parametrize(("theme", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_its_arrows_are_seen_and_open_looks_disabled_until_something_is_chosen(
    qtbot: QtBot, qapp: QApplication, home: Path, tmp_path: Path, theme: str, colours: Colours
) -> None:
    settings = Settings(home)
    settings.set(theme=theme)
    look = Theme(qapp, settings)
    (tmp_path / "a.png").write_bytes(b"")
    dialog = QFileDialog(None, "Open", str(tmp_path))
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
    qtbot.addWidget(dialog)
    dialog.show()
    ground = QColor(colours.ground)
    buttons = [button for button in dialog.findChildren(QToolButton) if not button.icon().isNull()]
    assert len(buttons) >= 5
    for button in buttons:
        picture = QImage(24, 24, QImage.Format.Format_RGB32)
        picture.fill(ground)
        painter = QPainter(picture)
        painter.drawPixmap(0, 0, button.icon().pixmap(QSize(24, 24)))
        painter.end()
        assert strongest(picture, ground) >= 2.9, button.objectName()
    box = dialog.findChild(QDialogButtonBox)
    assert isinstance(box, QDialogButtonBox)
    open_button, cancel = (box.button(kind) for kind in (box.StandardButton.Open, box.StandardButton.Cancel))
    assert not open_button.isEnabled()
    places = [button.geometry().translated(box.pos()).adjusted(8, 8, -8, -8) for button in (open_button, cancel)]
    disabled, enabled = (strongest(dialog.grab(place).toImage(), ground) for place in places)
    assert 1.8 <= disabled <= enabled / 2, "legible, and not like one that can be pressed"
    look.deleteLater()
