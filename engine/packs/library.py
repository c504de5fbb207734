"""The library: the packs at hand, the starter and the user's own."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from engine.core.atomic_files import make_folder
from engine.core.errors import UserError
from engine.core.paths import free_folder, packs_dir, starter_pack, trash_dir
from engine.packs.archive import read_archive, write_archive
from engine.packs.pack import MANIFEST, Pack
from engine.packs.validation import check_pack


@dataclass(frozen=True)
class LibraryEntry:
    """A pack of the library, or what is wrong with its folder."""

    path: Path
    bundled: bool
    pack: Pack | None = None
    error: UserError | None = None


@dataclass(frozen=True)
class TrashedPack:
    """A deleted pack: where it waits, what it is, and when it was deleted, in seconds since 1970."""

    path: Path
    pack: Pack
    when: float


class PackLibrary:
    """The packs at hand: the starter, which is part of the program, and the user's own.

    It keeps nothing in memory: what is on disk is what there is.
    """

    def __init__(self, bundled: Path | None = None, own: Path | None = None) -> None:
        self._bundled = bundled or starter_pack()
        self._own = own

    @property
    def own(self) -> Path:
        """The folder of the user's packs."""
        return self._own or packs_dir()

    def listing(self) -> list[LibraryEntry]:
        """Every pack, the starter first, then the user's by title; broken ones come last, with their errors."""
        entries = [_read_entry(self._bundled, True)] if self._bundled.is_dir() else []
        if self.own.is_dir():
            folders = (path for path in self.own.iterdir() if path.is_dir() and not path.name.startswith("."))
            entries += [_read_entry(path, False) for path in sorted(folders)]
        return sorted(
            entries, key=lambda entry: (entry.pack is None, not entry.bundled, entry.pack.title if entry.pack else "")
        )

    def packs(self) -> list[Pack]:
        """The packs that can be used, the starter first."""
        return [entry.pack for entry in self.listing() if entry.pack]

    def find(self, word: str) -> Pack:
        """The pack with that id, title or folder; the first one for "". Raises :class:`UserError`."""
        if word and (Path(word) / MANIFEST).is_file():
            return Pack.open(word)
        listing = self.listing()
        packs = [entry.pack for entry in listing if entry.pack]
        for pack in packs:
            if not word or word.casefold() in (pack.id.casefold(), pack.title.casefold()):
                return pack
        for entry in listing:
            if entry.error and word in ("", entry.path.name):
                raise entry.error
        if not word:
            raise UserError("There is no pack yet.", "Import one with `partcraft packs import FILE`, or make one.")
        names = difflib.get_close_matches(word, [pack.id for pack in packs], 3, 0.3) or [pack.id for pack in packs]
        raise UserError(f"There is no pack called “{word}”.", f"There are: {', '.join(names) or 'none yet'}.")

    def import_pack(self, file: Path | str) -> Pack:
        """Unpack a ``.partpack`` into the user's packs. Nothing is changed if anything is wrong with it.

        A pack that is already here is not taken twice; another one with the same id gets an id of its own. Raises
        :class:`UserError`.
        """
        return read_archive(Path(file), self.own, self.packs())

    def export_pack(self, pack: Pack, file: Path | str) -> Path:
        """Write a pack as a ``.partpack``, whole or not at all; its path. Raises :class:`UserError`."""
        return write_archive(pack, Path(file))

    def delete(self, path: Path) -> Path:
        """Move one of the user's packs, whole or broken, to the trash; where :meth:`restore` finds it.

        Raises :class:`UserError` for the starter or if it cannot be moved.
        """
        if path.resolve().parent != self.own.resolve():
            raise UserError("The starter pack is part of PartCraft and stays.", "Delete packs of your own only.")
        trashed = make_folder(trash_dir(), "the trash") / f"{secrets.token_hex(4)}-{path.name}"
        _move(path, trashed)
        with contextlib.suppress(OSError):  # when it was deleted; it is deleted all the same
            os.utime(trashed)
        return trashed

    def restore(self, trashed: Path) -> Pack:
        """Bring a pack back from the trash. Raises :class:`UserError`, also if it is not there any more, or if another
        pack has taken its id."""
        name = trashed.name.partition("-")[2]
        if not trashed.is_dir():
            raise UserError(f"The pack “{name}” is no longer in the trash.", "Import it again, if you have its file.")
        id = Pack.open(trashed).id
        if any(pack.id == id for pack in self.packs()):
            raise UserError(
                f"A pack with the id “{id}” is here already.", "Remove that one first, then bring the other back."
            )
        return Pack.open(_move(trashed, free_folder(self.own, name)))

    def trashed(self) -> list[TrashedPack]:
        """The packs in the trash, the one deleted last first; what cannot be read as a pack is left out."""
        found: list[TrashedPack] = []
        trash = trash_dir()
        for path in trash.iterdir() if trash.is_dir() else ():
            try:
                if self._is_trashed(path):
                    found.append(TrashedPack(path, Pack.open(path), path.stat().st_mtime))
            except (UserError, OSError):
                continue
        return sorted(found, key=lambda pack: pack.when, reverse=True)

    def delete_for_good(self, trashed: Path) -> None:
        """Remove a pack from the trash: nothing brings it back. Anything that is no pack there, and what links lead
        to, is left alone. Raises :class:`UserError`."""
        if not self._is_trashed(trashed):
            return
        try:
            shutil.rmtree(trashed)
        except OSError as error:
            raise UserError(
                f"{trashed.name} could not be removed: {error.strerror}.", "Is it open in a program?"
            ) from error

    def _is_trashed(self, path: Path) -> bool:
        """Whether :meth:`delete` put a pack there. Discarded trainings wait there, too."""
        is_ours = path.parent == trash_dir() and re.match(r"[0-9a-f]{8}-.", path.name) is not None
        return is_ours and not path.is_symlink() and path.is_dir() and (path / MANIFEST).is_file()


def _read_entry(path: Path, bundled: bool) -> LibraryEntry:
    try:
        pack = Pack.open(path)
        check_pack(pack)
    except UserError as error:
        return LibraryEntry(path, bundled, error=error)
    return LibraryEntry(path, bundled, pack)


def _move(path: Path, destination: Path) -> Path:
    try:
        make_folder(destination.parent)
        shutil.move(path, destination)
    except OSError as error:
        raise UserError(f"{path.name} could not be moved: {error.strerror}.", "Is it open in a program?") from error
    return destination
