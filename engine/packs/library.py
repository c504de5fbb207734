"""The library: the packs at hand, the starter and the user's own."""

from __future__ import annotations

import difflib
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
        return _move(path, trashed)

    def restore(self, trashed: Path) -> Pack:
        """Bring a pack back from the trash. Raises :class:`UserError`."""
        name = trashed.name.partition("-")[2]
        return Pack.open(_move(trashed, free_folder(self.own, name)))


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
