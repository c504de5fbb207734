"""Receipts that are painted once and kept look as those that are painted anew."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPalette
from pytestqt.qtbot import QtBot

from engine.core.recipe import Arrival, Receipt
from engine.packs.pack import Pack
from partcraft_desktop.widgets.receipt_chips import CHIP, ReceiptPictures, paint_receipt

RECEIPTS: tuple[Receipt, ...] = (
    (Arrival(0, 1, 1, 0.9), Arrival(1, 0, 2, 0.2)),
    tuple(Arrival(part, 0, part % 2, 0.5) for part in range(3)),
    tuple(Arrival(part % 3, 0, 0, 0.5) for part in range(12)),
    (Arrival(0, 1, 1, 0.9, None, 0.4, unsure=True), Arrival(1, 0, 2, 0.2)),
)


def to_array(image: QImage) -> np.ndarray:
    """uint8 (H, W, 4)."""
    pixels = np.frombuffer(image.constBits(), np.uint8)
    return pixels.reshape(image.height(), image.bytesPerLine() // 4, 4)[:, : image.width()].copy()


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_they_look_the_same(qtbot: QtBot, pack: Pack, ratio: float) -> None:
    kept = ReceiptPictures()
    for receipt in (*RECEIPTS, *RECEIPTS):
        for width, ground in ((88, "white"), (240, "#202020")):
            palette = QPalette(QColor(ground))
            drawn = []
            for paint in (paint_receipt, kept.paint):
                image = QImage(round(260 * ratio), round(32 * ratio), QImage.Format.Format_RGB32)
                image.setDevicePixelRatio(ratio)
                image.fill(QColor(ground))
                painter = QPainter(image)
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                paint(painter, QRectF(8, 4, width, CHIP), receipt, pack.vocabulary, palette)
                painter.end()
                drawn.append(to_array(image).astype(int))
            assert abs(drawn[0] - drawn[1]).max() <= 2 and drawn[0].std() > 1


def test_another_theme_another_width_and_other_parts_are_painted_anew(qtbot: QtBot, pack: Pack) -> None:
    kept, pictures = ReceiptPictures(), set()
    for colour in (Qt.GlobalColor.white, Qt.GlobalColor.black):
        for width in (88, 120):
            for receipt in RECEIPTS:
                image = QImage(130, 24, QImage.Format.Format_RGB32)
                image.fill(Qt.GlobalColor.gray)
                painter = QPainter(image)
                kept.paint(painter, QRectF(0, 0, width, CHIP), receipt, pack.vocabulary, QPalette(QColor(colour)))
                painter.end()
                pictures.add(to_array(image).tobytes())
    assert len(pictures) == 2 * (1 + 1 + 2 + 1), "only the longest does not fit into the smaller room"
