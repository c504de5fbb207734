"""Headings, quiet sentences and amounts."""

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


def amount(count: int, singular: str, plural: str = "") -> str:
    """A number with its noun: "1 picture", "6,000 pictures"."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"
