"""Headings, quiet sentences, durations and amounts."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel


def heading(text: str = "") -> QLabel:
    """The larger of the two text sizes."""
    label = QLabel(text)
    label.setProperty("title", True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def quiet(text: str = "") -> QLabel:
    """A sentence beside the point, in as many lines as it takes."""
    label = QLabel(text, wordWrap=True)
    label.setProperty("quiet", True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def duration(seconds: float) -> str:
    """A length of time for people: "8 s", "3 min", "2.5 h"."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{round(seconds / 86400)} days"


def amount(count: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 picture", "6,000 pictures"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
