"""Where a pack goes that leaves the library: a folder for other programs, or a .partpack."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from engine.core.paths import slug
from engine.packs.pack import Pack
from partcraft_desktop.app.session import Session
from partcraft_desktop.widgets.theme import icon


def export_menu(session: Session, pack: Pack, parent: QMenu) -> QMenu:
    """The ways out of a pack."""
    menu = QMenu("Export “{}”".format(pack.title.replace("&", "&&")), parent)
    menu.setObjectName("export")
    menu.setIcon(icon("save"))
    menu.setToolTipsVisible(True)
    plain = menu.addAction("For other programs…", lambda: ask_for_folder(session, pack, parent.window()))
    plain.setToolTip("LoRA, embeddings, pictures and a card, for ComfyUI, A1111, InvokeAI, kohya and diffusers")
    plain.setEnabled(pack.trained)
    if not pack.trained:
        plain.setToolTip("These parts were found, not trained: there is nothing yet that other programs could use.")
    whole = menu.addAction("As a .partpack…", lambda: ask_for_file(session, pack, parent.window()))
    whole.setToolTip("All of the pack in one file, to be imported on another computer")
    return menu


def ask_for_folder(session: Session, pack: Pack, window: QWidget) -> None:
    """Let a person choose where a pack is written for other programs: in a new folder there."""
    dialog = QFileDialog(window, "Export for other programs into", _place(session))
    dialog.setFileMode(QFileDialog.FileMode.Directory)

    def chosen(folder: str) -> None:
        session.settings.set(save_folder=folder)
        session.saves.export_pack(pack, Path(folder))

    dialog.fileSelected.connect(chosen)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()


def ask_for_file(session: Session, pack: Pack, window: QWidget) -> None:
    """Let a person choose where a pack is saved as one file."""
    dialog = QFileDialog(window, "Export the pack as", _place(session), "Packs (*.partpack)")
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix("partpack")
    dialog.selectFile(f"{slug(pack.title, 'pack', lower=False)}.partpack")

    def chosen(file: str) -> None:
        session.settings.set(save_folder=str(Path(file).parent))
        session.saves.archive_pack(pack, Path(file))

    dialog.fileSelected.connect(chosen)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()


def _place(session: Session) -> str:
    return session.settings.values.save_folder or str(Path.home())
