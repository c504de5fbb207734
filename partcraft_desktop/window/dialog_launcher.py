"""What opens over the window: dialogs, viewers, and the system's own windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication, QImage
from PySide6.QtWidgets import QDialog, QFileDialog, QWidget

from engine.core import image_files as pictures
from engine.core.paths import models_dir
from engine.core.recipe import Creation
from engine.core.vocabulary import Vocabulary
from engine.hub.dropped import Dropped
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.dropped_paths import OfferedPack
from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.session import Session
from partcraft_desktop.widgets.drag_and_drop import file_url
from partcraft_desktop.widgets.images import from_pillow
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.widgets.thumbnails import Thumbnails

VERSION: Final = "0.1.0"
PICTURES: Final = "Pictures (*.png *.jpg *.jpeg *.webp *.bmp *.gif *.tif *.tiff);;All files (*)"


class DialogLauncher:
    """Opens dialogs over a window and hands what a person decides there to the session. Dialogs are imported when they
    are first wanted, for the window is to be there soon."""

    def __init__(self, window: QWidget, session: Session, thumbnails: Thumbnails, readers: BackgroundReader) -> None:
        self._window = window
        self.session = session
        self._thumbnails = thumbnails
        self.readers = readers
        self._models = models_dir()  # found out at the start: it asks the disk
        session.pack_offered.connect(self.offer_pack)
        session.checkpoint_offered.connect(self.offer_checkpoint)

    def ask_picture(self) -> None:
        """Let a person choose a picture file."""
        self._ask("Open picture", PICTURES, self.session.open_path)

    def ask_pack(self) -> None:
        """Let a person choose a .partpack file."""
        self._ask("Import pack", "Packs (*.partpack)", self.session.offer_pack)

    def ask_folder(self) -> None:
        """Let a person choose a folder of pictures to learn from; one that is something else is opened as that."""
        dialog = QFileDialog(self._window, "Folder of pictures", str(Path.home()))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self.session.open_path)
        self._open(dialog)

    def _ask(self, title: str, kinds: str, then: Any) -> None:
        dialog = QFileDialog(self._window, title, str(Path.home()), kinds)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(then)
        self._open(dialog)

    def _open(self, dialog: QDialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def show_settings(self) -> None:
        """Open the settings."""
        from partcraft_desktop.window.settings_dialog import SettingsDialog

        dialog = SettingsDialog(self.session.settings, self.session.state.packs, self._models, self._window)
        dialog.folder_wanted.connect(self.show_folder)
        dialog.models_wanted.connect(self.show_models)
        self._open(dialog)

    def show_shortcuts(self) -> None:
        """Open the sheet of shortcuts."""
        from partcraft_desktop.window.help_dialogs import ShortcutsDialog

        self._open(ShortcutsDialog(self._window))

    def show_deleted(self) -> None:
        """Open the list of what was deleted."""
        from partcraft_desktop.window.deleted_dialog import DeletedDialog

        dialog = DeletedDialog(self.session, self._thumbnails, self._window)
        dialog.resize(min(720, self._window.width() - 4 * UNIT), min(520, self._window.height() - 4 * UNIT))
        self._open(dialog)

    def show_models(self, wanted: str = "") -> None:
        """Open the page of models, at one that is wanted if there is one."""
        from partcraft_desktop.models.models_dialog import ModelsDialog

        dialog = ModelsDialog(self.session, wanted, self._window)
        dialog.folder_wanted.connect(lambda folder: self.show_folder(Path(folder)))
        dialog.resize(min(860, self._window.width() - 4 * UNIT), min(720, self._window.height() - 4 * UNIT))
        self._open(dialog)

    def offer_pack(self, offered: OfferedPack) -> None:
        """Ask whether to add a pack."""
        from partcraft_desktop.window.pack_offer_dialog import PackOfferDialog

        dialog = PackOfferDialog(offered, self._window)
        dialog.agreed.connect(self.session.import_pack)
        self._open(dialog)

    def offer_checkpoint(self, dropped: Dropped) -> None:
        """Ask whether to import a checkpoint of the original PartCraft."""
        from partcraft_desktop.window.checkpoint_dialog import CheckpointDialog

        dialog = CheckpointDialog(dropped, self._window)
        dialog.agreed.connect(self.session.vocabularies.import_found)
        self._open(dialog)

    def show_evaluation(self) -> None:
        """Open the page that evaluates the pack on show."""
        from partcraft_desktop.window.evaluation_dialog import EvaluationDialog

        if self.session.state.pack is None:
            return
        dialog = EvaluationDialog(self.session, self._thumbnails, self._window)
        dialog.report_wanted.connect(self.open_file)
        dialog.resize(min(860, self._window.width() - 4 * UNIT), min(720, self._window.height() - 4 * UNIT))
        self._open(dialog)

    def open_file(self, path: str) -> None:
        """Open a file with the system's own program for it."""
        if not QDesktopServices.openUrl(file_url(path)):
            self.session.say(f"{path} cannot be opened.", kind="warning")

    def show_about(self) -> None:
        """Say what this is."""
        from partcraft_desktop.window.help_dialogs import AboutDialog

        dialog = AboutDialog(VERSION, self.session.state.packs, self._window)
        dialog.files_wanted.connect(lambda: self.show_folder(self.session.settings.home))
        self._open(dialog)

    def show_details(self, message: Message) -> None:
        """Open what a message keeps for a report."""
        from partcraft_desktop.window.help_dialogs import DetailsDialog

        self._open(DetailsDialog(message, self._window))

    def show_creation(self, creation: Creation) -> None:
        """Open the viewer."""
        from partcraft_desktop.gallery.viewer import Viewer

        viewer = Viewer(self.session.state.creations, creation, self._names, self._thumbnails, self._window)
        viewer.recipe_wanted.connect(self.session.use_recipe)
        viewer.copy_wanted.connect(self.copy_picture)
        viewer.folder_wanted.connect(self.show_folder_of)
        viewer.resize(min(1040, self._window.width() - 8 * UNIT), min(720, self._window.height() - 8 * UNIT))
        self._open(viewer)

    def show_picture(self, path: str) -> None:
        """Show a picture file large."""
        from partcraft_desktop.widgets.picture_dialog import PictureDialog

        dialog = PictureDialog(path, self._thumbnails, self._window)
        dialog.resize(min(720, self._window.width() - 8 * UNIT), min(720, self._window.height() - 8 * UNIT))
        self._open(dialog)

    def _names(self, creation: Creation) -> Vocabulary | None:
        packs = self.session.state.packs
        return next((pack.vocabulary for pack in packs if pack.id == creation.recipe.pack), None)

    def show_folder_of(self, creation: Creation) -> None:
        """Open the folder a creation is in, in the system's own window."""
        self.show_folder(Path(creation.path).parent)

    def show_folder(self, folder: Path) -> None:
        """Open a folder in the system's own window; one that is not there yet is made."""

        def landed(result: object) -> None:
            if isinstance(result, Exception) or not QDesktopServices.openUrl(file_url(str(folder))):
                self.session.say(f"The folder {folder} cannot be opened.", kind="warning")

        self.readers.ask(lambda: folder.mkdir(parents=True, exist_ok=True), landed, self.session)

    def copy_picture(self, creation: Creation) -> None:
        """Put a creation on the clipboard, as a picture and as a file."""

        def copied(result: QImage | Exception) -> None:
            if isinstance(result, Exception):
                self.session.say(str(result), kind="error")
                return
            data = QMimeData()
            data.setImageData(result)
            data.setUrls([file_url(creation.path)])
            QGuiApplication.clipboard().setMimeData(data)
            self.session.say("Copied.")

        self.readers.ask(lambda: from_pillow(pictures.open_picture(creation.path)), copied, self.session)
