"""What a pack is, told before it is installed: read from its description alone, without unpacking it."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.core.errors import UserError
from engine.core.on_disk import exists, files_below, is_file, size_of
from engine.packs.archive import manifest_root
from engine.packs.pack import LORA, MANIFEST, TOKENS, Pack

_MOST: Final = 64 << 20
"""Bytes of a description: more are none."""


@dataclass(frozen=True)
class AboutPack:
    """A pack that is not installed: its file or folder, what its description says, the bytes it takes on disk, and
    whether it has tokens and a LoRA."""

    file: Path
    pack: Pack
    size: int
    trained: bool
    lora: bool

    @property
    def licence(self) -> str:
        """Its licence in words."""
        return self.pack.licence.strip() or "no licence stated"

    @property
    def contents(self) -> str:
        """What is in it, in a line."""
        words = self.pack.vocabulary
        parts = [part.name for part in words.visible_parts]
        what = {(True, True): "tokens and a LoRA", (True, False): "tokens"}.get(
            (self.trained, self.lora), "not trained"
        )
        names = f"{', '.join(parts[:6])}{', …' if len(parts) > 6 else ''}"
        pictures = len(self.pack.references)
        return (
            f"{len(parts)} {'part' if len(parts) == 1 else 'parts'} of a {words.noun} ({names}), "
            f"{words.codes_per_part:,} {'kind' if words.codes_per_part == 1 else 'kinds'} of each; {what}; "
            f"{pictures:,} reference {'picture' if pictures == 1 else 'pictures'}"
        )


def about_pack(file: Path) -> AboutPack:
    """Look at a ``.partpack`` file, or a pack's folder. Raises :class:`UserError` if it is none, or damaged."""
    if is_file(file / MANIFEST):
        pack = Pack.open(file)
        return AboutPack(file, pack, sum(map(size_of, files_below(file))), pack.trained, is_file(file / LORA))
    if exists(file) and not is_file(file):
        raise UserError(f"{file.name} is not a pack's file.", "Choose a .partpack file.")
    try:
        with zipfile.ZipFile(file) as archive, tempfile.TemporaryDirectory(prefix="partcraft-") as place:
            members = archive.infolist()
            root = manifest_root([member.filename for member in members])
            if root is None or archive.getinfo(f"{root}{MANIFEST}").file_size > _MOST:
                raise UserError(f"{file.name} is not a pack: {MANIFEST} is missing.", "Choose a .partpack file.")
            folder = Path(place) / "pack"
            folder.mkdir()
            (folder / MANIFEST).write_bytes(archive.read(f"{root}{MANIFEST}"))
            pack = Pack.open(folder)
            names = {member.filename.removeprefix(root) for member in members}
            return AboutPack(file, pack, sum(one.file_size for one in members), TOKENS in names, LORA in names)
    except FileNotFoundError as error:
        raise UserError(f"{file.name} is not there any more.", "It may have been moved or deleted.") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error, OSError, KeyError) as error:
        raise UserError(f"{file.name} is not a whole pack.", "Get the file again.") from error
