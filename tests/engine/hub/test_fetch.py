"""A model is fetched whole, or one sentence says why not and the next fetch goes on from there."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path

import httpx2
import pytest

from engine.core.errors import UserError
from engine.core.model_places import cached_folders, is_unfinished
from engine.core.paths import models_dir
from engine.hub.fetch import Fetching, discard, fetch, offer
from engine.hub.patience import Patience
from engine.hub.records import mark_unfinished, part_file, record_of, records_in, unfinished_fetches
from engine.hub.repository import TokenWanted
from tests.stand_in_hub import COMMIT, TOKEN, StandIn

ID = "somebody/eyes"
WEIGHTS = random.Random(0).randbytes(50_000)
FILES = {"config.json": b'{"model_type": "dinov2"}', "model.safetensors": WEIGHTS, "README.md": b"# Eyes"}


@pytest.fixture
def model(hub: StandIn) -> StandIn:
    hub.put(ID, FILES)
    return hub


def fetched(patience: Patience) -> Path:
    return fetch(offer(ID, patience=patience), patience=patience, tick=0.005)


def told(patience: Patience) -> UserError:
    with pytest.raises(UserError) as caught:
        fetched(patience)
    assert caught.value.hint and "Error" not in caught.value.message
    return caught.value


def require_whole(folder: Path) -> None:
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert (folder / "config.json").read_bytes() == FILES["config.json"]
    assert not list(folder.rglob("*.incomplete")) and not is_unfinished(folder) and unfinished_fetches() == []


@pytest.mark.parametrize("status", [429, 503])
def test_kept_is_said_only_of_what_was_fetched(model: StandIn, quick: Patience, status: int) -> None:
    model.statuses = [status] * 9
    assert "kept" not in told(quick).hint, "it was only asked what there is"
    model.statuses = []
    asked = offer(ID, patience=quick)
    model.statuses = [status] * 9
    with pytest.raises(UserError) as caught:
        fetch(asked, patience=quick, tick=0.005)
    assert "kept" not in caught.value.hint and "again" in caught.value.hint
    model.statuses, model.cut_at, model.cuts = [], 0.0, 9
    assert "kept" in told(quick).hint, "the small files came"


def test_what_it_takes_is_said_before_a_byte_comes(model: StandIn, quick: Patience) -> None:
    model.head = {"cardData": {"license": "apache-2.0"}}
    asked = offer(ID, patience=quick)
    assert asked.size == len(WEIGHTS) + len(FILES["config.json"]) and asked.here == 0 < asked.free
    assert asked.repository.license == "apache-2.0" and asked.repository.revision == COMMIT
    assert asked.folder == models_dir() / ID and not models_dir().exists() and not model.fetched


def test_it_comes_whole_and_once(model: StandIn, quick: Patience) -> None:
    folder = fetched(quick)
    require_whole(folder)
    record = record_of(folder, "model.safetensors")
    assert set(records_in(folder)) == {"config.json", "model.safetensors"}
    assert record is not None and record.commit == COMMIT and not (folder / "README.md").exists()
    files = [f"/{ID}/resolve/{COMMIT}/{name}" for name in ("config.json", "model.safetensors")]
    assert model.log == [f"/api/models/{ID}", *files], "nothing else was asked for"
    require_whole(fetched(quick))
    assert len(model.fetched) == 2, "nothing is fetched twice"


def test_cut_at_ninety_percent_it_goes_on_from_there(model: StandIn, quick: Patience) -> None:
    model.cut_at, model.cuts = 0.9, 1
    require_whole(fetched(quick))
    assert [line.partition(" ")[2] for line in model.fetched if "safetensors" in line] == ["", "bytes=45000-"]


def test_a_line_that_is_always_cut_is_told_and_gone_on_with_next_time(model: StandIn, quick: Patience) -> None:
    model.cut_at, model.cuts = 0.0, 99
    assert "connection broke" in told(quick).message
    model.cut_at, model.cuts = 0.9, 1
    model.silent_after = 1
    with pytest.raises(UserError, match="connection broke"):
        fetched(Patience(tries=0, silence=0.2))
    assert [(one.id, one.here) for one in unfinished_fetches()] == [(ID, 45_000 + len(FILES["config.json"]))]
    folder = models_dir() / ID
    assert is_unfinished(folder) and not (folder / "model.safetensors").exists()
    model.cuts = model.silent_after = 0
    model.log.clear()
    require_whole(fetched(Patience()))
    assert model.fetched == [f"/{ID}/resolve/{COMMIT}/model.safetensors bytes=45000-"]
    assert unfinished_fetches() == []


def test_wrong_bytes_are_never_taken(model: StandIn, quick: Patience) -> None:
    model.wrong_bytes = True
    assert "is not what it announces" in told(quick).message
    assert not list(models_dir().rglob("*model.safetensors*")) and is_unfinished(models_dir() / ID)
    model.wrong_bytes = False
    require_whole(fetched(quick))


def test_a_wrong_digest_is_never_taken(model: StandIn, quick: Patience) -> None:
    model.wrong_digest = True
    assert "is not what it announces" in told(quick).message
    assert len([line for line in model.fetched if "safetensors" in line]) == 2, "once more, then no more"


def test_a_part_that_is_not_the_files_is_thrown_away(model: StandIn, quick: Patience) -> None:
    asked = offer(ID, patience=quick)
    part = part_file(asked.folder, next(file for file in asked.files if file.path == "model.safetensors"))
    part.parent.mkdir(parents=True)
    part.write_bytes(b"?" * 20_000)
    require_whole(fetched(quick))
    part.write_bytes(b"?" * 90_000)
    (asked.folder / "model.safetensors").unlink()
    require_whole(fetched(quick))


@pytest.mark.parametrize("retry_after", ["0", formatdate(0, usegmt=True), ""])
def test_it_waits_as_long_as_it_is_asked_to(model: StandIn, quick: Patience, retry_after: str) -> None:
    asked = offer(ID, patience=quick)
    model.statuses, model.retry_after = [429, 503], retry_after
    require_whole(fetch(asked, patience=quick, tick=0.005))


def test_waiting_is_seen(model: StandIn) -> None:
    patience = Patience(first=0.1)
    asked = offer(ID, patience=patience)
    model.statuses = [503]
    seen: list[Fetching] = []
    require_whole(fetch(asked, seen.append, patience, tick=0.005))
    assert any(one.resting for one in seen) and not seen[-1].resting


def test_a_wait_of_hours_is_told(model: StandIn, quick: Patience) -> None:
    model.statuses, model.retry_after = [429], "7200"
    error = told(quick)
    assert "fewer requests" in error.message and "2.0 h" in error.hint and len(model.log) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_hub_in_trouble_is_told(model: StandIn, quick: Patience, status: int) -> None:
    model.statuses = [status] * 3
    assert str(status) in told(quick).message or status == 429
    assert not model.statuses
    asked = offer(ID, patience=Patience())
    model.statuses = [status] * 3
    with pytest.raises(UserError):
        fetch(asked, patience=Patience(tries=2, first=0, silence=5), tick=0.005)
    require_whole(fetched(Patience()))


def test_a_slow_drip_comes_whole(model: StandIn, quick: Patience) -> None:
    model.drip = 0.03
    seen: list[Fetching] = []
    require_whole(fetch(offer(ID, patience=quick), seen.append, quick, tick=0.01))
    assert [one.done for one in seen] == sorted(one.done for one in seen)
    middle = [one for one in seen if one.speed and one.left]
    assert middle and all(one.total == len(WEIGHTS) + len(FILES["config.json"]) for one in seen)


@pytest.mark.parametrize("redirects", [False, True])
def test_a_range_that_is_ignored_does_not_spoil_the_file(model: StandIn, quick: Patience, redirects: bool) -> None:
    model.ignores_range, model.redirects, model.cut_at, model.cuts = True, redirects, 0.9, 1
    require_whole(fetched(quick))


def test_a_redirect_is_followed_and_asked_for_anew(model: StandIn, quick: Patience) -> None:
    model.redirects, model.cut_at, model.cuts = True, 0.5, 2
    require_whole(fetched(quick))
    assert sum("/elsewhere/" in line for line in model.fetched) == 4


def test_a_gated_model_names_licence_and_token(
    model: StandIn, quick: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.gated = True
    error = told(quick)
    assert "licence" in error.message and f"{model.address}/{ID}" in error.hint and "HF_TOKEN" in error.hint
    assert isinstance(error, TokenWanted)
    monkeypatch.setenv("HF_TOKEN", "hf_of_another")
    assert "licence" in told(quick).message
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert offer(ID).repository.gated
    require_whole(fetched(quick))


def test_an_unknown_model_or_revision_is_told(model: StandIn, quick: Patience) -> None:
    with pytest.raises(UserError, match="knows no somebody/else"):
        offer("somebody/else", patience=quick)
    with pytest.raises(UserError, match="no revision v9"):
        offer(ID, "v9", quick)
    with pytest.raises(UserError, match="no name of a model"):
        offer("a/b/c/d", patience=quick)
    assert offer(ID, "v1", quick).repository.revision == COMMIT


def test_a_file_that_went_away_meanwhile_is_told(model: StandIn, quick: Patience) -> None:
    asked = offer(ID, patience=quick)
    (model.root / ID / "model.safetensors").unlink()
    with pytest.raises(UserError, match="is gone from the hub"):
        fetch(asked, patience=quick, tick=0.005)


def test_a_disk_without_room_is_told_before_a_byte_comes(model: StandIn, quick: Patience) -> None:
    model.claims = 10**15
    error = told(quick)
    assert "1000000.1 GB more of disk" in error.message and "Make room" in error.hint and not model.fetched


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk")
def test_a_full_disk_is_told_and_what_came_is_kept(
    model: StandIn, quick: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=66m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("only the superuser may mount a small disk")
    try:
        monkeypatch.setenv("PARTCRAFT_HOME", str(disk))
        asked = offer(ID, patience=quick)
        other = disk / "something else"
        other.write_bytes(b"1" * (asked.free - 30_000))
        with pytest.raises(UserError, match="The disk is full") as caught:
            fetch(asked, patience=quick, tick=0.005)
        assert "goes on from there" in caught.value.hint
        assert 0 < sum(file.stat().st_size for file in asked.folder.rglob("*.incomplete")) < len(WEIGHTS)
        other.unlink()
        require_whole(fetched(quick))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_stopping_is_at_once_although_the_server_is_silent(model: StandIn) -> None:
    class ChangedMind(BaseException):
        pass

    def report(far: Fetching) -> None:
        if far.done >= 30_000:
            raise ChangedMind

    model.silent_after = 30_000
    asked = offer(ID)
    began = time.monotonic()
    with pytest.raises(ChangedMind):
        fetch(asked, report, tick=0.005)
    assert not [thread for thread in threading.enumerate() if thread.name == "fetch"], "nothing goes on behind"
    assert time.monotonic() - began < Patience().silence / 2
    model.silent_after = 0
    model.log.clear()
    require_whole(fetched(Patience()))
    assert "bytes=30000-" in model.fetched[0]


def test_thrown_away_leaves_nothing_but_what_was_there_before(model: StandIn, quick: Patience) -> None:
    model.cut_at, model.cuts = 0.5, 1
    with pytest.raises(UserError):
        fetched(Patience(tries=0))
    discard(ID)
    assert not (models_dir() / ID).exists() and unfinished_fetches() == []
    folder = models_dir() / ID
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    model.cuts = 1
    with pytest.raises(UserError):
        fetched(Patience(tries=0))
    discard(ID)
    assert [path.name for path in folder.rglob("*")] == ["notes.txt"]


def test_somebodys_own_file_is_taken_or_left_never_replaced(model: StandIn, quick: Patience) -> None:
    folder = models_dir() / ID
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    (folder / "config.json").write_bytes(b"{}")
    error = told(quick)
    assert "was not fetched by this program" in error.message and (folder / "config.json").read_bytes() == b"{}"
    (folder / "config.json").unlink()
    require_whole(fetched(quick))
    assert not [line for line in model.fetched if "safetensors" in line], "it was there already"
    model.put(ID, {"new.txt": b""})
    mark_unfinished(folder, ID, COMMIT, offer(ID, patience=quick).files)
    discard(ID)
    assert [path.name for path in folder.iterdir()] == ["model.safetensors"], "and stays there"


def test_a_fetched_file_that_was_damaged_is_fetched_again(model: StandIn, quick: Patience) -> None:
    folder = fetched(quick)
    for damaged in (WEIGHTS[:-1], WEIGHTS[::-1]):
        (folder / "model.safetensors").write_bytes(damaged)
        require_whole(fetched(quick))
    assert len(model.fetched) == 4


def test_another_revision_replaces_the_one_here_only_when_all_of_it_is(model: StandIn, quick: Patience) -> None:
    folder = fetched(quick)
    model.put(ID, {"model.safetensors": WEIGHTS[::-1], "preprocessor_config.json": b"{}"})
    model.cut_at, model.cuts = 0.5, 99
    with pytest.raises(UserError, match="connection broke"):
        fetched(Patience(tries=0))
    assert not is_unfinished(folder) and (folder / "model.safetensors").read_bytes() == WEIGHTS, "usable as it was"
    assert [one.here for one in unfinished_fetches()] == [25_000 + len(FILES["config.json"])]
    discard(ID)
    require_whole(folder)
    with pytest.raises(UserError, match="connection broke"):
        fetched(Patience(tries=0))
    model.cuts = 0
    fetched(quick)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS[::-1] and unfinished_fetches() == []
    assert (folder / "preprocessor_config.json").read_bytes() == b"{}"


def test_where_nothing_came_nothing_waits(model: StandIn, quick: Patience) -> None:
    asked = offer(ID, patience=quick)
    model.gated = True
    with pytest.raises(UserError, match="licence"):
        fetch(asked, patience=quick, tick=0.005)
    assert unfinished_fetches() == [] and not (models_dir() / ID).exists()


def test_what_the_cache_has_is_not_fetched(model: StandIn, quick: Patience, tmp_path: Path) -> None:
    asked = offer(ID, patience=quick)
    weights = next(file for file in asked.files if file.path == "model.safetensors")
    home = tmp_path / "cache" / "models--somebody--eyes"
    (home / "blobs").mkdir(parents=True)
    (home / "blobs" / weights.digest).write_bytes(WEIGHTS)
    (home / "snapshots" / COMMIT).mkdir(parents=True)
    require_whole(fetched(quick))
    assert not [line for line in model.fetched if "safetensors" in line]
    assert cached_folders(ID) == [home / "snapshots" / COMMIT]
    assert (home / "blobs" / weights.digest).read_bytes() == WEIGHTS


def test_two_do_not_fetch_the_same_at_once(model: StandIn, quick: Patience) -> None:
    asked = offer(ID, patience=quick)
    errors: list[str] = []

    def report(far: Fetching) -> None:
        if not errors:
            with pytest.raises(UserError) as caught:
                fetch(asked, patience=Patience(), tick=0.005)
            errors.append(caught.value.message)

    model.drip = 0.02
    require_whole(fetch(asked, report, quick, tick=0.005))
    assert errors == [f"{ID} is being fetched already."]


def test_offline_stays_offline(model: StandIn, quick: Patience, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = offer(ID, patience=quick)
    model.log.clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="stay offline") as caught:
        offer(ID, patience=quick)
    assert "HF_HUB_OFFLINE" in caught.value.hint
    with pytest.raises(UserError, match="stay offline"):
        fetch(asked, patience=quick, tick=0.005)
    assert model.log == []


def test_no_hub_within_reach_is_told(model: StandIn, quick: Patience, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    error = told(quick)
    assert "127.0.0.1 could not be reached" in error.message and "Check the connection" in error.hint


def test_a_page_that_is_no_hub_is_told(model: StandIn, quick: Patience) -> None:
    model.head = {"siblings": [{"rfilename": "model.safetensors"}]}
    assert "is no hub" in told(quick).message
    model.head = {"sha": "<html>"}
    assert "is no hub" in told(quick).message


def test_names_that_lead_elsewhere_are_left_out(model: StandIn, quick: Patience) -> None:
    described = httpx2.get(f"{model.address}/api/models/{ID}", trust_env=False).json()
    evil = [{**described["siblings"][0], "rfilename": name} for name in ("../config.json", "/config.json", "a\\b")]
    model.head = {"siblings": [*described["siblings"], *evil]}
    assert {file.path for file in offer(ID, patience=quick).repository.files} == set(FILES)


def test_a_proxy_is_asked(model: StandIn, quick: Patience, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in is the proxy of a hub that is not there: it gets the whole address."""
    monkeypatch.setenv("HTTP_PROXY", model.address)
    monkeypatch.setenv("http_proxy", model.address)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://hub.invalid")
    assert offer(ID, patience=quick).repository.revision == COMMIT


def test_damaged_notes_of_a_fetch_are_none(home: Path) -> None:
    note = models_dir() / ID / ".cache" / "partcraft" / "unfinished.json"
    note.parent.mkdir(parents=True)
    for text in ("", "{", json.dumps({"id": ID, "revision": COMMIT, "files": [["../x", 1, "a" * 40]]})):
        note.write_text(text)
        assert unfinished_fetches() == []
