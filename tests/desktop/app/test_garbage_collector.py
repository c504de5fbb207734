"""Cyclic garbage is collected on the Qt thread, and nowhere else."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

from pytestqt.qtbot import QtBot

from partcraft_desktop.app.garbage_collector import GarbageCollector
from tests.desktop.conftest import WAIT


class Ring:
    """Garbage that only the cyclic collector frees."""

    def __init__(self) -> None:
        self.me = self


def test_garbage_made_on_any_thread_is_freed_on_the_qt_thread(qtbot: QtBot) -> None:
    freed: list[int] = []

    def work() -> None:
        for _ in range(5000):
            weakref.finalize(Ring(), lambda: freed.append(threading.get_ident()))

    collector = GarbageCollector()
    try:
        with ThreadPoolExecutor(2) as pool:
            pool.submit(work).result()
            assert not freed and not gc.isenabled()
        qtbot.waitUntil(lambda: len(freed) > 1000, timeout=WAIT)
        assert set(freed) == {threading.get_ident()}
    finally:
        collector.close()
        assert not gc.isenabled(), "threads may still read"
