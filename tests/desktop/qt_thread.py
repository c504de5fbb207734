"""What the Qt thread asks of the file system, for tests that allow it nothing.

Python tells an audit hook of every ``open``, ``listdir``, ``scandir``, ``mkdir``, ``rename``, ``remove`` and the like;
``stat`` and ``access`` have no such event and are wrapped while somebody watches.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.conftest import REPOSITORY

EVENTS = frozenset({"open", "os.listdir", "os.scandir", "os.mkdir", "os.rmdir", "os.rename", "os.remove", "os.utime",
                    "os.chmod", "os.link", "os.symlink", "os.truncate", "shutil.copyfile", "shutil.move",
                    "shutil.rmtree", "tempfile.mkstemp", "tempfile.mkdtemp"})  # fmt: skip
WRAPPED = ("stat", "lstat", "access", "readlink", "statvfs")

_watching: list[list[str]] = []
_thread = 0


def _note(what: str, place: Any) -> None:
    if not _watching or threading.get_ident() != _thread or isinstance(place, int):
        return
    # Innermost first. Frames only: a traceback's summary looks at source files, which would be noted in turn.
    frames = [(frame.f_code, line) for frame, line in traceback.walk_stack(sys._getframe())]
    ours = [
        (code, line) for code, line in frames
        if code.co_filename.startswith((f"{REPOSITORY}/engine", f"{REPOSITORY}/partcraft"))
    ]  # fmt: skip
    # Shiboken looks at the source of each module that imports Qt.
    importing = any(
        name in code.co_filename for code, _ in frames for name in ("importlib._bootstrap", "shibokensupport")
    )
    if ours and not importing:  # a module that is imported late is code, not data
        where = " from ".join(
            f"{code.co_filename.removeprefix(str(REPOSITORY))}:{line} in {code.co_name}" for code, line in ours[:6]
        )
        for notes in _watching:
            notes.append(f"{what} {place} at {where}")


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in EVENTS:
        _note(event, arguments[0] if arguments else "")


sys.addaudithook(_hook)


@contextmanager
def file_access() -> Iterator[list[str]]:
    """While open: what this thread asks of the file system through our code, one line each, in order."""
    global _thread
    notes: list[str] = []
    _thread = threading.get_ident()
    real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in WRAPPED if hasattr(os, name)}

    def wrap(name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        def asked(path: Any, *more: Any, **named: Any) -> Any:
            _note(f"os.{name}", path)
            return ask(path, *more, **named)

        return asked

    for name, ask in real.items():
        setattr(os, name, wrap(name, ask))
    _watching.append(notes)
    try:
        yield notes
    finally:
        _watching.remove(notes)
        for name, ask in real.items():
            setattr(os, name, ask)
