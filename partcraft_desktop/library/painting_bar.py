"""How far a pack is with the reference pictures it paints, below the wall: one line, a bar, one button."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from engine.core.durations import duration
from partcraft_desktop.app.painting_state import PaintingStatus
from partcraft_desktop.app.session import Session
from partcraft_desktop.widgets.controls import ShortLabel, push_button
from partcraft_desktop.widgets.progress import ProgressBar
from partcraft_desktop.widgets.theme import UNIT


class PaintingBar(QWidget):
    """Shows ``state.painting``; not there where nothing is to be painted."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.line = ShortLabel(quiet=True)
        self.bar = ProgressBar()
        self.button = push_button("Stop", self._press, look="flat")
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        row.addWidget(self.bar, 1)
        row.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(UNIT // 2, 0, UNIT // 2, 0)
        column.setSpacing(2)
        column.addWidget(self.line)
        column.addLayout(row)
        self._shown: tuple[PaintingStatus | None, bool] = None, False
        session.changed.connect(self.refresh)
        self.hide()
        self.refresh()

    def refresh(self) -> None:
        """Show the state."""
        status, failed = self._session.state.painting, self._session.state.engine == "failed"
        if (status, failed) == self._shown:
            return
        self._shown = status, failed
        self.setVisible(status is not None and status.painted < status.total)
        if status is None:
            return
        text, tip = painting_text(status, failed)
        self.line.setText(text)
        self.line.setToolTip(tip)
        self.setAccessibleName(tip)
        self.bar.show_share((status.painted + status.share) / max(1, status.total), text)
        rests = status.stopped or bool(status.fault)
        missing = bool(status.fault and status.model)
        self.button.setText("Get…" if missing else "Go on" if rests else "Stop")
        name = "Get what painting needs" if missing else "Go on painting" if rests else "Stop painting"
        self.button.setAccessibleName(f"{name} reference pictures")
        self.button.setToolTip(tip)

    def _press(self) -> None:
        status = self._session.state.painting
        if status is None:
            return
        if status.fault and status.model:
            self._session.model_wanted.emit(status.model)
        elif status.stopped or status.fault:
            self._session.painter.go_on()
        else:
            self._session.painter.stop()


def painting_text(status: PaintingStatus, failed: bool = False) -> tuple[str, str]:
    """A short line, and a sentence. ``failed``: the engine could not load what the pack needs."""
    count = f"{status.painted:,} of {status.total:,}"
    fault = status.fault or ("What the pack paints with could not be loaded." if failed and not status.active else "")
    if fault:
        return f"Pictures: {count}, not going on", f"{count} reference pictures are painted. {fault}"
    if status.stopped:
        return f"Pictures: {count}, stopped", f"{count} reference pictures are painted; the others are drawn stand-ins."
    left = f" · {duration(status.left)} left" if status.left else ""
    doing = "Painting" if status.active else "Waiting to paint"
    return (
        f"{doing}: {count}{left}",
        f"{count} reference pictures are painted. It goes on while nothing else is rendered, also after a restart.",
    )
