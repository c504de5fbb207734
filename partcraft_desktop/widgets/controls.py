"""Small things several widgets share: buttons with one look, a label that shortens, painting of pictures."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPalette,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QAbstractButton, QCheckBox, QFrame, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from partcraft_desktop.widgets.part_glyphs import draw_check
from partcraft_desktop.widgets.theme import icon

ICON_SIDE = 20
CORNER = 8.0


def tool_button(icon_name: str, name: str, run: Callable[[], object] | None = None, keys: str = "") -> QToolButton:
    """An icon button. ``name`` is its accessible name and, with its keys, its tip."""
    button = QToolButton()
    button.setIcon(icon(icon_name))
    button.setIconSize(QSize(ICON_SIDE, ICON_SIDE))
    button.setAccessibleName(name)
    describe_button(button, name, keys)
    # A click must not leave a focus ring behind; the keyboard still gets here.
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    if run is not None:
        button.clicked.connect(lambda: run())
    return button


def describe_button(button: QWidget, text: str, keys: str = "") -> None:
    """Give a button a tip: some words and its keys. A screen reader reads it after the button's name."""
    shortcut = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText) if keys else ""
    tip = f"{text} ({shortcut})" if shortcut else text
    if button.toolTip() != tip:
        button.setToolTip(tip)
        button.setAccessibleDescription("" if text == button.accessibleName() else text)


def push_button(text: str, run: Callable[[], object] | None = None, icon_name: str = "", look: str = "") -> QPushButton:
    """A button with words; ``look`` is "" (plain), "primary" (the one thing to press) or "flat"."""
    button = QPushButton(text)
    role = QPalette.ColorRole.HighlightedText if look == "primary" else QPalette.ColorRole.ButtonText
    if icon_name:
        button.setIcon(icon(icon_name, role))
        button.setIconSize(QSize(16, 16))
    if look:
        button.setProperty(look, True)
    button.setAccessibleName(text.rstrip("…"))
    # Enter presses a button that has the focus, as well as Space.
    button.setAutoDefault(True)
    if run is not None:
        button.clicked.connect(lambda: run())
    return button


class PaintedButton(QAbstractButton):
    """A button that paints itself. Enter presses it as Space does, for it looks like a thing to press."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)


class CheckBox(QCheckBox):
    """A check box that is seen as well in the dark: Fusion draws its frame in the colour of the ground there."""

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        thick = 2 if self.hasFocus() else 1
        # The frame fills whole pixels: one that lies between two is half as strong.
        box = QRectF(1, (self.height() - 16) // 2, 16, 16).adjusted(thick / 2, thick / 2, -thick / 2, -thick / 2)
        ground = QPalette.ColorRole.Highlight if self.isChecked() else QPalette.ColorRole.Base
        lit = self.isChecked() or self.hasFocus() or self.underMouse()
        line = QPalette.ColorRole.Highlight if lit else QPalette.ColorRole.PlaceholderText
        if self.isChecked() and self.hasFocus():
            line = QPalette.ColorRole.WindowText  # the accent would not be seen around itself
        elif not self.isEnabled() and not self.isChecked():
            line = QPalette.ColorRole.WindowText  # that of the disabled group
        painter.setPen(QPen(palette.color(line), thick))
        painter.setBrush(palette.color(ground))
        painter.drawRoundedRect(box, 4, 4)
        if self.isChecked():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            draw_check(
                painter, QRectF(4, box.center().y() - 5, 10, 10), palette.color(QPalette.ColorRole.HighlightedText)
            )
        painter.setPen(palette.color(QPalette.ColorRole.WindowText))
        painter.drawText(self.rect().adjusted(26, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.end()

    def sizeHint(self) -> QSize:
        return QSize(28 + self.fontMetrics().horizontalAdvance(self.text()), 24)

    def hitButton(self, pos: QPoint) -> bool:
        return self.rect().contains(pos)


def hairline() -> QFrame:
    """A line one pixel high that parts two areas."""
    line = QFrame()
    line.setFixedHeight(1)
    line.setAutoFillBackground(True)
    line.setBackgroundRole(QPalette.ColorRole.Mid)
    return line


class ShortLabel(QLabel):
    """One line of text that ends in an ellipsis where room is short; the whole text is its tip then."""

    def __init__(self, text: str = "", quiet: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        if quiet:
            self.setProperty("quiet", True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)

    def paintEvent(self, event: QPaintEvent) -> None:
        metrics = QFontMetrics(self.font())
        text = metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter = QPainter(self)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter | self.alignment(), text)
        painter.end()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            cut = QFontMetrics(self.font()).horizontalAdvance(self.text()) > self.width()
            self.setToolTip(self.text() if cut else "")
        return super().event(event)


def paint_cover(painter: QPainter, pixmap: QPixmap, rect: QRect, corner: float = CORNER) -> None:
    """A picture that fills ``rect`` with round corners, cut at its longer sides."""
    size = pixmap.deviceIndependentSize()
    if size.isEmpty():
        return
    scale = max(rect.width() / size.width(), rect.height() / size.height())
    source = QRectF(0, 0, rect.width() / scale, rect.height() / scale)
    source.moveCenter(QRectF(0, 0, size.width(), size.height()).center())
    ratio = pixmap.devicePixelRatio()
    pixels = QRectF(source.x() * ratio, source.y() * ratio, source.width() * ratio, source.height() * ratio)
    painter.save()
    painter.setRenderHints(QPainter.RenderHint.SmoothPixmapTransform | QPainter.RenderHint.Antialiasing)
    painter.setClipPath(rounded(QRectF(rect), corner), Qt.ClipOperation.IntersectClip)
    painter.drawPixmap(QRectF(rect), pixmap, pixels)
    painter.restore()


def paint_ring(painter: QPainter, rect: QRect, colour: QColor, width: float = 2.0, corner: float = CORNER) -> None:
    """A ring just outside ``rect``: selected or focused."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = painter.pen()
    pen.setColor(colour)
    pen.setWidthF(width)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    out = width / 2 + 1
    painter.drawRoundedRect(QRectF(rect).adjusted(-out, -out, out, out), corner + out, corner + out)
    painter.restore()


def read_side(side: int) -> int:
    """The side, a little larger than needed, to read a thumbnail at: so that dragging a splitter reads few sizes."""
    return -(-side // 64) * 64


def rounded(rect: QRectF, corner: float) -> QPainterPath:
    """A rectangle with round corners as a path."""
    path = QPainterPath()
    path.addRoundedRect(rect, corner, corner)
    return path
