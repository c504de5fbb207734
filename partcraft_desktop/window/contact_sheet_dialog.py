"""The dialog for contact sheets: which parts and how many kinds, the sheet as it grows, and where it is saved."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QImage, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QWidget

from engine.collage.sheet_axes import MOST_KINDS, Axis, sheet_recipes, shown_codes
from engine.core.part_looks import shown_parts
from engine.core.paths import slug
from engine.core.vocabulary import Part
from partcraft_desktop.app.learning.state import JobProgress
from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.session import Session
from partcraft_desktop.widgets.controls import push_button
from partcraft_desktop.widgets.dialog import Dialog, quiet_label
from partcraft_desktop.widgets.images import to_qimage
from partcraft_desktop.widgets.number_field import NumberField
from partcraft_desktop.widgets.progress import JobProgressLine
from partcraft_desktop.widgets.theme import UNIT

FIRST_KINDS: Final = 6


class ContactSheetDialog(Dialog):
    """Makes a sheet at once and anew with each change. ``save_wanted(name)`` asks for a file; :meth:`save` takes it."""

    save_wanted = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Contact sheet", parent)
        pack = session.state.pack
        assert pack is not None, "opened only with a pack"
        self._session = session
        self._pack = pack
        self._parts = [part for part in shown_parts(pack.vocabulary) if shown_codes(pack, part.index)]
        self._work = session.new_sheet(self)
        self._started = 0.0
        self.setAccessibleName("Contact sheet")
        self.add_title("Contact sheet")
        self.column.addWidget(
            quiet_label("Every kind of one part against every kind of another; all other parts stay as they are.")
        )
        self.down = _Side("Down", self._parts, self)
        self.across = _Side("Across", self._parts, self)
        sides = QHBoxLayout()
        sides.setSpacing(3 * UNIT)
        for side in (self.down, self.across):
            sides.addWidget(side, 1)
            side.changed.connect(self._begin)
        self.column.addLayout(sides)
        self.preview = _Preview()
        self.column.addWidget(self.preview, 1)
        self.line = JobProgressLine()
        self.line.line.set_reduced_motion(session.settings.values.reduced_motion)
        self.line.cancelled.connect(self._cancel)
        self.note = quiet_label("")
        self.column.addWidget(self.line)
        self.column.addWidget(self.note)
        self.save_button = push_button("Save…", lambda: self.save_wanted.emit(self._name()), "save", look="primary")
        self.render_button = push_button("Render each", self._render_all, "render")
        self.render_button.setToolTip("Add a render of each cell to the queue, all with the same seed")
        self.add_buttons(self.render_button, push_button("Close", self.reject), self.save_button)
        self._work.progressed.connect(self._progress)
        self._work.previewed.connect(self._show)
        self._work.finished.connect(self._finish)
        self._work.failed.connect(self._fail)
        self.finished.connect(lambda _: self._work.close())
        self._choose_first(session)

    def save(self, path: Path) -> None:
        """Save the sheet and close."""
        self._work.save(path)
        self.accept()

    def _choose_first(self, session: Session) -> None:
        """Begin with two parts that the recipe has, where it has them."""
        chosen = {choice.part for choice in session.state.recipe.choices}
        order = sorted(range(len(self._parts)), key=lambda index: self._parts[index].index not in chosen)
        for side, index in zip((self.down, self.across), order, strict=False):
            side.show_part(index, len(shown_codes(self._pack, self._parts[index].index)))
        self._begin()

    def _axis(self, side: _Side) -> Axis | None:
        if not 0 <= side.part.currentIndex() < len(self._parts):
            return None
        part = self._parts[side.part.currentIndex()].index
        codes = shown_codes(self._pack, part)
        side.limit(len(codes))
        return Axis(part, codes[: side.kinds_wanted])

    def _begin(self) -> None:
        rows, columns = self._axis(self.down), self._axis(self.across)
        self.save_button.setEnabled(False)
        self.line.show_progress(None)
        self._work.cancel()
        fits = rows is not None and columns is not None and rows.part != columns.part
        self.render_button.setEnabled(fits)
        if rows is None or columns is None or not fits:
            self.note.setText("Choose two different parts." if len(self._parts) > 1 else "This pack has but one part.")
            self.note.show()
            return
        self.note.hide()
        self.render_button.setText(f"Render all {len(rows.codes) * len(columns.codes)}")
        self._started = time.monotonic()
        self._work.begin(rows, columns)

    def _render_all(self) -> None:
        """Add a render of each cell to the queue, and close."""
        rows, columns = self._axis(self.down), self._axis(self.across)
        if rows is not None and columns is not None:
            recipes = sheet_recipes(self._session.state.recipe, self._pack.vocabulary, rows, columns)
            self._session.render_all(recipes)
        self.accept()

    def _progress(self, done: int, total: int) -> None:
        self.line.show_progress(JobProgress(None, "Putting creatures together", done, total, self._started))

    def _show(self, pixels: Any) -> None:
        self.preview.show_picture(to_qimage(pixels))

    def _finish(self) -> None:
        self.line.show_progress(None)
        self.save_button.setEnabled(True)

    def _cancel(self) -> None:
        self._work.cancel()
        self.line.show_progress(None)
        self.note.setText("Cancelled. Change a part or a number to begin again.")
        self.note.show()

    def _fail(self, message: Message) -> None:
        self.line.show_progress(None)
        self.note.setText(f"{message.text} {message.hint}".strip())
        self.note.show()

    def _name(self) -> str:
        names = (self._parts[side.part.currentIndex()].name for side in (self.down, self.across))
        return slug("-".join([*names, "sheet"]), "sheet")

    def closeEvent(self, event: QCloseEvent) -> None:
        self._work.close()
        super().closeEvent(event)


class _Side(QWidget):
    """One side of a sheet: its part and how many kinds of it. ``changed()``: a person chose something else."""

    changed = Signal()

    def __init__(self, title: str, parts: list[Part], parent: QWidget) -> None:
        super().__init__(parent)
        self._wanted = FIRST_KINDS
        self.part = QComboBox()
        self.part.setAccessibleName(f"{title}: part")
        self.part.addItems([part.name for part in parts])
        self.part.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.part.setMinimumContentsLength(6)
        self.part.activated.connect(lambda _: self.changed.emit())
        self.kinds = NumberField(f"{title}: kinds", f"How many kinds, at most {MOST_KINDS}", 1, MOST_KINDS)
        self.kinds.setFixedWidth(14 * UNIT)
        self.kinds.value_changed.connect(self._take)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(UNIT)
        label = QLabel(title)
        label.setBuddy(self.part)
        row.addWidget(label)
        row.addWidget(self.part, 1)
        row.addWidget(self.kinds)

    @property
    def kinds_wanted(self) -> int:
        """How many kinds are asked for."""
        return int(self.kinds.value)

    def show_part(self, index: int, kinds: int) -> None:
        """Choose a part of so many kinds."""
        self.part.setCurrentIndex(index)
        self.limit(kinds)

    def limit(self, kinds: int) -> None:
        """A part of fewer kinds than were asked for shows all of them; another part then shows as many as were."""
        self.kinds.set_value(min(self._wanted, kinds, MOST_KINDS))

    def _take(self, value: float) -> None:
        self._wanted = int(value)
        self.changed.emit()


class _Preview(QWidget):
    """A sheet, fitted into its room."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = QImage()
        self.setAccessibleName("The sheet so far")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(200, 120)

    def show_picture(self, picture: QImage) -> None:
        """Show another state of the sheet."""
        self._picture = picture
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(640, 420)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.AlternateBase))
        if not self._picture.isNull():
            size = self._picture.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
            left, top = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
            painter.drawImage(QRectF(left, top, size.width(), size.height()), self._picture)
        painter.end()
