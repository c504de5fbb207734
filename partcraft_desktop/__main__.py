"""The front door: without arguments, or with files, the app; with other arguments, the command line."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engine.core.on_disk import exists

COMMANDS: Final = (
    "segment", "render", "collage", "sheet", "discover", "train", "runs", "evaluate", "packs", "models", "doctor",
    "help",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window, run the command line, or (with a hidden word) be the engine's host. The exit code."""
    multiprocessing.freeze_support()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not _are_files(arguments):
        from engine.__main__ import main as command_line

        return command_line(arguments)
    if not _has_screen():
        print(
            "PartCraft needs a screen, and none was found: start it from a desktop, or use `partcraft render`.",
            file=sys.stderr,
        )
        return 2
    return _open_window([str(Path(path).absolute()) for path in arguments])


def _are_files(arguments: Sequence[str]) -> bool:
    """Whether all arguments are files or folders to open; a name of a command never is, a path always is."""
    return not any(argument.startswith("-") or argument in COMMANDS for argument in arguments) and all(
        exists(argument) or os.sep in argument or Path(argument).suffix for argument in arguments
    )


def _has_screen() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    without = ("offscreen", "minimal", "vnc", "linuxfb", "eglfs")
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) or platform in without


def _open_window(paths: list[str]) -> int:
    """Hand the files to a copy that already runs, or open the window and stay until it is closed."""
    from engine.core.errors import UserError
    from engine.core.paths import data_dir
    from partcraft_desktop.app.single_instance import SingleInstance, become_first

    try:
        home = data_dir()
    except UserError as error:
        print(f"PartCraft: {error}", file=sys.stderr)
        return 1
    lock = become_first(home, paths)
    if lock is None:
        return 0

    # All that the window needs is imported before Qt starts, so that it is painted at once when it does.
    import qasync
    from PySide6.QtWidgets import QApplication

    from engine.packs.library import PackLibrary
    from engine.worker.engine import Engine
    from partcraft_desktop.app.background import BackgroundReader
    from partcraft_desktop.app.garbage_collector import GarbageCollector
    from partcraft_desktop.app.session import Session
    from partcraft_desktop.app.settings import Settings
    from partcraft_desktop.app.termination import close_on_signals, leave_hanging_threads
    from partcraft_desktop.widgets.theme import Theme
    from partcraft_desktop.window.main_window import MainWindow

    app = QApplication(sys.argv[:1])
    app.setApplicationName("PartCraft")
    app.setApplicationDisplayName("PartCraft")
    app.setDesktopFileName("partcraft")
    garbage = GarbageCollector()
    first = SingleInstance(home)
    settings = Settings(home)
    theme = Theme(app, settings)
    readers = BackgroundReader()
    session = Session(PackLibrary(), settings, readers, lambda outlet: Engine(outlet, host="process"))
    session.begin()
    window = MainWindow(session, readers)
    window.painted.connect(session.start_engine)
    # One loop for Qt and asyncio, not made the policy of the process: the engine's thread has a loop of its own.
    loop = qasync.QEventLoop(app)
    closed = loop.create_future()
    app.setQuitOnLastWindowClosed(False)
    window.closed.connect(lambda: closed.done() or closed.set_result(None))
    first.asked.connect(window.open_paths)
    first.asked.connect(window.come_forward)
    signals = close_on_signals(window.close)
    window.show()
    window.open_paths(paths)
    with loop:
        loop.run_until_complete(closed)
    session.keep()
    first.close()
    lock.release()
    session.shutdown()
    garbage.close()
    del signals, theme
    leave_hanging_threads(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
