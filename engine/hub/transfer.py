"""One file from the hub to this disk: gone on with where it was, verified before it has its name."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
from huggingface_hub import hf_hub_url
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.utils import get_session

from engine.core.atomic_files import make_folder, system_fault
from engine.core.errors import UserError
from engine.core.on_disk import is_file, size_of
from engine.hub.faults import PASSING, broken, gave_up, looking_up, refused, wait_asked_for
from engine.hub.look_up import request_headers
from engine.hub.patience import Waiting
from engine.hub.repository import HubFile, Repository, digest_of

Gained = Callable[[int], None]


def fetch_file(
    repository: Repository, file: HubFile, part: Path, waiting: Waiting, gained: Gained, kept: bool = False
) -> None:
    """Fill ``part`` with a file of the hub, from where it ends, until it has the size and the digest that the hub
    announced. ``gained`` is told the bytes that came; a number below 0 where some were of no use. ``kept``: other files
    of the model are here.

    Raises :class:`UserError`, and :class:`Stopped` after ``waiting.stop()``; what came is kept in ``part``, but for
    bytes that are not the file's.
    """
    make_folder(part.parent, "the model")
    try:
        _Transfer(repository, file, part, waiting, gained, kept).run()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"The disk is full: {file.path} could not be written.",
                f"Make room on the disk of {part.parent}, then fetch the model again; it goes on from there.",
            ) from error
        raise system_fault(error, part, "the model") from error


@dataclass
class _Transfer:
    repository: Repository
    file: HubFile
    part: Path
    waiting: Waiting
    gained: Gained
    others_kept: bool = False
    useless: int = 0
    """How often what came was not the file."""

    def run(self) -> None:
        while True:
            self.waiting.check()
            have = size_of(self.part)
            if have == self.file.size and is_file(self.part) and self._is_the_file():
                return
            if have >= self.file.size:
                self._drop()
            self._go_on()

    @property
    def _kept(self) -> bool:
        """Whether the next fetch has something to go on from."""
        return self.others_kept or size_of(self.part) > 0

    def _is_the_file(self) -> bool:
        return digest_of(self.part, self.file.digest, lambda _count: self.waiting.check()) == self.file.digest

    def _drop(self) -> None:
        """Throw away what is not the file's. Raises :class:`UserError` the second time that something came that is
        not."""
        have = size_of(self.part)
        self.part.unlink(missing_ok=True)
        self.gained(-have)
        self.useless += bool(have)
        if self.useless > 1:
            raise UserError(
                f"What the hub sends for {self.file.path} of {self.repository.id} is not what it announces.",
                "Try again later, without a proxy or mirror between; nothing of that file was kept.",
            )

    def _go_on(self) -> None:
        """Append what one answer brings; wait before the next one if it was a bad one."""
        id, wait = self.repository.id, None
        try:
            status, wait = self._append()
            if status == 200 and size_of(self.part) >= self.file.size:
                return
            fault = gave_up(id, status, wait, self._kept) if status != 200 else broken(id, EOFError(), self._kept)
        except httpx2.RequestError as error:
            self.waiting.check()  # it was woken up to stop
            fault = broken(id, error, self._kept)
            fault.__cause__ = error
        except OfflineModeIsEnabled as error:
            raise looking_up(id, self.repository.revision, error) or broken(id, error, self._kept) from error
        if not self.waiting.again(wait):
            raise fault

    def _append(self) -> tuple[int, float | None]:
        """Ask for the rest of the file and append it. 200 once the answer ended, or else its status and the seconds
        that it asks to wait. Raises :class:`UserError` for an answer that will not change."""
        have = size_of(self.part)
        headers = request_headers() | {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        url = hf_hub_url(self.repository.id, self.file.path, revision=self.repository.revision)
        with get_session().stream("GET", url, headers=headers, timeout=self.waiting.patience.silence) as answer:
            self.waiting.listen(answer)
            status, elsewhere = answer.status_code, bool(answer.history)
            if status in PASSING or (elsewhere and status in (401, 403, 404, 410)):
                return status, wait_asked_for(answer.headers)  # addresses elsewhere are given anew, each time one asks
            if status == 416 and have:
                self._drop()
                return status, 0.0
            if status not in (200, 206):
                raise refused(self.repository.id, self.repository.revision, status, answer.headers)
            skip = have if status == 200 else _here_of(answer.headers.get("content-range", ""), have)
            if skip is None:
                self._drop()
                return status, 0.0
            self._write(answer, skip)
        return 200, None

    def _write(self, answer: httpx2.Response, skip: int) -> None:
        """Append an answer, without the first ``skip`` bytes, which are here."""
        with self.part.open("ab") as opened:
            for block in answer.iter_raw():
                self.waiting.check()
                fresh, skip = block[skip:], max(0, skip - len(block))
                if fresh:
                    opened.write(fresh)
                    self.gained(len(fresh))
                    self.waiting.gained()
                if opened.tell() > self.file.size:  # another file
                    break
            opened.flush()
            os.fsync(opened.fileno())


def _here_of(content_range: str, have: int) -> int | None:
    """How many bytes at the beginning of a partial answer are here already; None if some before it are not."""
    match = re.match(r"bytes (\d+)-", content_range)
    start = int(match[1]) if match else have
    return have - start if start <= have else None
