"""Receipts as chips: a part's shape and colour with a tick or a cross, and the same in words."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPalette, QPen

from engine.recipe import Arrival, Creation, Receipt
from engine.vocabulary import ABSENT, Vocabulary
from partcraft_desktop.controls import rounded
from partcraft_desktop.glyphs import draw_check, glyph

CHIP: Final = 20
GAP: Final = 4
Role = QPalette.ColorRole


def part_name(words: Vocabulary | None, part: int) -> str:
    """The name of a part, or its number where its pack is not here."""
    known = words is not None and 0 <= part < len(words.parts)
    return words.parts[part].name if known and words is not None else f"part {part}"


def code_name(words: Vocabulary | None, part: int, code: int) -> str:
    """The name of a code, or its number."""
    known = words is not None and 0 <= part < len(words.parts) and -1 <= code < words.codes_per_part
    return words.code_name(part, code) if known and words is not None else str(code)


def part_colour(words: Vocabulary | None, part: int) -> QColor:
    """The colour of a part; grey where its pack is not here."""
    known = words is not None and 0 <= part < len(words.parts)
    return QColor(words.parts[part].colour if known and words is not None else "#808080")


def sentence(arrival: Arrival, words: Vocabulary | None) -> str:
    """What became of one choice: "head: Cardinal arrived"."""
    asked = f"{part_name(words, arrival.part)}: {code_name(words, arrival.part, arrival.code)}"
    if arrival.arrived:
        return f"{asked} arrived"
    if arrival.found == ABSENT:
        return f"{asked} did not arrive"
    return f"{asked} did not arrive, it looks like {code_name(words, arrival.part, arrival.found)}"


def receipt_text(creation: Creation, words: Vocabulary | None) -> str:
    """A receipt in words, a line a choice; the choices where there is no receipt."""
    if creation.receipt:
        return "\n".join(sentence(arrival, words) for arrival in creation.receipt)
    said = [f"{part_name(words, c.part)}: {code_name(words, c.part, c.code)}" for c in creation.recipe.choices]
    return "\n".join(said) or "Creation without chosen parts"


def paint_receipt(
    painter: QPainter, room: QRectF, receipt: Receipt, words: Vocabulary | None, palette: QPalette
) -> None:
    """As many chips as fit into ``room``, from the left; names too if all fit with them; "+2" for those left out."""
    if not receipt:
        return
    metrics = QFontMetricsF(painter.font())
    names = [part_name(words, arrival.part) for arrival in receipt]
    named = sum(2 * CHIP + metrics.horizontalAdvance(name) + GAP for name in names) - GAP <= room.width()
    x = room.x()
    for number, (arrival, name) in enumerate(zip(receipt, names, strict=True)):
        width = 34 + (metrics.horizontalAdvance(name) + 6 if named else 0)
        left = len(receipt) - number
        needed = width if left == 1 else width + GAP + 22
        if x + needed > room.right() + 1 and x + width > room.right() + 1 - (0 if left == 1 else 22):
            painter.setPen(palette.color(Role.PlaceholderText))
            rest = QRectF(x, room.y(), room.right() - x + 1, room.height())
            painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter, f"+{left}")
            return
        paint_chip(painter, QRectF(x, room.y(), width, CHIP), arrival, name if named else "", words, palette)
        x += width + GAP


def paint_chip(
    painter: QPainter, rect: QRectF, arrival: Arrival, name: str, words: Vocabulary | None, palette: QPalette
) -> None:
    """One chip: the part's shape in its colour, its name if any, and a tick or a cross."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillPath(rounded(rect, rect.height() / 2), palette.color(Role.AlternateBase))
    shape = QRectF(rect.x() + 6, rect.center().y() - 5, 10, 10)
    painter.fillPath(glyph(arrival.part, shape), part_colour(words, arrival.part))
    if name:
        painter.setPen(palette.color(Role.WindowText))
        text = rect.adjusted(21, 0, -17, 0)
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, name)
    mark = QRectF(rect.right() - 16, rect.center().y() - 5, 10, 10)
    if arrival.arrived:
        draw_check(painter, mark, palette.color(Role.WindowText))
    else:
        draw_cross(painter, mark, palette.color(Role.PlaceholderText))
    painter.restore()


def draw_cross(painter: QPainter, rect: QRectF, colour: QColor) -> None:
    """A cross filling ``rect``."""
    pen = QPen(colour, rect.width() * 0.16)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    inset = rect.width() * 0.2
    box = rect.adjusted(inset, inset, -inset, -inset)
    painter.drawLine(QPointF(box.topLeft()), QPointF(box.bottomRight()))
    painter.drawLine(QPointF(box.topRight()), QPointF(box.bottomLeft()))
