"""Settings and the saved session: small JSON files, written beside and put in place whole."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

Theme = Literal["system", "light", "dark"]


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that after a crash it holds either the old or the new text, whole.

    Raises ``OSError`` (disk full, folder gone or read-only); the old file is then untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if there is none or it cannot be read: settings are never a reason to stop."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


@dataclass(frozen=True)
class Values:
    """What a person can set. ``out`` is the folder for creations, empty for the default;
    ``window`` keeps sizes between starts."""

    theme: Theme = "system"
    reduced_motion: bool = False
    out: str = ""
    hint_seen: bool = False
    window: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Values:
        """Values from JSON: wrong ones fall back to the defaults, unknown ones are kept in ``extra``."""
        known: dict[str, Any] = {}
        defaults = cls()
        names = {spec.name for spec in fields(cls)} - {"extra"}
        for name in names & document.keys():
            value, default = document[name], getattr(defaults, name)
            if name == "theme":
                if value in ("system", "light", "dark"):
                    known[name] = value
            elif isinstance(value, dict if name == "window" else type(default)):
                known[name] = value
        return cls(**known, extra={key: value for key, value in document.items() if key not in names})

    def to_document(self) -> dict[str, Any]:
        """JSON values, read back by :meth:`from_document`."""
        document = asdict(self)
        return {**document.pop("extra"), **document}


class Settings(QObject):
    """The settings file and what it says now; ``changed`` is emitted when it says something else."""

    changed = Signal()

    def __init__(self, home: Path, parent: QObject | None = None) -> None:
        """``home`` is the folder of the app's data; the file is ``home/settings.json``."""
        super().__init__(parent)
        self.home = home
        self._path = home / "settings.json"
        self.values = Values.from_document(read_json(self._path))

    @property
    def out(self) -> Path:
        """The folder creations are written to."""
        return Path(self.values.out) if self.values.out else self.home / "creations"

    def set(self, **changes: Any) -> None:
        """Replace some values and keep them. A file that cannot be written changes nothing for this run."""
        values = replace(self.values, **changes)
        if values == self.values:
            return
        self.values = values
        try:
            write_whole(self._path, json.dumps(values.to_document(), ensure_ascii=False, indent=1))
        except OSError:
            # A full or read-only disk: the choice holds for this run, and saving work will say what is wrong.
            self.unsaved = True
        else:
            self.unsaved = False
        self.changed.emit()

    unsaved: bool = False
    """Whether the last change could not be written."""
