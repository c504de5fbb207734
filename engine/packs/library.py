"""The library: the packs at hand, the starter and the user's own."""

from __future__ import annotations

import contextlib
import difflib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.core.atomic_files import make_folder
from engine.core.errors import UserError
from engine.core.leftovers import IMPORTING
from engine.core.on_disk import entries_of, is_file, is_folder, resolved
from engine.core.paths import packs_dir, slug, starter_pack
from engine.core.trash import Trashed, bring_back, delete_for_good, in_trash, move_to_trash
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
        entries = [_read_entry(self._bundled, True)] if is_folder(self._bundled) else []
        folders = (path for path in entries_of(self.own) if is_folder(path) and not path.name.startswith("."))
        entries += [_read_entry(path, False) for path in folders]
        return sorted(
            entries, key=lambda entry: (entry.pack is None, not entry.bundled, entry.pack.title if entry.pack else "")
        )

    def packs(self) -> list[Pack]:
        """The packs that can be used, the starter first."""
        return [entry.pack for entry in self.listing() if entry.pack]

    def find(self, word: str) -> Pack:
        """The pack with that id, title or folder; the first one for "". Raises :class:`UserError`."""
        if word and is_file(Path(word) / MANIFEST):
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
        """Unpack a ``.partpack``, or copy a pack's folder, into the user's packs. Nothing is changed if anything is
        wrong with it.

        A pack that is already here is not taken twice; another one with the same id gets an id of its own. Raises
        :class:`UserError`.
        """
        source = Path(file)
        if not is_file(source / MANIFEST):
            return read_archive(source, self.own, self.packs())
        make_folder(self.own, "the folder of packs")
        with tempfile.TemporaryDirectory(prefix=IMPORTING, dir=self.own) as beside:  # as distrusted as a file
            archive = write_archive(Pack.open(source), Path(beside) / slug(resolved(source).name, "pack"))
            return read_archive(archive, self.own, self.packs())

    def export_pack(self, pack: Pack, file: Path | str) -> Path:
        """Write a pack as a ``.partpack``, whole or not at all; its path. Raises :class:`UserError`."""
        return write_archive(pack, Path(file))

    def delete(self, path: Path) -> Path:
        """Move one of the user's packs, whole or broken, to the trash; where :meth:`restore` finds it.

        Raises :class:`UserError` for the starter or if it cannot be moved.
        """
        if resolved(path).parent != resolved(self.own):
            raise UserError("The starter pack is part of PartCraft and stays.", "Delete packs of your own only.")
        return move_to_trash(path)

    def restore(self, trashed: Path) -> Pack:
        """Bring a pack back from the trash. Raises :class:`UserError`, also if it is not there any more, or if another
        pack has taken its id."""
        if not is_folder(trashed):
            name = Trashed(trashed, 0).name
            raise UserError(f"The pack “{name}” is no longer in the trash.", "Import it again, if you have its file.")
        id = Pack.open(trashed).id
        if any(pack.id == id for pack in self.packs()):
            raise UserError(
                f"A pack with the id “{id}” is here already.", "Remove that one first, then bring the other back."
            )
        return Pack.open(bring_back(trashed, self.own))

    def trashed(self) -> list[TrashedPack]:
        """The packs in the trash, the one deleted last first; what cannot be read as a pack is left out."""
        found: list[TrashedPack] = []
        for trashed in in_trash(MANIFEST):
            with contextlib.suppress(UserError):
                found.append(TrashedPack(trashed.path, Pack.open(trashed.path), trashed.when))
        return found

    def delete_for_good(self, trashed: Path) -> None:
        """Remove a pack from the trash: nothing brings it back. Anything that is no pack there, and what links lead
        to, is left alone. Raises :class:`UserError`."""
        delete_for_good(trashed, MANIFEST)


def _read_entry(path: Path, bundled: bool) -> LibraryEntry:
    try:
        pack = Pack.open(path)
        check_pack(pack)
    except UserError as error:
        return LibraryEntry(path, bundled, error=error)
    return LibraryEntry(path, bundled, pack)
