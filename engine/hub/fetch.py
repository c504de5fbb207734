"""A model from the hub into the models folder: what it takes is said first, then it is fetched, or gone on with."""

from __future__ import annotations

import collections
import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from engine.core.atomic_files import make_folder, system_fault
from engine.core.errors import UserError
from engine.core.model_places import is_unfinished, model_candidates
from engine.core.on_disk import exists, is_empty_folder, is_file, is_folder, resolved, size_of
from engine.core.paths import models_dir
from engine.hub.cache import cached_file
from engine.hub.catalogue import pinned_revision
from engine.hub.faults import no_room
from engine.hub.file_choice import choose_files
from engine.hub.look_up import look_up
from engine.hub.patience import PATIENT, Patience, Stopped, Waiting
from engine.hub.records import (
    forget_license,
    forget_record,
    is_here,
    keep_license,
    keep_record,
    known_digest,
    mark_finished,
    mark_unfinished,
    part_file,
    record_of,
    unfinished_files,
)
from engine.hub.repository import HubFile, Repository, digest_of
from engine.hub.transfer import fetch_file

_SPARE: Final = 64 << 20
"""Bytes of disk that stay free."""
_WINDOW: Final = 10.0
"""Seconds over which the speed is measured."""
_BLOCK: Final = 4 << 20


@dataclass(frozen=True)
class Offer:
    """What fetching a model would take, told before a byte of it is fetched: the model, the files, the folder they go
    to, how many of their bytes are there already, and how many are free on that disk."""

    repository: Repository
    files: tuple[HubFile, ...]
    folder: Path
    here: int
    free: int

    @property
    def size(self) -> int:
        """All bytes of the files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Fetching:
    """How far a fetch is: bytes here and in all, bytes a second lately (0: not known yet), the file under way, and
    whether it waits just now before it asks the hub again (``resting``)."""

    done: int
    total: int
    speed: float
    file: str
    resting: bool = False

    @property
    def left(self) -> float | None:
        """Seconds that are left at this speed; None if that is not known yet."""
        return (self.total - self.done) / self.speed if self.speed else None


def offer(id: str, revision: str = "", patience: Patience = PATIENT) -> Offer:
    """Ask the hub what fetching a model would take. ``revision`` empty: the one the catalogue names, else the newest.
    Raises :class:`UserError`."""
    repository = look_up(id, revision or pinned_revision(id), patience)
    files = choose_files(repository)
    folder = models_dir() / id
    here = sum(file.size if is_here(folder, file) else size_of(part_file(folder, file)) for file in files)
    return Offer(repository, files, folder, here, _free(folder))


def fetch(
    asked: Offer,
    report: Callable[[Fetching], None] = lambda _far: None,
    patience: Patience = PATIENT,
    tick: float = 0.25,
) -> Path:
    """Fetch a model as it was offered; its folder, which is elsewhere if another program has all of it.

    ``report`` is told how far it is every ``tick`` seconds and may raise, which ends the fetch at once. What came is
    kept, and the next fetch goes on from there. Raises :class:`UserError`.
    """
    if (there := already_at(asked)) is not None:
        return there
    require_room([asked], asked.repository.id)
    make_folder(asked.folder / ".cache" / "partcraft", "the model")
    with _alone(asked):
        waiting = Waiting(patience)
        work = _Work(asked, waiting)
        thread = threading.Thread(target=work.run, name="fetch", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(tick)
                report(work.far())
        finally:
            waiting.stop()
            thread.join(2)
    if not work.whole:
        if work.far().done == 0:
            discard(asked.repository.id)  # nothing came: nothing waits to be gone on with
        raise work.error or Stopped
    return asked.folder


def already_at(asked: Offer) -> Path | None:
    """Where another program has all files of a model, as the hub says they are; None if nowhere. Files of which nobody
    kept the digest are read."""
    places = [place for place in model_candidates(asked.repository.id) if place != resolved(asked.folder)]
    return next((place for place in places if all(_holds(place, file) for file in asked.files)), None)


def _holds(place: Path, file: HubFile) -> bool:
    path = place / file.path
    if size_of(path) != file.size or not is_file(path):
        return False
    try:
        return (known_digest(place, file.path) or digest_of(path, file.digest)) == file.digest
    except OSError:  # it may not be read
        return False


def discard(id: str) -> None:
    """Throw away what an unfinished fetch has brought. What was there before, or was not fetched, stays. Raises
    :class:`UserError`."""
    folder = models_dir() / id
    notes = folder / ".cache"
    usable = not is_unfinished(folder)
    try:
        for file in unfinished_files(folder):
            part_file(folder, file).unlink(missing_ok=True)
            if is_here(folder, file) and not usable:
                (folder / file.path).unlink()
                forget_record(folder, file)
            for place in (part_file(folder, file).parent, (folder / file.path).parent):
                _remove_empty(place, folder)
        mark_finished(folder)
        if not usable:
            forget_license(folder)
        (notes / "partcraft" / "lock").unlink(missing_ok=True)
        for place in (notes / "partcraft", notes / "huggingface" / "download", folder):
            _remove_empty(place, models_dir())
    except OSError as error:
        raise system_fault(error, folder, "the model") from error


def _remove_empty(place: Path, root: Path) -> None:
    """Remove a folder and those above it, below ``root``, as far as they are empty."""
    while place != root and is_empty_folder(place):
        place.rmdir()
        place = place.parent


class _Work:
    """The fetch itself, on a thread of its own, so that whoever waits for it can leave at once."""

    def __init__(self, asked: Offer, waiting: Waiting) -> None:
        self.error: BaseException | None = None
        self.whole = False
        self._offer, self._waiting = asked, waiting
        self._done = asked.here
        self._file = ""
        self._lately: collections.deque[tuple[float, int]] = collections.deque()
        self._fresh = 0

    def far(self) -> Fetching:
        """How far it is. To be asked from one thread only."""
        now = time.monotonic()
        self._lately.append((now, self._fresh))
        while now - self._lately[0][0] > _WINDOW:
            self._lately.popleft()
        (then, before), seconds = self._lately[0], now - self._lately[0][0]
        speed = max(0, self._fresh - before) / seconds if seconds > 0 and then < now else 0.0
        return Fetching(self._done, self._offer.size, speed, self._file, self._waiting.resting)

    def run(self) -> None:
        """Fetch file after file: ``whole`` at the end, or else ``error`` says why not."""
        try:
            self._run()
            self.whole = True
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            self.error = error

    def _run(self) -> None:
        folder, repository, files = self._offer.folder, self._offer.repository, self._offer.files
        # Another revision of what is here: that stays usable until all of the new is here.
        usable = not is_unfinished(folder) and any(exists(folder / file.path) for file in files)
        mark_unfinished(folder, repository.id, repository.revision, files, usable)
        waiting: list[HubFile] = []
        for file in files:
            self._file = file.path
            if not self._is_in_place(folder, file):
                self._bring(folder, file)
                waiting.append(file)
            if not usable:
                self._put_in_place(folder, waiting)
        if waiting:
            mark_unfinished(folder, repository.id, repository.revision, files)
        self._put_in_place(folder, waiting)
        keep_license(folder, repository.license)
        mark_finished(folder)

    def _is_in_place(self, folder: Path, file: HubFile) -> bool:
        """Whether a file is in its place and, read once more, the hub's. Raises :class:`UserError` for one that was not
        fetched and is another."""
        self._waiting.check()
        place = folder / file.path
        known = record_of(folder, file.path)
        if not exists(place):
            return False
        try:
            same = size_of(place) == file.size and self._digest(place, file) == file.digest
        except OSError as error:
            raise system_fault(error, place, "the model") from error
        if not same and known is None:
            raise UserError(
                f"{place} is another file than the hub's, and was not fetched by this program.",
                "Move it elsewhere, then fetch the model again.",
            )
        if same and known is None:
            self._done += file.size
        elif not same and is_here(folder, file):  # damaged since
            forget_record(folder, file)
            self._done -= file.size
        return same

    def _bring(self, folder: Path, file: HubFile) -> None:
        """See that a file is whole beside its place."""
        part = part_file(folder, file)
        try:
            if (cached := cached_file(self._offer.repository.id, file)) is not None and not is_file(part):
                self._copy(cached, part)
        except OSError as error:
            raise system_fault(error, part, "the model") from error
        fetch_file(self._offer.repository, file, part, self._waiting, self._gained, self._done > 0)

    def _put_in_place(self, folder: Path, waiting: list[HubFile]) -> None:
        while waiting:
            file = waiting.pop()
            place = folder / file.path
            try:
                make_folder(place.parent, "the model")
                part_file(folder, file).replace(place)
            except OSError as error:
                raise system_fault(error, place, "the model") from error
            keep_record(folder, file, self._offer.repository.revision)

    def _digest(self, place: Path, file: HubFile) -> str:
        return digest_of(place, file.digest, lambda _count: self._waiting.check())

    def _copy(self, cached: Path, part: Path) -> None:
        """Take a file from huggingface_hub's cache: it is verified like a fetched one."""
        make_folder(part.parent, "the model")
        with cached.open("rb") as source, part.open("wb") as target:
            while block := source.read(_BLOCK):
                self._waiting.check()
                target.write(block)
                self._done += len(block)

    def _gained(self, count: int) -> None:
        self._done += count
        self._fresh += max(0, count)


@contextlib.contextmanager
def _alone(asked: Offer) -> Iterator[None]:
    """No second program fetches the same model meanwhile."""
    try:
        with FileLock(asked.folder / ".cache" / "partcraft" / "lock", timeout=0):
            yield
    except Timeout as error:
        raise UserError(
            f"{asked.repository.id} is being fetched already.", "Wait for that, or stop it where it was begun."
        ) from error


def require_room(offers: Sequence[Offer], title: str) -> None:
    """See that all of several models fit on the disk before the first is fetched. Raises :class:`UserError`."""
    needed = sum(asked.size - asked.here for asked in offers) + _SPARE
    if offers and needed > offers[0].free:
        raise no_room(title, needed, offers[0].free, offers[0].folder)


def _free(folder: Path) -> int:
    """Bytes that are free on the disk of a folder, which need not be there yet."""
    place = next(place for place in (folder, *folder.parents) if is_folder(place))
    return shutil.disk_usage(place).free
