"""Receipts as chips: a part's shape and colour with a tick, a question mark or a cross, and the same in words."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPainterPath, QPaintEvent, QPalette, QPen, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.core.match_rate import receipt_words
from engine.core.part_looks import part_sign
from engine.core.recipe import Arrival, Creation, Receipt
from engine.core.vocabulary import ABSENT, Vocabulary
from partcraft_desktop.widgets.controls import rounded
from partcraft_desktop.widgets.part_glyphs import draw_check, glyph, seen_on

CHIP: Final = 20
GAP: Final = 4
MARK: Final = 26
"""How wide a chip without a name is, with the gap after it."""
LEAST_MARK: Final = 21
"""The same where room is short."""
IN_PLACE: Final = 0.25
"""A part that is found over at least so much of its place (intersection over union) is where it was put: the eyes see
in coarse cells, so that also of a part that was not moved at all a thin one covers little."""
Role = QPalette.ColorRole


def part_name(vocabulary: Vocabulary | None, part: int) -> str:
    """The name of a part, or its number where its pack is not here."""
    is_known = vocabulary is not None and 0 <= part < len(vocabulary.parts)
    return vocabulary.parts[part].name if is_known and vocabulary is not None else f"part {part}"


def code_name(vocabulary: Vocabulary | None, part: int, code: int) -> str:
    """The name of a code, or its number."""
    is_known = vocabulary is not None and 0 <= part < len(vocabulary.parts) and -1 <= code < vocabulary.codes_per_part
    return vocabulary.code_name(part, code) if is_known and vocabulary is not None else str(code)


def part_colour(vocabulary: Vocabulary | None, part: int) -> QColor:
    """The colour of a part; grey where its pack is not here."""
    is_known = vocabulary is not None and 0 <= part < len(vocabulary.parts)
    return QColor(vocabulary.parts[part].colour if is_known and vocabulary is not None else "#808080")


def arrival_text(arrival: Arrival, vocabulary: Vocabulary | None) -> str:
    """What became of one choice: "head: Cardinal arrived"."""
    choice = f"{part_name(vocabulary, arrival.part)}: {code_name(vocabulary, arrival.part, arrival.code)}"
    if arrival.arrived:
        return f"{choice} arrived{_place_text(arrival)}"
    if arrival.unsure:
        return f"{choice} may have arrived, that is unsure"
    if arrival.found == ABSENT:
        return f"{choice} did not arrive"
    return f"{choice} did not arrive, it looks like {code_name(vocabulary, arrival.part, arrival.found)}"


def arrivals_text(receipt: Receipt, vocabulary: Vocabulary | None) -> str:
    """A receipt in words, a line a choice, and one for all where its pack is here."""
    lines = [arrival_text(arrival, vocabulary) for arrival in receipt]
    if receipt and vocabulary is not None:
        lines.append(receipt_words(receipt, vocabulary.codes_per_part))
    return "\n".join(lines)


def _place_text(arrival: Arrival) -> str:
    if arrival.where is None:
        return ""
    return ", found where it was put" if arrival.where >= IN_PLACE else ", found elsewhere"


def receipt_text(creation: Creation, vocabulary: Vocabulary | None) -> str:
    """A receipt in words as :func:`arrivals_text`; the choices where there is no receipt."""
    if creation.receipt:
        return arrivals_text(creation.receipt, vocabulary)
    lines = [
        f"{part_name(vocabulary, c.part)}: {code_name(vocabulary, c.part, c.code)}" for c in creation.recipe.choices
    ]
    return "\n".join(lines) or "Creation without chosen parts"


def paint_receipt(
    painter: QPainter, room: QRectF, receipt: Receipt, vocabulary: Vocabulary | None, palette: QPalette
) -> None:
    """A receipt in one line of ``room``: chips with names if all fit, else marks without, else as many as fit."""
    names = [part_name(vocabulary, arrival.part) for arrival in receipt]
    widths = [chip_width(painter.fontMetrics(), name) for name in names]
    if sum(widths) + GAP * (len(widths) - 1) <= room.width():
        x = room.x()
        for arrival, name, width in zip(receipt, names, widths, strict=True):
            paint_chip(painter, QRectF(x, room.y(), width, CHIP), arrival, name, vocabulary, palette)
            x += width + GAP
        return
    fitting = len(receipt)
    step = min(float(MARK), (room.width() + GAP) / max(1, fitting))
    if step < LEAST_MARK:
        step, fitting = MARK, max(0, int((room.width() - 24) // MARK))
    for number, arrival in enumerate(receipt[:fitting]):
        paint_mark(painter, QRectF(room.x() + number * step, room.y(), MARK, CHIP), arrival, vocabulary, palette)
    if fitting < len(receipt):
        painter.setPen(palette.color(Role.PlaceholderText))
        rest = room.adjusted(fitting * step, 0, 0, 0)
        painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter, f"+{len(receipt) - fitting}")


class ReceiptPictures:
    """Paints receipts as :func:`paint_receipt` does, each once: many creations have the same parts arrived, and a frame
    of scrolling shows dozens."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], QPixmap] = OrderedDict()
        self._vocabularies: dict[int, Vocabulary] = {}  # held, so that no other has their number

    def paint(
        self, painter: QPainter, room: QRectF, receipt: Receipt, vocabulary: Vocabulary | None, palette: QPalette
    ) -> None:
        """Paint a receipt into ``room``, whose corner lies on a pixel."""
        if not receipt:
            return
        ratio = painter.device().devicePixelRatioF()
        if vocabulary is not None:
            self._vocabularies.setdefault(id(vocabulary), vocabulary)
        colours = tuple(palette.color(role).rgba() for role in _ROLES)
        shown = tuple((arrival.part, arrival.arrived, arrival.unsure) for arrival in receipt)
        key = (shown, id(vocabulary), room.width(), ratio, colours, painter.font().key())
        picture = self._kept.get(key)
        if picture is None:
            picture = QPixmap(round(room.width() * ratio), round(room.height() * ratio))
            picture.setDevicePixelRatio(ratio)
            picture.fill(Qt.GlobalColor.transparent)
            brush = QPainter(picture)
            brush.setRenderHint(QPainter.RenderHint.Antialiasing)
            brush.setFont(painter.font())
            paint_receipt(brush, QRectF(0, 0, room.width(), room.height()), receipt, vocabulary, palette)
            brush.end()
            self._kept[key] = picture
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        painter.drawPixmap(room.topLeft(), picture)


_ROLES: Final = (Role.Window, Role.WindowText, Role.AlternateBase, Role.PlaceholderText)
_MOST_KEPT: Final = 512


def chip_width(metrics: QFontMetrics, name: str) -> int:
    """How wide a chip with a name is."""
    return 44 + metrics.horizontalAdvance(name)


def paint_mark(
    painter: QPainter, rect: QRectF, arrival: Arrival, vocabulary: Vocabulary | None, palette: QPalette
) -> None:
    """A part's shape and its sign, without a chip."""
    shape = QRectF(rect.x() + 1, rect.center().y() - 4.5, 9, 9)
    painter.setPen(Qt.PenStyle.NoPen)
    colour = seen_on(part_colour(vocabulary, arrival.part), palette.color(Role.Window))
    painter.fillPath(glyph(part_sign(vocabulary, arrival.part), shape), colour)
    _draw_sign(painter, QRectF(rect.x() + 11, rect.center().y() - 4.5, 9, 9), arrival, palette)


def paint_chip(
    painter: QPainter, rect: QRectF, arrival: Arrival, name: str, vocabulary: Vocabulary | None, palette: QPalette
) -> None:
    """One chip: the part's shape in its colour, its name if any, and its sign."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillPath(rounded(rect, rect.height() / 2), palette.color(Role.AlternateBase))
    shape = QRectF(rect.x() + 6, rect.center().y() - 5, 10, 10)
    colour = seen_on(part_colour(vocabulary, arrival.part), palette.color(Role.AlternateBase))
    painter.fillPath(glyph(part_sign(vocabulary, arrival.part), shape), colour)
    if name:
        painter.setPen(palette.color(Role.WindowText))
        text = rect.adjusted(21, 0, -17, 0)
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, name)
    _draw_sign(painter, QRectF(rect.right() - 16, rect.center().y() - 5, 10, 10), arrival, palette)
    painter.restore()


def _draw_sign(painter: QPainter, rect: QRectF, arrival: Arrival, palette: QPalette) -> None:
    """A tick for what arrived, a question mark for what is unsure, else a cross."""
    if arrival.arrived:
        draw_check(painter, rect, palette.color(Role.WindowText))
    elif arrival.unsure:
        draw_question(painter, rect, palette.color(Role.WindowText))
    else:
        draw_cross(painter, rect, palette.color(Role.PlaceholderText))


def draw_cross(painter: QPainter, rect: QRectF, colour: QColor) -> None:
    """A cross filling ``rect``."""
    pen = QPen(colour, rect.width() * 0.16)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    inset = rect.width() * 0.2
    box = rect.adjusted(inset, inset, -inset, -inset)
    painter.drawLine(QPointF(box.topLeft()), QPointF(box.bottomRight()))
    painter.drawLine(QPointF(box.topRight()), QPointF(box.bottomLeft()))


def draw_question(painter: QPainter, rect: QRectF, colour: QColor) -> None:
    """A question mark filling ``rect``."""
    pen = QPen(colour, rect.width() * 0.16)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    side = rect.width()
    hook = QPainterPath(rect.topLeft() + QPointF(side * 0.26, side * 0.3))
    bow = QRectF(rect.x() + side * 0.26, rect.y() + side * 0.08, side * 0.48, side * 0.46)
    hook.arcTo(bow, 170, -215)
    hook.lineTo(rect.topLeft() + QPointF(side * 0.5, side * 0.66))
    painter.drawPath(hook)
    painter.drawPoint(rect.topLeft() + QPointF(side * 0.5, side * 0.92))


class ReceiptRow(QWidget):
    """A receipt in one line, as far as there is room; all of it in words as its tip."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._receipt: Receipt = ()
        self._vocabulary: Vocabulary | None = None
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def show_receipt(self, receipt: Receipt, vocabulary: Vocabulary | None) -> None:
        """Show a receipt, or nothing of an empty one."""
        self._receipt, self._vocabulary = receipt, vocabulary
        words = arrivals_text(receipt, vocabulary)
        self.setToolTip(words)
        self.setAccessibleName(words.replace("\n", ", "))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(min(len(self._receipt), 6) * MARK, CHIP)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_receipt(painter, QRectF(self.rect()), self._receipt, self._vocabulary, self.palette())
        painter.end()
