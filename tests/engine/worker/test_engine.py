"""The engine: one ending a job whatever happens, in both hosts; cancelling, killing, closing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil
import pytest

from engine.core.errors import UserError
from engine.core.paths import logs_dir
from engine.core.recipe import Recipe
from engine.packs.pack import Pack
from engine.worker.child_process import newest_key
from engine.worker.dispatch import failure_of
from engine.worker.engine import Engine
from engine.worker.hosts import ProcessHost
from engine.worker.inbox import Inbox
from engine.worker.jobs import (
    Cancelled,
    Discover,
    Ending,
    Evaluate,
    Event,
    Failed,
    Finished,
    Job,
    Measure,
    News,
    Prepare,
    Preview,
    Progress,
    Render,
    Rendered,
    Segment,
    Segmented,
    Train,
)
from tests.conftest import REPOSITORY
from tests.fakes import SCRIPT, make_pack, write_script

FAKES = "tests.fakes:HANDLERS"
PATIENCE = 60.0  # seconds until a test gives up; a loaded machine may need most of it


class Ear:
    """An outlet that remembers, and can be waited on."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._heard = threading.Condition()
        self.slow = 0.0

    def __call__(self, event: Event) -> None:
        time.sleep(self.slow)
        with self._heard:
            self.events.append(event)
            self._heard.notify_all()

    def until(self, true: Callable[[], Any]) -> Any:
        give_up = time.monotonic() + PATIENCE
        with self._heard:
            while not true():
                assert time.monotonic() < give_up, self.events
                self._heard.wait(0.05)
            return true()

    def news(self, job: int) -> list[News]:
        return [event.news for event in self.events if event.job == job]

    def endings(self, job: int) -> list[Ending]:
        return [news for news in self.news(job) if isinstance(news, Finished | Failed | Cancelled)]

    def ending(self, job: int) -> Ending:
        return self.until(lambda: self.endings(job))[0]

    def first(self, job: int, kind: type) -> News:
        return self.until(lambda: [news for news in self.news(job) if isinstance(news, kind)])[0]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return make_pack(tmp_path_factory.mktemp("pack"))


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    path = tmp_path / "script.json"
    monkeypatch.setenv(SCRIPT, str(write_script(path)))
    return lambda **jobs: write_script(path, **jobs) and None


@pytest.fixture(params=["thread", "process"])
def host(request: pytest.FixtureRequest) -> Literal["thread", "process"]:
    return request.param


@pytest.fixture
def engine(ear: Ear, host: Literal["thread", "process"], script: object) -> Iterator[Engine]:
    with Engine(ear, host, FAKES) as engine:
        yield engine


@pytest.fixture
def in_process(ear: Ear, script: object) -> Iterator[tuple[Engine, ProcessHost]]:
    host = ProcessHost(FAKES, grace=0.3)
    with Engine(ear, host, FAKES) as engine:
        yield engine, host


def segment(pack: Pack) -> Segment:
    return Segment(str(pack.path), pack.references[0].image)


def render(pack: Pack, out: Path, count: int = 1, steps: int = 3) -> Render:
    out.mkdir(exist_ok=True)
    return Render(str(pack.path), Recipe(pack.id, ("a bird",), count=count, steps=steps), str(out))


# Both hosts


def test_a_job_is_done_and_its_arrays_arrive(engine: Engine, ear: Ear, pack: Pack) -> None:
    job = engine.submit(segment(pack))
    ending = ear.ending(job)
    assert isinstance(ending, Finished) and isinstance(ending.result, Segmented)
    assert ending.result.segmentation.labels.shape == (128, 128)


def test_news_come_in_order_and_one_ending_is_last(engine: Engine, ear: Ear, pack: Pack, tmp_path: Path) -> None:
    job = engine.submit(render(pack, tmp_path / "out", count=2))
    ending = ear.ending(job)
    assert isinstance(ending, Finished)
    news = ear.news(job)
    assert news[-1] is ending
    done = [one.done for one in news if isinstance(one, Progress)]
    assert done == sorted(done)
    assert [one.creation for one in news if isinstance(one, Rendered)] == list(ending.result)
    assert all(Path(creation.path).is_file() for creation in ending.result)
    preview = ear.first(job, Preview)
    assert isinstance(preview, Preview) and preview.image.dtype == np.uint8


def test_jobs_run_in_the_order_given(engine: Engine, ear: Ear, pack: Pack) -> None:
    jobs = [engine.submit(segment(pack)) for _ in range(5)]
    ear.ending(jobs[-1])
    ended = [event.job for event in ear.events if isinstance(event.news, Finished)]
    assert ended == jobs == sorted(jobs)


def test_an_error_for_people_keeps_its_words(engine: Engine, ear: Ear, pack: Pack, script: Callable[..., None]) -> None:
    script(segment={"fail": ["It is broken.", "Mend it."]})
    assert ear.ending(engine.submit(segment(pack))) == Failed("It is broken.", "Mend it.", "")


def test_any_other_error_has_a_sentence_and_a_traceback(
    engine: Engine, ear: Ear, pack: Pack, script: Callable[..., None]
) -> None:
    script(segment={"raise": "oh dear"})
    ending = ear.ending(engine.submit(segment(pack)))
    assert isinstance(ending, Failed) and ending.hint
    assert "oh dear" not in ending.message and "RuntimeError: oh dear" in ending.details
    script()
    assert isinstance(ear.ending(engine.submit(segment(pack))), Finished)


def test_a_running_job_is_cancelled_and_the_next_one_works(
    engine: Engine, ear: Ear, pack: Pack, script: Callable[..., None], tmp_path: Path
) -> None:
    script(render={"delay": 0.02})
    job = engine.submit(render(pack, tmp_path / "out", steps=1000))
    ear.first(job, Preview)
    engine.cancel(job)
    assert ear.ending(job) == Cancelled()
    assert isinstance(ear.ending(engine.submit(segment(pack))), Finished)
    assert len(ear.endings(job)) == 1


def test_a_queued_job_is_cancelled_before_it_starts(
    engine: Engine, ear: Ear, pack: Pack, script: Callable[..., None], tmp_path: Path
) -> None:
    script(render={"delay": 0.02})
    first = engine.submit(render(pack, tmp_path / "out", steps=10))
    second = engine.submit(segment(pack))
    engine.cancel(second)
    assert isinstance(ear.ending(first), Finished)
    ear.ending(engine.submit(segment(pack)))
    assert ear.news(second) == [Cancelled()]


def test_cancelling_what_has_ended_or_never_was_does_nothing(engine: Engine, ear: Ear, pack: Pack) -> None:
    job = engine.submit(segment(pack))
    ear.ending(job)
    engine.cancel(job)
    engine.cancel(999)
    assert isinstance(ear.ending(engine.submit(segment(pack))), Finished)
    assert len(ear.endings(job)) == 1


def test_a_job_without_a_handler(ear: Ear, host: Literal["thread", "process"]) -> None:
    with Engine(ear, host, "tests.engine.few_handlers:HANDLERS") as engine:
        ending = ear.ending(engine.submit(Train("plan.json")))
    assert isinstance(ending, Failed) and "train" in ending.message


def test_handlers_that_cannot_be_imported_are_told(ear: Ear, host: Literal["thread", "process"]) -> None:
    with Engine(ear, host, "engine.no_such_module:HANDLERS") as engine:
        for _ in range(2):
            ending = ear.ending(engine.submit(Prepare("pack")))
            assert isinstance(ending, Failed) and "no_such_module" in ending.details


def test_a_handler_that_exits_only_ends_its_job(ear: Ear, host: Literal["thread", "process"]) -> None:
    with Engine(ear, host, "tests.engine.few_handlers:HANDLERS") as engine:
        assert isinstance(ear.ending(engine.submit(Discover("a", "b", 1, 1))), Failed)
        first = ear.ending(engine.submit(Prepare("pack")))
        assert isinstance(first, Finished)
        assert ear.ending(engine.submit(Prepare("pack"))) == first  # the models are opened once
        # The window's child process leaves it a core; the command line, which nobody draws beside, takes them all.
        assert str(first.result).endswith("with a core to spare") == (host == "process")


def test_a_result_that_cannot_travel_is_a_failure(ear: Ear) -> None:
    with Engine(ear, "process", "tests.engine.few_handlers:HANDLERS") as engine:
        assert isinstance(ear.ending(engine.submit(Evaluate("p", "o"))), Failed)
        assert isinstance(ear.ending(engine.submit(Prepare("pack"))), Finished)


def test_out_of_memory_has_a_next_step(ear: Ear, host: Literal["thread", "process"]) -> None:
    with Engine(ear, host, "tests.engine.few_handlers:HANDLERS") as engine:
        ending = ear.ending(engine.submit(Segment("p", "i")))
        assert isinstance(ending, Failed) and "memory" in ending.message and "smaller" in ending.hint
        assert isinstance(ear.ending(engine.submit(Prepare("pack"))), Finished)


@pytest.mark.parametrize(("kind", "again"), [("memory", False), ("device", False), ("", True)])
def test_a_process_is_replaced_for_the_kind_of_its_error_not_for_its_words(ear: Ear, kind: str, again: bool) -> None:
    host = ProcessHost("tests.engine.few_handlers:HANDLERS")
    with Engine(ear, host) as engine:
        ear.ending(engine.submit(Prepare("pack")))
        before = host.pid
        ending = ear.ending(engine.submit(Measure(kind)))
        assert isinstance(ending, Failed) and (ending.message, ending.kind) == ("Whatever this says.", kind)
        assert isinstance(ear.ending(engine.submit(Prepare("pack"))), Finished)
        assert (host.pid == before) is again


def test_the_kind_of_an_error_is_that_of_what_is_behind_it() -> None:
    told = UserError("There is no room for this.", "Make it smaller.")
    told.__cause__ = MemoryError()
    assert failure_of(told) == Failed("There is no room for this.", "Make it smaller.", kind="memory")
    assert failure_of(RuntimeError("CUDA error: an illegal memory access was encountered")).kind == "device"
    assert failure_of(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")).kind == "memory"
    assert failure_of(ValueError("not enough memory was said")).kind == ""
    ring = ValueError("one"), ValueError("two")
    ring[0].__cause__, ring[1].__cause__ = ring[1], ring[0]
    assert failure_of(ring[0]).kind == ""


def test_closing_ends_every_job(
    ear: Ear, host: Literal["thread", "process"], pack: Pack, script: Callable[..., None], tmp_path: Path
) -> None:
    script(render={"delay": 0.02})
    engine = Engine(ear, host, FAKES)
    jobs = [engine.submit(render(pack, tmp_path / "out", steps=1000)) for _ in range(3)]
    ear.first(jobs[0], Preview)
    engine.close()
    engine.close()
    assert [ear.endings(job) for job in jobs] == [[Cancelled()]] * 3
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit(segment(pack))
    engine.cancel(jobs[0])


def test_closing_at_once(ear: Ear, host: Literal["thread", "process"], pack: Pack) -> None:
    with Engine(ear, host, FAKES) as engine:
        job = engine.submit(segment(pack))
    assert len(ear.endings(job)) == 1


def test_an_outlet_that_fails_does_not_stop_the_engine(host: Literal["thread", "process"], pack: Pack) -> None:
    ear = Ear()

    def outlet(event: Event) -> None:
        ear(event)
        raise ValueError("a fault of the window")

    with Engine(outlet, host, FAKES) as engine:
        assert isinstance(ear.ending(engine.submit(segment(pack))), Finished)
        assert isinstance(ear.ending(engine.submit(segment(pack))), Finished)


# The child process


def test_a_killed_process_is_told_in_one_sentence_and_the_next_job_works(
    in_process: tuple[Engine, ProcessHost], ear: Ear, pack: Pack, script: Callable[..., None], tmp_path: Path
) -> None:
    engine, host = in_process
    script(render={"delay": 0.05})
    job = engine.submit(render(pack, tmp_path / "out", count=2, steps=20))
    ear.first(job, Rendered)
    assert host.pid
    os.kill(host.pid, signal.SIGKILL)
    ending = ear.ending(job)
    assert isinstance(ending, Failed) and ending.message.count(".") == 1 and "again" in ending.hint
    assert len(list((tmp_path / "out").glob("*.png"))) >= 1  # what was finished is kept
    script()
    assert isinstance(ear.ending(engine.submit(segment(pack))), Finished)
    assert len(ear.endings(job)) == 1


def test_a_process_killed_between_jobs_is_replaced_silently(
    in_process: tuple[Engine, ProcessHost], ear: Ear, pack: Pack
) -> None:
    engine, host = in_process
    ear.ending(engine.submit(segment(pack)))
    before = host.pid
    assert before
    os.kill(before, signal.SIGKILL)
    assert isinstance(ear.ending(engine.submit(segment(pack))), Finished)
    assert host.pid not in (None, before)


def test_a_job_that_kills_its_process_every_time_fails_every_time(
    in_process: tuple[Engine, ProcessHost], ear: Ear, pack: Pack, script: Callable[..., None]
) -> None:
    engine, _ = in_process
    script(segment={"crash": True})
    for _ in range(2):
        assert isinstance(ear.ending(engine.submit(segment(pack))), Failed)


def test_a_deaf_job_is_ended_for_real(
    in_process: tuple[Engine, ProcessHost], ear: Ear, pack: Pack, script: Callable[..., None]
) -> None:
    engine, host = in_process
    script(segment={"deaf": 1000})
    job = engine.submit(segment(pack))
    ear.first(job, Progress)
    before = host.pid
    engine.cancel(job)
    assert ear.ending(job) == Cancelled()
    script()
    assert isinstance(ear.ending(engine.submit(segment(pack))), Finished)
    assert host.pid != before


def test_closing_ends_a_deaf_job(ear: Ear, pack: Pack, script: Callable[..., None]) -> None:
    script(segment={"deaf": 1000})
    host = ProcessHost(FAKES, grace=0.3)
    engine = Engine(ear, host, FAKES)
    job = engine.submit(segment(pack))
    ear.first(job, Progress)
    pid = host.pid
    engine.close()
    assert ear.endings(job) == [Cancelled()]
    assert pid and not psutil.pid_exists(pid)


def test_a_slow_listener_sees_the_latest_preview(
    in_process: tuple[Engine, ProcessHost], ear: Ear, pack: Pack, tmp_path: Path
) -> None:
    engine, _ = in_process
    ear.slow = 0.01
    job = engine.submit(render(pack, tmp_path / "out", steps=5000))
    assert isinstance(ear.ending(job), Finished)
    assert len([one for one in ear.news(job) if isinstance(one, Preview)]) < 5000
    assert [one.done for one in ear.news(job) if isinstance(one, Progress)][-1] == 5000


def test_what_libraries_print_goes_to_the_log(ear: Ear, script: object) -> None:
    with Engine(ear, "process", "tests.engine.few_handlers:HANDLERS") as engine:
        ear.ending(engine.submit(Prepare("pack")))
    assert "printed by a handler" in (logs_dir() / "engine.log").read_text("utf-8")


def test_the_death_of_the_parent_ends_the_child(tmp_path: Path, pack: Pack) -> None:
    code = f"""
        import os, time
        from engine.worker.engine import Engine
        from engine.worker.hosts import ProcessHost
        from engine.worker.jobs import Segment
        host = ProcessHost({FAKES!r})
        engine = Engine(lambda event: print(host.pid, flush=True), host)
        engine.submit(Segment({str(pack.path)!r}, {pack.references[0].image!r}))
        time.sleep(1000)
    """
    path = write_script(tmp_path / "script.json", segment={"deaf": 1000})
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=REPOSITORY,
        env={**os.environ, SCRIPT: str(path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
    finally:
        parent.kill()
        parent.wait()
    child.wait(PATIENCE)


def test_whatever_happens_each_job_has_one_ending_and_nothing_after(
    in_process: tuple[Engine, ProcessHost], ear: Ear, pack: Pack, script: Callable[..., None], tmp_path: Path
) -> None:
    engine, host = in_process
    script(render={"delay": 0.01})
    generator = np.random.default_rng(0)
    jobs: list[int] = []
    for _ in range(25):
        job: Job = render(pack, tmp_path / "out", steps=5) if generator.random() < 0.7 else segment(pack)
        jobs.append(engine.submit(job))
        time.sleep(float(generator.random()) * 0.05)
        chance = generator.random()
        if chance < 0.3:
            engine.cancel(int(generator.choice(jobs)))
        elif chance < 0.45 and host.pid:
            os.kill(host.pid, signal.SIGKILL)
    for number in jobs:
        ear.ending(number)
    engine.close()
    for number in jobs:
        assert len(ear.endings(number)) == 1
        assert ear.news(number)[-1] is ear.endings(number)[0]


# Small things


def test_explain_passes_on_what_people_can_use() -> None:
    assert failure_of(UserError("A.", "B.")) == Failed("A.", "B.", "")
    assert "disk is full" in failure_of(OSError(28, "No space left on device")).message
    assert "memory" in failure_of(RuntimeError("CUDA out of memory. Tried to allocate")).message
    assert "memory" in failure_of(RuntimeError("DefaultCPUAllocator: can't allocate memory")).message


def test_an_inbox_keeps_the_latest_of_a_key_and_wakes_once() -> None:
    woken: list[int] = []
    box: Inbox[str] = Inbox(lambda: woken.append(1))
    for item, key in (("a", None), ("b1", "b"), ("c", None), ("b2", "b")):
        box.put(item, key)
    assert box.take() == ["a", "c", "b2"] and woken == [1]
    assert box.take() == [] and box.wait(0.0) == []
    box.put("d")
    assert box.wait() == ["d"] and woken == [1, 1]


def test_only_rough_news_replace_each_other() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    assert newest_key(Preview(0, picture)) == newest_key(Preview(0, picture)) != newest_key(Preview(1, picture))
    assert newest_key(Progress("a", 1, 2)) == newest_key(Progress("a", 2, 2))
    assert newest_key(Finished(None)) is None


def test_a_job_cancelled_while_the_engine_loads_does_not_cost_the_process(ear: Ear) -> None:
    host = ProcessHost("tests.engine.slow_handlers:HANDLERS", grace=0.1)
    with Engine(ear, host) as engine:
        job = engine.submit(Prepare("pack"))
        ear.until(lambda: host.pid)
        pid = host.pid
        engine.cancel(job)
        assert ear.ending(job) == Cancelled()
        assert ear.ending(engine.submit(Prepare("pack"))) == Finished("done")
        assert host.pid == pid


def test_closing_while_the_engine_loads_takes_two_seconds_at_most(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTCRAFT_TEST_LOADING", "30")
    host = ProcessHost("tests.engine.slow_handlers:HANDLERS")
    engine = Engine(ear, host)
    job = engine.submit(Prepare("pack"))
    pid = ear.until(lambda: host.pid)
    begin = time.monotonic()
    engine.close()
    assert time.monotonic() - begin < 2
    assert ear.endings(job) == [Cancelled()]
    assert not psutil.pid_exists(pid)
