"""What is dropped on the window goes where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QLabel
from pytestqt.qtbot import QtBot
from safetensors.numpy import save_file

from engine.core.model_places import added_folders
from engine.hub.dropped import look_at_dropped
from engine.hub.published import PUBLISHED
from engine.packs.archive import write_archive
from engine.packs.pack import Pack
from engine.worker.jobs import Failed
from partcraft_desktop.app.session import Session
from partcraft_desktop.models.models_dialog import ModelsDialog
from partcraft_desktop.widgets.drag_and_drop import file_data
from partcraft_desktop.window.checkpoint_dialog import CheckpointDialog
from partcraft_desktop.window.main_window import MainWindow
from partcraft_desktop.window.pack_offer_dialog import PackOfferDialog
from tests import fakes
from tests.desktop.conftest import WAIT, Opened, said, type_name
from tests.desktop.qt_thread import file_access


def drop(window: MainWindow, path: Path) -> None:
    data: QMimeData = file_data(str(path))
    event = QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton,
                       Qt.KeyboardModifier.NoModifier)  # fmt: skip
    window.dropEvent(event)


def asked(qtbot: QtBot, kind: type[QDialog]) -> QDialog:
    qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), kind), timeout=WAIT)
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, QDialog)
    return dialog


def opened_pack(qtbot: QtBot, session: Session, title: str) -> Pack:
    qtbot.waitUntil(lambda: session.state.pack is not None and session.state.pack.title == title, timeout=WAIT)
    assert session.state.pack is not None
    return session.state.pack


@pytest.fixture
def other(tmp_path: Path) -> Pack:
    pack = fakes.make_pack(tmp_path / "made" / "others", codes=4, id="others")
    replace(pack, title="Other birds", licence="").save()
    return Pack.open(pack.path)


def checkpoint(folder: Path, names: tuple[str, str] = ("pytorch_model.bin", "pytorch_model_1.bin")) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(b"weights")
    return folder


@pytest.mark.parametrize("as_file", [True, False])
def test_a_pack_says_what_it_is_and_asks(
    qtbot: QtBot, window: MainWindow, session: Session, other: Pack, tmp_path: Path, as_file: bool
) -> None:
    place = write_archive(other, tmp_path / "birds.partpack") if as_file else other.path
    drop(window, place)
    dialog = asked(qtbot, PackOfferDialog)
    assert isinstance(dialog, PackOfferDialog)
    assert "Add “Other birds”?" in [label.text() for label in dialog.findChildren(QLabel)]
    terms = {name: label.text() for name, label in dialog.terms.items()}
    assert terms["Licence"] == "no licence stated" and "on disk" not in terms["Size"]
    assert terms["Contents"].startswith(
        "5 parts of a bird (body, wing, tail, head, legs), 4 kinds of each; tokens; 6 reference pictures"
    )
    assert terms["Base model"] == f"{other.base_model.id} (on this computer)" or "not on" in terms["Base model"]
    assert len(session.state.packs) == 1, "nothing is added before"
    dialog.no.click()
    assert len(session.state.packs) == 1
    drop(window, place)
    again = asked(qtbot, PackOfferDialog)
    assert isinstance(again, PackOfferDialog)
    qtbot.keyClick(again, Qt.Key.Key_Return)
    opened_pack(qtbot, session, "Other birds")


def test_import_pack_asks_too(qtbot: QtBot, window: MainWindow, session: Session, other: Pack, tmp_path: Path) -> None:
    file = write_archive(other, tmp_path / "birds.partpack")
    window.import_pack.trigger()
    chooser = window.findChild(QFileDialog)
    assert chooser is not None
    type_name(chooser, file)
    chooser.fileSelected.emit(str(file))
    chooser.close()
    dialog = asked(qtbot, PackOfferDialog)
    assert isinstance(dialog, PackOfferDialog)
    dialog.add.click()
    opened_pack(qtbot, session, "Other birds")


@pytest.mark.parametrize("dropped", ["", "checkpoint-74900", "checkpoint-74900/pytorch_model_1.bin"])
def test_a_published_checkpoint_is_known_and_imported(
    qtbot: QtBot, window: MainWindow, session: Session, opened: Opened, tmp_path: Path, dropped: str
) -> None:
    place = checkpoint(tmp_path / "dreamcreature-sd1.5-cub200" / "checkpoint-74900").parent
    drop(window, place / dropped)
    dialog = asked(qtbot, CheckpointDialog)
    assert isinstance(dialog, CheckpointDialog)
    assert dialog.which.currentData() == "birds" and not dialog.title.isVisible()
    assert not session.state.learning.shown, "the wizard has nothing to do with it"
    dialog.take.click()
    pack = opened_pack(qtbot, session, "200 birds")
    assert len(pack.references) == 4 and said(opened, "The vocabulary is here.")


def test_another_checkpoint_gets_a_title(qtbot: QtBot, window: MainWindow, session: Session, tmp_path: Path) -> None:
    drop(window, checkpoint(tmp_path / "my fish" / "checkpoint-20", ("model.safetensors", "model_1.safetensors")))
    dialog = asked(qtbot, CheckpointDialog)
    assert isinstance(dialog, CheckpointDialog)
    assert dialog.which.currentData() == "" and dialog.title.text() == "my fish" and dialog.title.isVisible()
    dialog.title.setText("Fish")
    dialog.take.click()
    opened_pack(qtbot, session, "Fish")


def test_a_checkpoint_that_cannot_be_read_says_why(
    qtbot: QtBot, window: MainWindow, opened: Opened, script: Callable[..., None], tmp_path: Path
) -> None:
    script(importcheckpoint={"fail": ["This is not a token mapper of the original.", "Choose another checkpoint."]})
    drop(window, checkpoint(tmp_path / "x", ("lora_layers.pth", "hash_mapper.pth")))
    dialog = asked(qtbot, CheckpointDialog)
    assert isinstance(dialog, CheckpointDialog)
    dialog.take.click()
    qtbot.waitUntil(lambda: said(opened, "not a token mapper"), timeout=WAIT)
    assert not opened.session.state.vocabularies.importing


def test_a_model_leads_to_the_page_of_models(
    qtbot: QtBot, window: MainWindow, session: Session, tmp_path: Path
) -> None:
    folder = fakes.make_base_config(tmp_path / "models of mine" / "my base")
    (folder / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    drop(window, folder)
    page = asked(qtbot, ModelsDialog)
    assert isinstance(page, ModelsDialog)
    qtbot.waitUntil(page.consent.isVisible, timeout=WAIT)
    assert page.consent.question.text() == f"Use the model in {folder}?" and added_folders() == []
    page.consent.yes.click()
    qtbot.waitUntil(lambda: str(folder) in page.rows, timeout=WAIT)
    assert added_folders() == [folder] and not page.consent.isVisible()


def test_a_base_model_that_was_moved_is_found_in_an_added_folder(
    qtbot: QtBot, window: MainWindow, session: Session, tmp_path: Path
) -> None:
    gone = tmp_path / "was here" / "my base"
    failed = Failed(f"There is no folder {gone}.", "Put it back there.", model=str(gone))
    action = session.message_of(failed).action
    assert action is not None and action.label == "Find the model…"
    action.run()
    page = asked(qtbot, ModelsDialog)
    assert isinstance(page, ModelsDialog)
    qtbot.waitUntil(page.consent.isVisible, timeout=WAIT)
    assert "is not on this computer any more" in page.consent.question.text() and not page.consent.yes.isVisible()
    assert "add the folder in which it is now" in page.consent.terms.text()


def test_nothing_is_looked_at_on_the_qt_thread(qtbot: QtBot, window: MainWindow, other: Pack, tmp_path: Path) -> None:
    checkpoint(tmp_path / "fish" / "checkpoint-20")
    file = write_archive(other, tmp_path / "birds.partpack")
    with file_access() as notes:
        for place, kind in ((file, PackOfferDialog), (tmp_path / "fish", CheckpointDialog)):
            drop(window, place)
            asked(qtbot, kind).close()
    assert not notes, notes


def test_what_a_path_is(tmp_path: Path, other: Pack) -> None:
    def kind(path: Path) -> str:
        return look_at_dropped(path).kind

    (tmp_path / "pictures").mkdir()
    (tmp_path / "bird.png").write_bytes(b"x")
    assert kind(tmp_path / "pictures") == "folder" and kind(tmp_path / "bird.png") == "file"
    assert (
        kind(tmp_path / "gone") == "file" and kind(tmp_path / "gone.partpack") == "pack" and kind(other.path) == "pack"
    )
    transformer = tmp_path / "bert"
    transformer.mkdir()
    (transformer / "pytorch_model.bin").write_bytes(b"x")
    assert kind(transformer) == "folder", "one file of that name is none of ours"
    eyes = tmp_path / "eyes"
    eyes.mkdir()
    (eyes / "config.json").write_text('{"model_type": "dinov2"}')
    assert kind(eyes) == "folder", "a description alone is no model"
    save_file({"x": np.zeros(1)}, eyes / "model.safetensors")
    assert kind(eyes) == "model"
    end = checkpoint(tmp_path / "out", ("lora_layers.pth", "hash_mapper.pth"))
    (end / "pretrained_kmeans.pth").write_bytes(b"x")
    for path in (end, end / "hash_mapper.pth", end / "pretrained_kmeans.pth"):
        dropped = look_at_dropped(path)
        assert dropped.kind == "checkpoint" and dropped.original is not None and dropped.published is None
        assert dropped.original.centroids == end / "pretrained_kmeans.pth"
    checkpoint(tmp_path / "repository" / "a" / "checkpoint-3")
    newest = checkpoint(tmp_path / "repository" / "a" / "checkpoint-150000")
    found = look_at_dropped(tmp_path / "repository")
    assert found.original is not None and found.original.folder == newest and found.published is PUBLISHED[1]
