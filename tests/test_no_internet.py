"""Nothing but a fetch that was agreed to speaks to the outside: window, wizard, render and doctor open no socket of the
internet, not in the engine's process, not in a library's native code either."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.core.paths import starter_pack
from tests.conftest import REPOSITORY
from tests.fakes import make_folder
from tests.internet_guard import Entry, guarded_environment, journal, kernel_can_refuse

PATIENCE_S = 600
PICTURE = REPOSITORY / "docs" / "window-light.png"


def run_guarded(folder: Path, home: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], Sequence[Entry], str]:
    """A guarded Python program to its end, the journal, and the tracebacks of those who asked for a socket."""
    environment = {**guarded_environment(folder), "PARTCRAFT_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}
    del environment["HF_HUB_OFFLINE"]  # as a person's computer has it; the hub's library would refuse by itself
    command = [sys.executable, "-P", *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return done, journal(folder), "".join(path.read_text() for path in sorted(folder.glob("*.traceback")))


ASKS = {
    "python": "import socket; socket.socket()",
    "native": "import ctypes; ctypes.CDLL(None).socket(10, 1, 0)",
    "qt": "from PySide6.QtNetwork import QTcpServer as S; S().listen()",
    "child": f"import subprocess; exit(subprocess.run([{sys.executable!r}, '-P', '-c', "
    "'import socket; socket.socket()']).returncode)",
}


@pytest.mark.skipif(not kernel_can_refuse(), reason="native code is stopped on Linux only")
@pytest.mark.parametrize("who", ASKS)
def test_the_guard_catches_whoever_asks(tmp_path: Path, who: str) -> None:
    done, entries, traceback = run_guarded(tmp_path / "guard", tmp_path, "-c", ASKS[who])
    assert done.returncode in (-signal.SIGSYS, 256 - signal.SIGSYS), done.stderr
    assert entries[0].event == "guarded" and "most recent call first" in traceback


def test_the_guard_hears_names_looked_up_and_lets_local_sockets_be(tmp_path: Path) -> None:
    place = "socket.AF_UNIX" if os.name == "posix" else "socket.AF_INET"
    code = f"import socket; a, b = socket.socketpair(); a.send(b'x'); {place}; socket.getaddrinfo('127.0.0.1', 80)"
    done, entries, traceback = run_guarded(tmp_path / "guard", tmp_path, "-c", code)
    assert done.returncode == 0 and not traceback, done.stderr
    assert [(entry.event, entry.local) for entry in entries] == [("guarded", True), ("socket.getaddrinfo", False)]


def quiet(entries: Sequence[Entry], traceback: str) -> None:
    assert not traceback
    assert not [entry for entry in entries if not entry.local]


needs_starter = pytest.mark.skipif(not starter_pack().is_dir(), reason="needs the starter models")


@pytest.mark.slow
@needs_starter
@pytest.mark.parametrize(
    "words",
    [["doctor"], ["render", "a <head:Cardinal> bird", "--steps", "1", "--out", "out"]],
    ids=["doctor", "render"],
)
def test_the_command_line_asks_for_no_socket(tmp_path: Path, words: list[str]) -> None:
    done, entries, traceback = run_guarded(tmp_path / "guard", tmp_path / "home", "-m", "engine", *words)
    quiet(entries, traceback)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@needs_starter
def test_a_whole_visit_asks_for_no_socket(tmp_path: Path) -> None:
    """The window opens, a creation is rendered, the wizard finds parts and measures a plan, models are listed."""
    folder = make_folder(tmp_path / "birds", ("Wren", "Kiwi"), 3)
    done, entries, traceback = run_guarded(
        tmp_path / "guard", tmp_path / "home", "-m", "tests.whole_visit", str(folder)
    )
    quiet(entries, traceback)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len({entry.pid for entry in entries}) >= 2, "the engine's process was guarded, too"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="ends the window by a signal")
def test_the_front_door_hands_a_file_on_without_one(tmp_path: Path) -> None:
    """A second start hands its files to the first by a local socket, and leaves."""
    home = tmp_path / "home"
    folder = tmp_path / "guard"
    environment = {**guarded_environment(folder), "PARTCRAFT_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}
    del environment["HF_HUB_OFFLINE"]
    command = [sys.executable, "-P", "-m", "partcraft_desktop"]
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as app:
        end = time.monotonic() + PATIENCE_S
        while not (folder / "journal.jsonl").is_file() or len({entry.pid for entry in journal(folder)}) < 2:
            assert app.poll() is None and time.monotonic() < end
            time.sleep(0.1)
        second = subprocess.run([*command, str(PICTURE)], cwd=folder, env=environment, check=False, timeout=PATIENCE_S)
        app.send_signal(signal.SIGTERM)
        _, said = app.communicate(timeout=PATIENCE_S)
    assert (second.returncode, app.returncode) == (0, 0), said
    quiet(journal(folder), "".join(path.read_text() for path in folder.glob("*.traceback")))
