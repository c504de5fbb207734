"""What is carried when a part or a picture is dragged: plain MIME data, so that any widget can take it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from PySide6.QtCore import QByteArray, QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDrag, QPixmap
from PySide6.QtWidgets import QWidget

from engine.core.vocabulary import Choice

CHOICE: Final = "application/x-partcraft-choice"


def choice_data(choice: Choice) -> QMimeData:
    """MIME data that carries a part with its code and source."""
    data = QMimeData()
    document = {"part": choice.part, "code": choice.code, "source": choice.source}
    data.setData(CHOICE, json.dumps(document).encode())
    return data


def choice_in(data: QMimeData) -> Choice | None:
    """The part that MIME data carries, or None where it carries something else."""
    if not data.hasFormat(CHOICE):
        return None
    try:
        document = json.loads(bytes(data.data(CHOICE).data()))
        return Choice(int(document["part"]), int(document["code"]), source=str(document["source"]))
    except (ValueError, KeyError, TypeError):
        return None


def drag(widget: QWidget, data: QMimeData, picture: QPixmap) -> None:
    """Carry ``data`` under the pointer until the button is let go; ``picture`` shows what is carried."""
    carrying = QDrag(widget)
    carrying.setMimeData(data)
    if not picture.isNull():
        carrying.setPixmap(picture)
        size = picture.deviceIndependentSize().toSize()
        carrying.setHotSpot(QPoint(size.width() // 2, size.height() // 2))
    carrying.exec(Qt.DropAction.CopyAction)


def file_data(path: str) -> QMimeData:
    """MIME data that carries a picture file."""
    data = QMimeData()
    data.setUrls([file_url(path)])
    return data


def file_url(path: str) -> QUrl:
    """The address of a file, also of one whose name is no Unicode, which Qt's own way would change."""
    return QUrl.fromEncoded(QByteArray(Path(path).absolute().as_uri().encode()))


def local_path(url: QUrl) -> str:
    """The file that an address names, also one whose name is no Unicode; empty for an address elsewhere."""
    path = url.toLocalFile()
    if os.name == "nt" or "\ufffd" not in path:
        return path
    encoded = url.path(QUrl.ComponentFormattingOption.FullyEncoded)
    return os.fsdecode(unquote_to_bytes(encoded))
