"""Settings and the saved session: small JSON files, written beside and put in place whole."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

from engine.core.atomic_files import make_folder, read_json, write_bytes
from engine.core.errors import UserError
from engine.core.json_values import json_bytes
from partcraft_desktop.app.background import LONGEST_S

Theme = Literal["system", "light", "dark"]


@dataclass(frozen=True)
class Values:
    """What a person can set. ``out`` is the folder for creations, empty for the default;
    ``save_folder`` and ``save_kind`` are where and as what pictures were saved last; ``mark_renders``: creations say
    that a model made them (IPTC's digital source type); ``live``: the collage is painted live; ``window`` keeps sizes
    between starts."""

    theme: Theme = "system"
    reduced_motion: bool = False
    out: str = ""
    hint_seen: bool = False
    save_folder: str = ""
    save_kind: str = ""
    mark_renders: bool = True
    live: bool = False
    window: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Values:
        """Values from JSON: wrong ones fall back to the defaults, unknown ones are kept in ``extra``."""
        values: dict[str, Any] = {}
        defaults = cls()
        names = {spec.name for spec in fields(cls)} - {"extra"}
        for name in names & document.keys():
            value, default = document[name], getattr(defaults, name)
            if name == "theme":
                if value in ("system", "light", "dark"):
                    values[name] = value
            elif isinstance(value, dict if name == "window" else type(default)):
                values[name] = value
        return cls(**values, extra={key: value for key, value in document.items() if key not in names})

    def sizes(self, name: str, default: list[int]) -> list[int]:
        """Logical pixels of a splitter's areas as ``window`` keeps them; the default where it keeps none of use."""
        value = self.window.get(name)
        if not isinstance(value, list) or len(value) != len(default):
            return default
        return value if all(type(size) is int and 0 < size < 1e6 for size in value) else default

    def to_document(self) -> dict[str, Any]:
        """JSON values, read back by :meth:`from_document`."""
        document = asdict(self)
        return {**document.pop("extra"), **document}


class FileWriter(QObject):
    """Writes one JSON file whole, in order, on a thread of its own; ``what`` names it in an error. ``failed`` has the
    :class:`UserError`, once until a write works again."""

    failed = Signal(object)

    def __init__(self, path: Path, what: str, parent: QObject) -> None:
        super().__init__(parent)
        self._path = path
        self._what = what
        self._has_failed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"write {path.name}")

    def write(self, document: Mapping[str, Any], indent: int | None = None) -> None:
        """Write JSON values soon; returns at once."""
        self._thread.submit(self._write, json_bytes(document, indent))

    def flush(self) -> None:
        """Wait until all is written, but no longer than for a drive that hangs."""
        wait((self._thread.submit(lambda: None),), LONGEST_S)

    def close(self) -> None:
        """Wait until all is written, as :meth:`flush`, and write no more."""
        self.flush()
        self._thread.shutdown(wait=False)

    def _write(self, data: bytes) -> None:
        try:
            make_folder(self._path.parent, self._what)
            write_bytes(self._path, data, self._what)
        except UserError as error:
            if not self._has_failed:
                self.failed.emit(error)
            self._has_failed = True
        else:
            self._has_failed = False


class Settings(QObject):
    """The settings file and what it says now; ``changed`` is emitted when it says something else, ``failed`` with the
    :class:`UserError` when it cannot be written, once until it can be again."""

    changed = Signal()
    failed = Signal(object)

    def __init__(self, home: Path, parent: QObject | None = None) -> None:
        """``home`` is the folder of the app's data; the file is ``home/settings.json``."""
        super().__init__(parent)
        self.home = home
        path = home / "settings.json"
        self.values = Values.from_document(read_json(path))
        self._writer = FileWriter(path, "the settings", self)
        self._writer.failed.connect(self.failed)

    @property
    def out(self) -> Path:
        """The folder creations are written to."""
        return Path(self.values.out) if self.values.out else self.home / "creations"

    def set(self, **changes: Any) -> None:
        """Replace some values and have them written. They hold for this run even if the file cannot be written."""
        values = replace(self.values, **changes)
        if values != self.values:
            self.values = values
            self._writer.write(values.to_document(), indent=1)
            self.changed.emit()

    def flush(self) -> None:
        """Wait until the file says what was set last."""
        self._writer.flush()
