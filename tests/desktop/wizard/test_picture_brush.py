"""Correcting pictures of the wall by hand: the brush, leaving out, undo, and what is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QAbstractButton, QWidget
from pytestqt.qtbot import QtBot

from engine.core.correction import ANY_PART
from engine.core.segmentation import NO_PART
from engine.worker.jobs import SeenPicture
from partcraft_desktop.app.learning.controller import LearningController
from partcraft_desktop.app.learning.draft import Draft
from partcraft_desktop.app.learning.part_sorting import PartSorting
from partcraft_desktop.app.learning.picture_edits import PartStroke, strokes_from, thinned
from partcraft_desktop.app.learning.planning import discover_job
from partcraft_desktop.app.session import Session
from partcraft_desktop.window.main_window import MainWindow
from partcraft_desktop.wizard.parts_page import PartsPage
from partcraft_desktop.wizard.wizard import TrainingWizard
from tests import fakes
from tests.desktop.conftest import WAIT, Opened

HEAD, WING = 3, 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fakes.make_folder(tmp_path / "pictures" / "garden birds", ("Cardinal", "Ёжик"), 3)


@pytest.fixture
def learning(session: Session) -> LearningController:
    return session.learning


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow, learning: LearningController, folder: Path) -> PartsPage:
    """The Parts page with its wall."""
    learning.show()
    assert window.wizard is not None
    learning.open_folder(folder)
    wizard: TrainingWizard = window.wizard
    qtbot.waitUntil(lambda: wizard.next.isEnabled(), timeout=WAIT)
    wizard.next.click()
    page = wizard.page(PartsPage)
    qtbot.waitUntil(lambda: learning.now.sorted and len(page.wall.canvas.tiles) == 6, timeout=WAIT)
    return page


def button(page: QWidget, name: str) -> QAbstractButton:
    found = [one for one in page.findChildren(QAbstractButton) if one.accessibleName() == name and one.isVisible()]
    assert len(found) == 1, f"{len(found)} buttons called {name}"
    return found[0]


def seen(learning: LearningController, index: int) -> SeenPicture:
    return learning.now.wall[index]


def open_with_keys(qtbot: QtBot, page: PartsPage, index: int) -> None:
    canvas = page.wall.canvas
    canvas.setFocus()
    canvas.current = index
    qtbot.keyClick(canvas, Qt.Key.Key_Return)
    assert page.brush.isVisible() and not page.wall.isVisible()


def at(page: PartsPage, x: float, y: float) -> QPoint:
    target = page.brush.canvas.target()
    return QPointF(target.x() + x * target.width(), target.y() + y * target.height()).toPoint()


def drag(qtbot: QtBot, page: PartsPage, *points: tuple[float, float]) -> None:
    canvas = page.brush.canvas
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=at(page, *points[0]))
    for point in points[1:]:
        qtbot.mouseMove(canvas, at(page, *point))
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=at(page, *points[-1]))


def labels_at(picture: SeenPicture, x: float, y: float) -> int:
    height, width = picture.labels.shape
    return int(picture.labels[int(y * height), int(x * width)])


def looked_again(qtbot: QtBot, learning: LearningController) -> None:
    """Wait until what was found has the corrections of now."""

    def landed() -> bool:
        found = learning.now.parts_found
        same = found is not None and all(
            (one.labels == other.labels).all() and one.left_out == other.left_out
            for one, other in zip(found.wall, learning.now.wall, strict=True)
        )
        return same and learning.now.sorted

    qtbot.waitUntil(landed, timeout=WAIT)


def test_a_stroke_by_mouse_adds_to_a_part_at_once(
    qtbot: QtBot, page: PartsPage, learning: LearningController, folder: Path
) -> None:
    canvas = page.wall.canvas
    qtbot.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect_of(1).center())
    assert page.brush.isVisible() and page.brush.picture == seen(learning, 1).picture
    page.list.setCurrentIndex(page.list.parts.index(HEAD))
    assert page.brush.part.currentText() == "head"
    assert labels_at(seen(learning, 1), 0.1, 0.1) == NO_PART
    drag(qtbot, page, (0.1, 0.1), (0.2, 0.1), (0.3, 0.1))
    assert [labels_at(seen(learning, 1), x, 0.1) for x in (0.1, 0.2, 0.3)] == [HEAD] * 3
    assert labels_at(seen(learning, 0), 0.2, 0.1) == NO_PART
    (correction,) = learning.now.draft.sorting.corrections
    assert correction.picture == "Cardinal/0-1.png" and correction.label == HEAD
    button(page, "Take away").click()
    drag(qtbot, page, (0.77, 0.3), (0.77, 0.31))
    assert labels_at(seen(learning, 1), 0.77, 0.3) == NO_PART
    assert "parts" not in learning.now.jobs, "while a person paints, nothing is looked for"
    button(page, "Done").click()
    assert page.wall.isVisible() and not page.brush.isVisible()
    looked_again(qtbot, learning)
    assert page.edits.isVisible() and page.edits.text() == "1 picture corrected by hand; the others follow."
    assert labels_at(seen(learning, 1), 0.2, 0.1) == HEAD and labels_at(seen(learning, 1), 0.77, 0.3) == NO_PART


def test_painting_is_undone_step_by_step(
    qtbot: QtBot, window: MainWindow, page: PartsPage, learning: LearningController
) -> None:
    before = [one.labels.copy() for one in learning.now.wall]
    open_with_keys(qtbot, page, 0)
    page.brush.choose(WING)
    drag(qtbot, page, (0.1, 0.1), (0.3, 0.1))
    drag(qtbot, page, (0.1, 0.9), (0.3, 0.9))
    assert len(learning.now.draft.sorting.strokes) == 2
    button(page, "Undo").click()
    assert labels_at(seen(learning, 0), 0.2, 0.9) == NO_PART and labels_at(seen(learning, 0), 0.2, 0.1) == WING
    window.undo.trigger()
    assert not learning.now.draft.sorting.strokes
    learning.parts.redo()
    assert len(learning.now.draft.sorting.strokes) == 1
    learning.parts.undo()
    qtbot.keyClick(page.brush.canvas, Qt.Key.Key_Escape)
    assert page.wall.isVisible() and learning.now.shown, "Esc puts the brush down and no more"
    looked_again(qtbot, learning)
    assert all((one.labels == old).all() for one, old in zip(learning.now.wall, before, strict=True))
    assert not page.edits.isVisible()


def test_the_keyboard_paints_too(qtbot: QtBot, page: PartsPage, learning: LearningController) -> None:
    open_with_keys(qtbot, page, 2)
    canvas = page.brush.canvas
    assert (canvas.hasFocus() and "2" not in canvas.accessibleName()) or canvas.accessibleName()
    page.brush.choose(HEAD)
    for _ in range(60):
        qtbot.keyClick(canvas, Qt.Key.Key_Up)
    qtbot.keyClick(canvas, Qt.Key.Key_Space)
    assert labels_at(seen(learning, 2), 0.5, 0.01) == HEAD
    size = page.brush.brush_size.value()
    qtbot.keyClick(canvas, Qt.Key.Key_BracketRight)
    assert page.brush.brush_size.value() == size + 1
    qtbot.keyPress(canvas, Qt.Key.Key_Shift, Qt.KeyboardModifier.ShiftModifier)
    for _ in range(60):
        qtbot.keyPress(canvas, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyRelease(canvas, Qt.Key.Key_Shift)
    assert len(learning.now.draft.sorting.strokes) == 2
    assert labels_at(seen(learning, 2), 0.02, 0.01) == HEAD and labels_at(seen(learning, 2), 0.3, 0.01) == HEAD


def test_a_picture_is_left_out_by_key_and_taken_in_again(
    qtbot: QtBot, page: PartsPage, learning: LearningController
) -> None:
    canvas = page.wall.canvas
    canvas.setFocus()
    qtbot.keyClick(canvas, Qt.Key.Key_Right)
    assert canvas.current == 1 and canvas.accessibleDescription() == "0-1.png, picture 2 of 6"
    qtbot.keyClick(canvas, Qt.Key.Key_Delete)
    assert learning.now.draft.sorting.left_out == ("Cardinal/0-1.png",)
    assert seen(learning, 1).left_out and (seen(learning, 1).labels == NO_PART).all()
    qtbot.waitUntil(lambda: canvas.tiles[1].picture.left_out, timeout=WAIT)
    assert canvas.accessibleDescription().endswith("left out")
    qtbot.keyClick(canvas, Qt.Key.Key_Return)
    assert not page.brush.isVisible(), "there is nothing to correct in it"
    looked_again(qtbot, learning)
    assert page.edits.text() == "1 picture left out: nothing is learned there."
    job = discover_job(learning.now, "out")
    assert job.left_out == ("Cardinal/0-1.png",)
    button(page, "Take in again").click()
    assert not learning.now.draft.sorting.left_out
    looked_again(qtbot, learning)
    assert not seen(learning, 1).left_out and (seen(learning, 1).labels != NO_PART).any()


def test_the_last_picture_stays(qtbot: QtBot, page: PartsPage, learning: LearningController) -> None:
    for index in range(6):
        learning.parts.leave_out(seen(learning, index).picture)
    assert len(learning.now.draft.sorting.left_out) == 5
    learning.parts.undo()
    assert len(learning.now.draft.sorting.left_out) == 4


def test_tools_appear_on_the_tile_under_the_pointer(
    qtbot: QtBot, page: PartsPage, learning: LearningController
) -> None:
    canvas = page.wall.canvas
    qtbot.mouseMove(canvas, canvas.rect_of(4).center())
    qtbot.waitUntil(canvas.tools.isVisible, timeout=WAIT)
    assert canvas.rect_of(4).contains(canvas.tools.geometry())
    button(page, "Leave out").click()
    assert learning.now.draft.sorting.left_out == ("Ёжик/1-1.png",)
    looked_again(qtbot, learning)
    qtbot.mouseMove(canvas, canvas.rect_of(3).center())
    button(page, "Correct the parts").click()
    assert page.brush.picture == seen(learning, 3).picture


def test_the_wall_stays_where_it_was(
    qtbot: QtBot, window: MainWindow, page: PartsPage, learning: LearningController
) -> None:
    window.resize(820, 480)
    canvas, bar = page.wall.canvas, page.wall.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 40, timeout=WAIT)
    bar.setValue(0)
    qtbot.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect_of(1).center())
    button(page, "Done").click()
    qtbot.waitUntil(page.wall.isVisible, timeout=WAIT)
    assert bar.value() == 0
    for _ in range(2 * canvas.columns()):
        qtbot.keyClick(canvas, Qt.Key.Key_Right)
    assert canvas.visibleRegion().boundingRect().contains(canvas.rect_of(canvas.current)), (
        "the keyboard brings it along"
    )


def test_corrections_survive_a_restart(
    qtbot: QtBot, page: PartsPage, learning: LearningController, opened: Opened, open_session: Callable[[], Opened]
) -> None:
    open_with_keys(qtbot, page, 0)
    page.brush.choose(HEAD)
    drag(qtbot, page, (0.1, 0.1), (0.3, 0.1))
    button(page, "Done").click()
    learning.parts.leave_out(seen(learning, 5).picture)
    looked_again(qtbot, learning)
    sorting = learning.now.draft.sorting
    opened.close()
    again = open_session().session.learning
    assert again.now.draft.sorting.strokes == sorting.strokes and again.now.draft.sorting.left_out == sorting.left_out
    again.show()
    qtbot.waitUntil(lambda: again.now.sorted, timeout=WAIT)
    assert labels_at(seen(again, 0), 0.2, 0.1) == HEAD and seen(again, 5).left_out


def test_another_number_of_parts_keeps_corrections(qtbot: QtBot, page: PartsPage, learning: LearningController) -> None:
    learning.parts.paint(seen(learning, 0).picture, HEAD, [(0.1, 0.1), (0.3, 0.1)], (0.05, 0.05))
    learning.parts.paint(seen(learning, 0).picture, 4, [(0.1, 0.9)], (0.05, 0.05))
    learning.parts.paint(seen(learning, 0).picture, None, [(0.9, 0.9)], (0.05, 0.05))
    looked_again(qtbot, learning)
    learning.parts.set_clusters(4)
    qtbot.waitUntil(lambda: learning.now.sorted and len(learning.now.draft.sorting.parts) == 4, timeout=WAIT)
    looked_again(qtbot, learning)
    sorting = learning.now.draft.sorting
    head, legs, background = (one.label for one in sorting.corrections)
    assert head is not None and sorting.parts[head].name == "head" and background is None
    assert legs == ANY_PART, "four clusters share legs out to another part"
    assert "1 stroke of parts that are not there now" in page.edits.text()
    learning.parts.set_clusters(5)
    qtbot.waitUntil(lambda: learning.now.sorted and len(learning.now.draft.sorting.parts) == 5, timeout=WAIT)
    assert [one.label for one in learning.now.draft.sorting.corrections] == [HEAD, 4, None]


def test_a_merged_part_takes_strokes_and_keeps_them_when_it_is_split(
    qtbot: QtBot, page: PartsPage, learning: LearningController
) -> None:
    learning.parts.merge(0, 1)
    looked_again(qtbot, learning)
    learning.parts.paint(seen(learning, 0).picture, 0, [(0.1, 0.1)], (0.05, 0.05))
    looked_again(qtbot, learning)
    assert labels_at(seen(learning, 0), 0.1, 0.1) == 0
    learning.parts.split(0)
    looked_again(qtbot, learning)
    assert labels_at(seen(learning, 0), 0.1, 0.1) == 0 and len(learning.now.draft.sorting.parts) == 5


def test_other_eyes_keep_what_was_said_of_the_background(page: PartsPage, learning: LearningController) -> None:
    learning.parts.paint(seen(learning, 0).picture, HEAD, [(0.1, 0.1)], (0.05, 0.05))
    learning.parts.leave_out(seen(learning, 1).picture)
    anew = learning.now.draft.sorting.anew()
    assert [one.label for one in anew.corrections] == [ANY_PART] and anew.left_out == ("Cardinal/0-1.png",)


def test_strokes_are_kept_as_json_and_nonsense_is_left_out() -> None:
    strokes = (
        PartStroke("a/ж.png", ((0.1, 0.2), (0.5, 0.5)), (0.1, 0.2), False, {(5, False): 3, (6, True): 1}),
        PartStroke("b.png", ((0.1, 0.2),), (0.1, 0.2), True),
    )
    draft = Draft("parts", "/f", sorting=PartSorting(5, strokes=strokes, left_out=("c.png",)))
    assert Draft.from_document(draft.to_document()).sorting == draft.sorting
    lines = [one.to_document() for one in strokes]
    lines[0]["clusters"] = [[5, 0, 3], [5, False, -1], "x", [5, False, 2]]
    lines[1]["radius"] = [0, 1]
    (only,) = strokes_from([*lines, None, 3])
    assert only.clusters == {(5, False): 2}
    assert strokes_from({"a": 1}) == ()
    assert "strokes" not in Draft("parts").to_document()["sorting"], "drafts without corrections are as they were"


def test_strokes_are_thinned_and_look_the_same() -> None:
    points = [(0.1 + 0.0005 * step, 0.5) for step in range(1000)]
    few = thinned(points, (0.05, 0.05))
    assert len(few) < 100
    one, other = (PartStroke("a", some, (0.05, 0.05)).correction((1, False)).covers(200, 200)
                  for some in (tuple(points), few))  # fmt: skip
    assert np.mean(one ^ other) < 0.001
