"""Settings every test needs before anything heavy is imported."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Two cores are shared by the suite and the host processes it starts; nothing may ask a hub for files.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"

# A busy machine is no failure: nothing in the suite is judged by the clock.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own for each test, so that none sees the user's packs or another's."""
    folder = tmp_path / "home"
    monkeypatch.setenv("PARTCRAFT_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def garbage_stays_on_this_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """In tests with Qt, as in the app, no other thread frees a widget of an earlier test."""
    if not {"qapp", "qtbot"} & set(request.fixturenames):
        yield
        return
    from partcraft_desktop.app.garbage_collector import collect_if_due

    gc.disable()
    yield
    collect_if_due()
    gc.enable()


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
