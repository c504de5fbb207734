"""Settings every test needs before anything heavy is imported."""

from __future__ import annotations

import faulthandler
import gc
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.stand_in_hub import StandIn, stand_in_hub

# Two cores are shared by the suite and the host processes it starts; nothing may ask a hub for files.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_CACHE"] = os.devnull  # whatever models this computer has, tests see none of them

# A busy machine is no failure: nothing in the suite is judged by the clock.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# What is landed was tried with these very examples; others are tried wherever somebody works.
settings.register_profile("landing", settings.get_profile("house"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


REPOSITORY = Path(__file__).resolve().parent.parent
CRASHES = "PARTCRAFT_TEST_CRASHES"
"""Names the folder where test processes that crash leave what each of their threads was doing."""


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """A test process that crashes says where: its own last words are lost among those of the others."""
    if (worker := os.environ.get("PYTEST_XDIST_WORKER")) is None:
        os.environ[CRASHES] = tempfile.mkdtemp(prefix="partcraft-crashes-")
        return
    last_words = Path(os.environ[CRASHES], f"{worker}-{os.getpid()}.txt").open("w")  # noqa: SIM115 - open to the end
    faulthandler.enable(last_words)
    config.add_cleanup(last_words.close)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what crashed processes left."""
    folder = os.environ.get(CRASHES, "")
    for file in sorted(Path(folder).glob("*.txt")) if folder else ():
        if words := file.read_text(errors="replace"):
            terminalreporter.section(f"crash of {file.stem}")
            terminalreporter.write_line(words)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own for each test, so that none sees the user's packs or another's."""
    folder = tmp_path / "home"
    monkeypatch.setenv("PARTCRAFT_HOME", str(folder))
    return folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The hub that huggingface_hub asks in this test. It reads the environment once, when it is imported."""
    from huggingface_hub import close_session

    with stand_in_hub(tmp_path / "hub") as played:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", played.address)
        template = played.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no token"))
        # The library asks for a list of programs, once a day and a process: a request that nobody asked for.
        monkeypatch.setattr("huggingface_hub.constants.AGENT_HARNESSES_PATH", str(tmp_path / "no list"))
        monkeypatch.setattr("huggingface_hub.utils._detect_agent._registry", None)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        close_session()
        yield played
        close_session()


@pytest.fixture(autouse=True)
def garbage_stays_on_this_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """From the first test with Qt on, as in the app, no other thread frees a widget, not between two tests either:
    threads of an earlier one may still end."""
    if {"qapp", "qtbot"} & set(request.fixturenames):
        gc.disable()
    yield
    if not gc.isenabled():
        from partcraft_desktop.app.garbage_collector import collect_if_due

        collect_if_due()


@contextmanager
def as_another_user(place: Path) -> Iterator[None]:
    """For a while, not root, who may enter any folder: ``place`` and what is in it are given to that user. Somebody who
    is not root stays who he is. Nothing can be imported meanwhile that lies in a folder of root's own."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        yield
        return
    modes = {path: path.stat().st_mode for path in place.parents if path.stat().st_mode & 0o5 != 0o5}
    try:
        for path in modes:
            path.chmod(0o755)
        for path in (place, *place.rglob("*")):
            os.chown(path, 65534, 65534)
        os.seteuid(65534)
        yield
    finally:
        os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)


def shared(folder: str) -> Path:
    """A folder of the data beside the project; the test is skipped where it is missing."""
    path = REPOSITORY.parent / "shared" / folder
    if not path.is_dir():
        pytest.skip(f"needs ../shared/{folder} beside the project")
    return path


@pytest.fixture(scope="session")
def golden() -> Path:
    """What the original computes on tiny random models."""
    return shared("golden")


@pytest.fixture(scope="session")
def photos() -> Path:
    """Ten real photographs, not shipped."""
    return shared("photos")
