"""A contact sheet in the making: begun anew with every change of its sides, on a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, Qt, Signal

from engine.collage.layers import Collage
from engine.collage.sheet_axes import Axis
from engine.core.recipe import Recipe
from engine.packs.pack import Pack
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.messages import sentence_of
from partcraft_desktop.app.save_control import SaveControl
from partcraft_desktop.app.store import Store

if TYPE_CHECKING:
    from PIL import Image

PREVIEW_SIDE: Final = 900
"""Pixels; what is shown of a sheet meanwhile is between this and half of it."""

PREVIEW_S: Final = 0.3
"""It is shown so often at most."""


class _Stopped(Exception):
    """Somebody wants another sheet, or none."""


class SheetWork(QObject):
    """Makes the sheets of one dialog, the newest wish alone.

    ``progressed(done, total)`` cells; ``previewed(pixels)``: the sheet so far, uint8 (H, W, 3), small;
    ``finished()``: it can be saved; ``failed(message)``: it cannot be made.
    """

    progressed = Signal(int, int)
    previewed = Signal(object)
    finished = Signal()
    failed = Signal(object)
    _news = Signal(object, object)

    def __init__(
        self, store: Store, make: Callable[[Recipe], Collage] | None, saves: SaveControl, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._make = make
        self._saves = saves
        self._thread = BackgroundReader(self, threads=1)
        self._wish: object | None = None
        self._image: Image.Image | None = None
        self._news.connect(self._hear, Qt.ConnectionType.QueuedConnection)

    @property
    def ready(self) -> bool:
        """Whether the sheet is whole."""
        return self._image is not None

    def begin(self, rows: Axis, columns: Axis) -> None:
        """Make another sheet; the one before is given up."""
        pack, recipe, make = self._store.state.pack, self._store.state.recipe, self._make
        wish = self._wish = object()
        self._image = None
        if pack is None or make is None:
            return

        def report(done: int, total: int) -> None:
            if self._wish is not wish:
                raise _Stopped
            self._tell(wish, (done, total))

        def landed(result: Any) -> None:
            if self._wish is not wish or isinstance(result, _Stopped):
                return
            if isinstance(result, Exception):
                self.failed.emit(sentence_of(result, "The sheet cannot be made."))
            else:
                self._image = result
                self.finished.emit()

        def preview(pixels: Any) -> None:
            self._tell(wish, pixels)

        self._thread.ask(lambda: _made(pack, recipe, rows, columns, make, report, preview), landed, self)

    def cancel(self) -> None:
        """Give up; what is shown stays."""
        self._wish = None

    def save(self, path: Path) -> None:
        """Save the whole sheet as a PNG or a PDF."""
        image = self._image
        if image is not None:
            self._saves.write(path, lambda: _save(image, path))

    def close(self) -> None:
        """Make no more."""
        self._wish = None
        self._thread.close()

    def _tell(self, wish: object, news: object) -> None:
        try:
            self._news.emit(wish, news)
        except RuntimeError as error:  # the dialog is gone
            raise _Stopped from error

    def _hear(self, wish: object, news: Any) -> None:
        if self._wish is wish:
            if isinstance(news, tuple):
                self.progressed.emit(*news)
            else:
                self.previewed.emit(news)


def _made(
    pack: Pack,
    recipe: Recipe,
    rows: Axis,
    columns: Axis,
    make: Callable[[Recipe], Collage],
    report: Callable[[int, int], None],
    preview: Callable[[Any], None],
) -> Image.Image:
    """The whole sheet; slow, not on the Qt thread. ``preview`` is given small pictures of it. Raises ``UserError``."""
    import numpy as np

    # Imported here, on the thread: it brings scipy.
    from engine.collage.contact_sheet import ContactSheet, collage_cells, fill_sheet, side_of

    sheet = ContactSheet(pack, rows, columns, side_of(pack))
    smaller = max(-(-max(sheet.image.size) // PREVIEW_SIDE), 1)
    shown_at = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal shown_at
        report(done, total)
        if done == total or time.monotonic() - shown_at > PREVIEW_S:
            preview(np.asarray(sheet.image.reduce(smaller)))
            shown_at = time.monotonic()

    fill_sheet(sheet, recipe, pack.vocabulary, collage_cells(make, sheet), tell)
    return sheet.image


def _save(image: Image.Image, path: Path) -> None:
    from engine.collage.contact_sheet import save_sheet

    save_sheet(image, path)
