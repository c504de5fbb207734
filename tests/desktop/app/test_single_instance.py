"""Starts at the same moment: one window, and it has everybody's files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from engine.core.atomic_files import read_json
from partcraft_desktop.app.single_instance import LOCK, InstanceLock, SingleInstance, become_first
from tests import fakes
from tests.conftest import REPOSITORY
from tests.desktop.conftest import WAIT

START = (
    "import sys\nfrom pathlib import Path\n"
    "from partcraft_desktop.app.single_instance import become_first\n"
    "print('started', flush=True)\n"
    "lock = become_first(Path(sys.argv[1]), sys.argv[2:])\n"
    "sys.exit(0 if lock is None else 3)"
)


@pytest.fixture
def short() -> Iterator[Path]:
    """A home whose socket's path is short enough."""
    with tempfile.TemporaryDirectory(prefix="pc-") as folder:
        yield Path(folder)


def start(home: Path, *files: str) -> subprocess.Popen[str]:
    """A copy of the app in its first moment, up to where it knows whether it is the one."""
    command = [sys.executable, "-c", START, str(home), *files]
    second = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert second.stdout is not None and second.stdout.readline() == "started\n"
    return second


def test_a_lock_is_had_once_and_again_after_its_release(short: Path) -> None:
    first, second = InstanceLock(short), InstanceLock(short)
    assert first.take() and not second.take()
    first.release()
    assert second.take()
    second.release()


def test_a_home_that_takes_no_lock_still_gets_its_window(short: Path) -> None:
    (short / LOCK).mkdir()
    assert become_first(short, []) is not None


def test_a_copy_that_starts_slowly_is_waited_for(short: Path, qtbot: QtBot) -> None:
    lock = become_first(short, [])
    assert lock is not None
    seconds = [start(short, f"/a/{number}.png") for number in range(2)]
    first = SingleInstance(short)  # only now it listens
    asked: list[str] = []
    first.asked.connect(asked.extend)
    qtbot.waitUntil(lambda: all(second.poll() is not None for second in seconds), timeout=WAIT)
    assert [second.returncode for second in seconds] == [0, 0]
    assert sorted(asked) == ["/a/0.png", "/a/1.png"]
    first.close()
    lock.release()


def test_after_a_copy_that_ends_the_next_is_the_one(short: Path, qtbot: QtBot) -> None:
    lock = become_first(short, [])
    assert lock is not None
    second = start(short, "/a.png")
    lock.release()
    qtbot.waitUntil(lambda: second.poll() is not None, timeout=WAIT)
    assert second.returncode == 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="ends the app by a signal")
def test_three_starts_at_once_are_one_window_with_all_their_pictures(short: Path, qtbot: QtBot, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for number, file in enumerate(files):
        fakes.sketch_bird(number)[0].save(file)
    environment = dict(os.environ, PARTCRAFT_HOME=str(short), QT_QPA_PLATFORM="offscreen")
    command = [sys.executable, "-m", "partcraft_desktop"]
    copies = [subprocess.Popen([*command, str(file)], cwd=REPOSITORY, env=environment) for file in files]
    try:
        qtbot.waitUntil(lambda: [copy.poll() for copy in copies].count(0) == 2, timeout=12 * WAIT)
        own = {str(file) for file in files}
        qtbot.waitUntil(lambda: set(read_json(short / "session.json").get("own", ())) == own, timeout=12 * WAIT)
        (last,) = (copy for copy in copies if copy.poll() is None)
        last.send_signal(signal.SIGTERM)
        assert last.wait(60) == 0
    finally:
        for copy in copies:
            copy.kill()
            copy.wait()
    assert json.loads((short / "session.json").read_text("utf-8"))["version"] == 1
