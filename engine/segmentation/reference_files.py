"""The files of a reference and of a code's picture in a pack's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.core.atomic_files import make_folder, write_whole
from engine.core.segmentation import Segmentation
from engine.packs.pack import CODE_PICTURES, Pack, Reference

_THUMBNAIL: Final = 256
_CODE_THUMBNAIL: Final = 128
_MARGIN: Final = 0.15


def write_reference(
    pack: Pack, id: str, title: str, picture: Image.Image, segmentation: Segmentation, ending: str, stem: str = ""
) -> Reference:
    """Write a picture, its thumbnail and its labels into a pack's folder, in files called ``stem`` (empty: as its id);
    the reference. ``ending`` is ".png" or ".jpg". Raises :class:`UserError`."""
    small = picture.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    name = stem or id
    thumbnail, drawn = (pack.path / folder / f"{name}.png" for folder in ("thumbnails", "labels"))
    image = pack.path / "references" / f"{name}{ending}"
    for path, shown in ((image, picture), (thumbnail, small), (drawn, Image.fromarray(segmentation.labels))):
        write_picture(path, shown)
    return Reference(id, title, str(image), str(thumbnail), str(drawn), segmentation.codes)


def write_code_picture(pack: Pack, part: int, code: int, cut: Image.Image) -> None:
    """Keep what a code of a part looks like. Raises :class:`UserError`."""
    write_picture(pack.path / CODE_PICTURES / f"{part}-{code}.png", cut)


def cut_around(picture: Image.Image, mask: npt.NDArray[np.bool_]) -> Image.Image:
    """The square around a part, with a margin, small; the whole picture if the mask is empty."""
    if mask.any():
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        left, right, upper, lower = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
        side = (1 + 2 * _MARGIN) * max(right - left, lower - upper)
        x, y = (left + right) / 2, (upper + lower) / 2
        side = min(side, *picture.size)
        x, y = (float(np.clip(at, side / 2, most - side / 2)) for at, most in zip((x, y), picture.size, strict=True))
        edges = (round(float(edge)) for edge in (x - side / 2, y - side / 2, x + side / 2, y + side / 2))
        picture = picture.crop((next(edges), next(edges), next(edges), next(edges)))
    picture = picture.copy()
    picture.thumbnail((_CODE_THUMBNAIL, _CODE_THUMBNAIL), Image.Resampling.LANCZOS)
    return picture


def make_reference_folders(folder: Path) -> None:
    """Make the folders of a pack in which references are. Raises :class:`UserError`."""
    for name in ("references", "thumbnails", "labels", CODE_PICTURES):
        make_folder(folder / name, "the pack")


def write_picture(path: Path, picture: Image.Image) -> None:
    """Write a picture as what its name ends in, whole or not at all. Raises :class:`UserError`."""
    if path.suffix == ".jpg":
        write_whole(path, lambda beside: picture.save(beside, "JPEG", quality=95, subsampling=0), "the pack")
    else:
        write_whole(path, lambda beside: picture.save(beside, "PNG"), "the pack")
