"""How many cores the engine takes: all of them, or all but one where a window is open beside."""

from __future__ import annotations

import pytest
import torch

from engine.cli.console import JobRunner
from engine.handlers import open_models
from engine.worker.jobs import Prepare


def test_a_core_is_left_to_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", taken.append)
    for cores, launched in ((8, 1), (8, 3), (1, 1)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _pid, cores=cores: range(cores), raising=False)
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(launched))
        open_models(spare_core=False)
        open_models(spare_core=True)
    assert taken == [8, 7, 2, 2, 1, 1]


@pytest.mark.parametrize("spare_core", [False, True])
def test_the_command_line_says_whether_a_window_is_open(spare_core: bool) -> None:
    with JobRunner("tests.engine.few_handlers:HANDLERS", spare_core) as runner:
        assert str(runner.run(Prepare("pack"))).endswith("with a core to spare") == spare_core
