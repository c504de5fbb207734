"""The ways out of the window: saved as a file, copied, carried to another program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import QByteArray, QMimeData
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QWidget

from engine.collage.layers import Collage
from engine.core.paths import free_stem, slug
from engine.core.recipe import Creation
from partcraft_desktop.app.layer_files import ALL_KINDS, SaveKind, picture_of, png_of, without_ground
from partcraft_desktop.app.save_control import Make
from partcraft_desktop.creature.ways_out import WaysOut
from partcraft_desktop.widgets.drag_and_drop import file_data
from partcraft_desktop.widgets.images import to_qimage
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.window.dialog_launcher import DialogLauncher
from partcraft_desktop.window.save_dialog import SaveDialog

LAYER_KINDS: Final = (SaveKind("ground", "PNG", ".png"),)
SHEET_KINDS: Final = (SaveKind("png", "PNG", ".png"), SaveKind("pdf", "PDF", ".pdf"))


class Outlets:
    """Asks where pictures shall go and has the session bring them there."""

    def __init__(self, window: QWidget, openings: DialogLauncher) -> None:
        self._window = window
        self._openings = openings
        self._session = openings.session
        self._session.saves.folder_wanted.connect(openings.show_folder)

    def serve(self, ways_out: WaysOut) -> None:
        """Do what the creature's pane asks for."""
        ways_out.save_wanted.connect(self.save)
        ways_out.copy_wanted.connect(self.copy)
        ways_out.part_save_wanted.connect(self.save_part)
        ways_out.part_copy_wanted.connect(self.copy_part)
        ways_out.file_copied.connect(self.copy_file)

    def save(self, creation: Creation | None) -> None:
        """Save a creation, or the creature."""
        if creation is None:
            self.save_creature()
        else:
            self.save_creation(creation)

    def copy(self, creation: Creation | None, with_ground: bool) -> None:
        """Copy a creation, or the creature."""
        if creation is None:
            self.copy_creature(with_ground)
        else:
            self._openings.copy_picture(creation)

    def save_creature(self) -> None:
        """Ask where the creature is to be saved, and as what."""
        saves = self._session.saves
        if self._session.state.creature.collage is None:
            self._session.say("There is no creature to save yet.", "Choose a part of a picture.")
            return
        self._ask("Save the creature as", saves.creature_name(), saves.save_creature)

    def save_creation(self, creation: Creation) -> None:
        """Ask where a creation is to be saved, and as what."""
        saves = self._session.saves

        def save(path: Path, kind: SaveKind) -> None:
            saves.save_creation(creation, path, kind)

        self._ask("Save the creation as", saves.creation_name(creation), save)

    def save_part(self, name: str, make: Make) -> None:
        """Ask where one layer is to be saved."""
        saves = self._session.saves
        file_name = slug(name, "layer", lower=False)  # parts may be called anything
        self._ask("Save the layer as", file_name, lambda path, _: saves.save_part(make, path), LAYER_KINDS)

    def make_sheet(self) -> None:
        """Open the dialog for contact sheets."""
        from partcraft_desktop.window.contact_sheet_dialog import ContactSheetDialog

        if self._session.state.pack is None:
            return
        dialog = ContactSheetDialog(self._session, self._window)
        dialog.save_wanted.connect(
            lambda name: self._ask("Save the contact sheet as", name, lambda path, _: dialog.save(path), SHEET_KINDS)
        )
        dialog.resize(min(760, self._window.width() - 8 * UNIT), min(680, self._window.height() - 4 * UNIT))
        dialog.open()

    def _ask(
        self, title: str, name: str, save: Callable[[Path, SaveKind], None], kinds: tuple[SaveKind, ...] = ALL_KINDS
    ) -> None:
        settings = self._session.settings
        folder = settings.values.save_folder or str(Path.home())
        endings = [kind.suffix for kind in kinds]

        def open_dialog(free: str | Exception) -> None:
            proposed = name if isinstance(free, Exception) else free
            dialog = SaveDialog(title, proposed, settings, self._window, kinds)
            dialog.chosen.connect(save)
            dialog.open()

        self._openings.readers.ask(lambda: free_stem(Path(folder), name, endings), open_dialog, self._session)

    # Copied

    def copy_creature(self, ground: bool = False) -> None:
        """Put the creature on the clipboard: alone, as a PNG with what is transparent (programs that know no such PNG
        get it on its ground); or with its ground."""
        make = self._session.saves.creature_maker()
        if make is not None:
            self._copy(lambda: _copies(make(), ground), "The creature is copied.")

    def copy_part(self, name: str, make: Make) -> None:
        """Put one layer on the clipboard."""
        self._copy(lambda: _copies(make(), True), f"“{name}” is copied.")

    def _copy(self, work: Callable[[], tuple[bytes, QImage]], sentence: str) -> None:
        def copied(result: tuple[bytes, QImage]) -> None:
            png, image = result
            data = QMimeData()
            data.setData("image/png", QByteArray(png))
            data.setImageData(image)
            QGuiApplication.clipboard().setMimeData(data)
            self._session.say(sentence)

        self._session.ask(work, copied, "The picture cannot be copied.")

    def copy_file(self, path: Path) -> None:
        """Put a file on the clipboard, so that another program can take it."""
        QGuiApplication.clipboard().setMimeData(file_data(str(path)))
        self._session.say(f"“{path.name}” is copied as a file.")


def _copies(collage: Collage, ground: bool) -> tuple[bytes, QImage]:
    """For the clipboard, made on a thread: a PNG, and the picture for programs that know no PNG."""
    whole = picture_of(collage)
    alone = whole if ground or collage.ground is None else picture_of(without_ground(collage))
    return png_of(alone), to_qimage(whole)
