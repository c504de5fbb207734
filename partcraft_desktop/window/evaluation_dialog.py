"""The page that evaluates a pack: how many pictures, the figures and the pictures as they grow, then the report."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, QSize, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from engine.worker.evaluated import Interval, Scores
from engine.worker.jobs import Evaluating
from partcraft_desktop.app.learning.state import JobProgress
from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.session import Session
from partcraft_desktop.widgets.controls import push_button
from partcraft_desktop.widgets.dialog import Dialog, quiet_label
from partcraft_desktop.widgets.number_field import NumberField
from partcraft_desktop.widgets.progress import JobProgressLine
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.widgets.thumbnails import Thumbnails

FIRST_COUNT: Final = 64
MOST_PICTURES: Final = 10_000
_TILE: Final = 72
_SHOWN: Final = 240
"""Pictures on the sheet at most, the newest: all are in the report's folder."""

SOURCES: Final[tuple[tuple[str, tuple[int, ...]], ...]] = (
    ("1 to 4 pictures", (1, 2, 3, 4)), ("1 picture", (1,)), ("2 pictures", (2,)), ("3 pictures", (3,)),
    ("4 pictures", (4,)),
)  # fmt: skip


class EvaluationDialog(Dialog):
    """Evaluates the pack on show. ``report_wanted(path)``: a person wants to read the report."""

    report_wanted = Signal(str)

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        pack = session.state.pack
        assert pack is not None, "opened only with a pack"
        super().__init__("Evaluate", parent)
        self._report = ""
        self._work = session.new_evaluation(pack, self)
        self.setAccessibleName(f"Evaluate {pack.title}")
        self.add_title(f"Evaluate “{pack.title}”")
        self.column.addWidget(
            quiet_label(
                "Mixes of this pack’s pictures are rendered, and what arrives is counted. You can stop at any time and "
                "go on later: what was rendered is kept. Renders wait until it is over."
            )
        )
        self.count = NumberField("Pictures", "How many pictures are rendered in all", 1, MOST_PICTURES, 8)
        self.count.set_value(FIRST_COUNT)
        self.count.setFixedWidth(16 * UNIT)
        self.sources = QComboBox()
        self.sources.setAccessibleName("Parts of a picture come from")
        self.sources.setToolTip("How many of the pack’s pictures the parts of one picture come from")
        for words, mixes in SOURCES:
            self.sources.addItem(words, mixes)
        self.start = push_button("Start", self._begin, "render", look="primary")
        self.column.addLayout(self._settings_row())
        self.figures = FiguresTable()
        self.sheet = GrowingSheet(thumbnails)
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._scroll.setAccessibleName("Pictures so far")
        self._scroll.setWidget(self.sheet)
        self._scroll.setMinimumHeight(_TILE // 2)
        self.column.addWidget(self.figures)
        self.column.addWidget(self._scroll, 1)
        self.line = JobProgressLine()
        self.line.line.set_reduced_motion(session.settings.values.reduced_motion)
        self.line.cancelled.connect(self._work.stop)
        self.line.cancel.setToolTip("Stop; what was rendered is kept")
        self.note = quiet_label("")
        self.note.hide()
        self.column.addWidget(self.line)
        self.column.addWidget(self.note)
        self.open_report = push_button("Open report", lambda: self.report_wanted.emit(self._report), "open")
        self.open_report.setEnabled(False)
        self.add_buttons(push_button("Close", self.reject), self.open_report)
        self._work.progressed.connect(self._progress)
        self._work.grown.connect(self._grow)
        self._work.ended.connect(self._end)
        self.finished.connect(lambda _: self._work.close())

    def _settings_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        for words, field in (("Pictures", self.count), ("Parts of each from", self.sources)):
            label = QLabel(words)
            label.setBuddy(field)
            row.addWidget(label)
            row.addWidget(field)
            row.addSpacing(UNIT)
        row.addStretch(1)
        row.addWidget(self.start)
        return row

    def _begin(self) -> None:
        self._report = ""
        self.open_report.setEnabled(False)
        self.note.hide()
        self.figures.show_scores(None)
        self.sheet.show_pictures(())
        self._set_running(True)
        self._work.begin(self.sources.currentData(), int(self.count.value), 0)

    def _set_running(self, running: bool) -> None:
        for field in (self.count, self.sources, self.start):
            field.setEnabled(not running)
        if running:
            self.line.cancel.setFocus()

    def _progress(self, words: str) -> None:
        self.line.show_progress(JobProgress(None, words))

    def _grow(self, news: Evaluating) -> None:
        self.figures.show_scores(news)
        bar = self._scroll.verticalScrollBar()
        at_end = bar.value() == bar.maximum()
        self.sheet.show_pictures(news.pictures)
        if at_end:
            bar.setValue(bar.maximum())

    def _end(self, report: str, message: Message | None) -> None:
        self.line.show_progress(None)
        self._set_running(False)
        self._report = report
        self.open_report.setEnabled(bool(report))
        (self.open_report if report else self.start).setFocus()
        self.note.setText(f"{message.text} {message.hint}".strip() if message is not None else "")
        self.note.setVisible(message is not None)


class FiguresTable(QWidget):
    """Match rate, CoSim and whole pictures, in all and by number of sources, with their intervals."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(UNIT)
        self._grid = QGridLayout()
        column.addLayout(self._grid)
        self._grid.setHorizontalSpacing(3 * UNIT)
        self._grid.setVerticalSpacing(UNIT // 2)
        self._grid.setColumnStretch(4, 1)
        self.words = quiet_label("")
        column.addWidget(self.words)
        self.cells: list[list[QLabel]] = []
        self.show_scores(None)

    def show_scores(self, news: Evaluating | None) -> None:
        """Show figures; None: there are none yet."""
        rows = [["", "Match rate", "CoSim", "All parts right"]]
        judge = "Nothing was rendered yet."
        if news is not None:
            first = news.result.judgements[0]
            rows.append(_row("All", first.scores))
            if len(first.sources) > 1:
                rows += [_row(f"From {mix}", scores) for mix, scores in first.sources.items()]
            judge = f"{first.scores.match_rate.words}. Judged by {first.judge}; in brackets, 95% intervals."
        self.words.setText(judge)
        self._leave_room()
        self._fit(rows if news is not None else [])
        for labels, texts in zip(self.cells, rows if news is not None else [], strict=True):
            for label, text in zip(labels, texts, strict=True):
                if label.text() != text:
                    label.setText(text)
        self.setAccessibleName(judge)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._leave_room()

    def _leave_room(self) -> None:
        """Where the window is small, the sheet gives way, not the words."""
        self.words.setMinimumHeight(self.words.heightForWidth(self.width()))

    def _fit(self, rows: list[list[str]]) -> None:
        """As many labels as there are figures; they stay, so that what is read does not flicker."""
        while len(self.cells) > len(rows):
            for label in self.cells.pop():
                self._grid.removeWidget(label)
                label.deleteLater()
        for number in range(len(self.cells), len(rows)):
            labels = [QLabel() for _ in rows[number]]
            for column, label in enumerate(labels):
                label.setProperty("quiet", not number or not column)
                self._grid.addWidget(label, number, column)
            self.cells.append(labels)


def _row(name: str, scores: Scores) -> list[str]:
    return [
        f"{name}, {scores.pictures} picture{'' if scores.pictures == 1 else 's'}",
        f"{scores.emr:.3f} {_brackets(scores.emr_interval)}",
        f"{scores.cosim:.3f} {_brackets(scores.cosim_interval)}",
        f"{scores.whole:.3f} {_brackets(scores.whole_interval)}",
    ]


def _brackets(interval: Interval) -> str:
    return f"[{interval[0]:.2f}, {interval[1]:.2f}]"


class GrowingSheet(QWidget):
    """Pictures in rows, read when they are seen."""

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._thumbnails = thumbnails
        self.pictures: tuple[str, ...] = ()
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Pictures so far: none")
        thumbnails.ready.connect(self._read)

    def show_pictures(self, pictures: tuple[str, ...]) -> None:
        """Show pictures (paths), the newest of them where they are many."""
        self.pictures = pictures[-_SHOWN:]
        self.setAccessibleName(f"Pictures so far: {len(pictures) or 'none'}")
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(8 * _TILE, self.heightForWidth(self.width()))

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return -(-len(self.pictures) // self._columns(width)) * _TILE

    @staticmethod
    def _columns(width: int) -> int:
        return max(1, width // _TILE)

    def _read(self, path: object) -> None:
        if path in self.pictures:
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        columns, side = self._columns(self.width()), _TILE - 4
        for number, path in enumerate(self.pictures):
            place = QRect(number % columns * _TILE, number // columns * _TILE, side, side)
            if not place.intersects(event.rect()):
                continue
            picture = self._thumbnails.get(path, side, self.devicePixelRatioF())
            if picture is None or picture.isNull():
                painter.fillRect(place, self.palette().color(QPalette.ColorRole.AlternateBase))
            else:
                painter.drawPixmap(place.topLeft(), picture)
        painter.end()
