"""The wizard's pages as they are seen and used: mouse, keys, names for assistive tools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLineEdit, QListView, QMenu, QSlider, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from engine.core.match_rate import MatchRate
from engine.core.resemblance import Resemblance
from engine.runs.plan import suitable_settings
from engine.runs.run import Run
from engine.worker.jobs import Problem
from partcraft_desktop.app.learning.controller import LearningController
from partcraft_desktop.app.session import Session
from partcraft_desktop.library.pack_menu import finished_text
from partcraft_desktop.widgets.picture_dialog import PictureDialog
from partcraft_desktop.widgets.text import amount
from partcraft_desktop.window.main_window import MainWindow
from partcraft_desktop.wizard.done_page import DonePage, match_rate_text, report_text
from partcraft_desktop.wizard.loss_plot import LossPlot, decimated, smoothed
from partcraft_desktop.wizard.parts_page import PartsPage
from partcraft_desktop.wizard.pictures_page import PicturesPage
from partcraft_desktop.wizard.plan_page import PlanPage
from partcraft_desktop.wizard.training_page import TrainingPage, run_share, run_text
from partcraft_desktop.wizard.wizard import TrainingWizard
from tests import fakes
from tests.desktop.conftest import WAIT, Opened

STEPS = suitable_settings("starter/base")["steps"]
"""What the balanced preset takes."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fakes.make_folder(tmp_path / "pictures" / "garden birds", ("Cardinal", "Ёжик", "طائر الجنة"), 3)


@pytest.fixture
def learning(session: Session) -> LearningController:
    return session.learning


@pytest.fixture
def wizard(window: MainWindow, learning: LearningController) -> TrainingWizard:
    learning.show()
    assert window.wizard is not None
    return window.wizard


def named(wizard: QWidget, name: str) -> QAbstractButton:
    found = [b for b in wizard.findChildren(QAbstractButton) if b.accessibleName() == name and b.isVisible()]
    assert len(found) == 1, f"{len(found)} buttons called {name}"
    return found[0]


def to_parts(qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path) -> None:
    learning.open_folder(folder)
    qtbot.waitUntil(lambda: wizard.next.isEnabled(), timeout=WAIT)
    wizard.next.click()
    qtbot.waitUntil(lambda: learning.now.sorted and bool(wizard.page(PartsPage).wall.canvas.tiles), timeout=WAIT)


def to_learning(qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path) -> str:
    to_parts(qtbot, wizard, learning, folder)
    wizard.next.click()
    wizard.next.click()
    qtbot.waitUntil(lambda: learning.now.run is not None, timeout=WAIT)
    return learning.now.draft.run


def test_the_empty_page_invites(wizard: TrainingWizard, window: MainWindow) -> None:
    assert wizard.page(PicturesPage).drop_area.isVisible()
    assert not wizard.next.isEnabled() and not wizard.back.isVisible()
    assert named(wizard, "Try it with the practice birds").isEnabled()
    asked: list[bool] = []
    wizard.folder_wanted.disconnect()
    wizard.folder_wanted.connect(lambda: asked.append(True))
    named(wizard, "Choose folder").click()
    assert asked == [True]


def test_a_folder_shows_its_pictures_kinds_and_problems(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    script(survey={"problems": [["Cardinal/0-0.png", "duplicate", "0-0.png shows the same picture as another."]]})
    learning.open_folder(folder)
    qtbot.waitUntil(lambda: wizard.next.isEnabled(), timeout=WAIT)
    page = wizard.page(PicturesPage)
    assert page.counts.text() == "8 pictures of 3 kinds; left out: 1 there twice"
    assert page.grid.pictures.rowCount() == 8 and page.kinds.count() == 3
    assert page.problems.item(0).text() == "0-0.png shows the same picture as another."
    assert page.grid.pictures.index(0).data(Qt.ItemDataRole.AccessibleTextRole).startswith("Cardinal / ")


def test_what_was_taken_for_what_is_said_and_counts_for_no_picture(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    notes = [["", "note", "train, val are parts of one collection: the kinds are the folders in them."]]
    script(survey={"problems": notes})
    learning.open_folder(folder)
    qtbot.waitUntil(lambda: wizard.next.isEnabled(), timeout=WAIT)
    page = wizard.page(PicturesPage)
    assert page.problems_title.text() == "Notes on the folder" and page.problems.isVisible()
    other = ["a.heic", "format", "a.heic (HEIC) is of a kind that PartCraft does not open: save it as PNG or JPEG."]
    page._show_problems([Problem(*one) for one in [*notes, other]])
    assert page.problems_title.text() == "1 picture left out, and notes"


def test_a_thousand_pictures_are_only_read_when_seen(qtbot: QtBot, wizard: TrainingWizard, folder: Path) -> None:
    grid = wizard.page(PicturesPage).grid
    wizard.page(PicturesPage).stack.setCurrentIndex(1)
    grid.pictures.show([str(folder / f"{number}.png") for number in range(30_000)])
    assert grid.pictures.rowCount() == 30_000


def test_a_failure_is_told_with_a_next_step(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    script(survey={"fail": ["The folder is gone.", "Plug the drive in again."]})
    learning.open_folder(folder)
    box = wizard.page(PicturesPage).error_box
    qtbot.waitUntil(box.isVisible, timeout=WAIT)
    assert (box.message.text(), box.hint.text()) == ("The folder is gone.", "Plug the drive in again.")
    script()
    named(wizard, "Try again").click()
    qtbot.waitUntil(lambda: wizard.next.isEnabled() and not box.isVisible(), timeout=WAIT)


def test_pointing_at_a_part_lights_it_everywhere(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path
) -> None:
    to_parts(qtbot, wizard, learning, folder)
    canvas = wizard.page(PartsPage).wall.canvas
    rect = canvas.rect_of(1)
    head = QPoint(round(rect.x() + rect.width() * 0.77), round(rect.y() + rect.height() * 0.25))
    assert canvas.part_at(head) == 3
    where, none = QPointF(head), Qt.MouseButton.NoButton
    move = QMouseEvent(
        QEvent.Type.MouseMove, where, canvas.mapToGlobal(where), none, none, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(canvas, move)
    assert canvas.lit == 3 and wizard.page(PartsPage).list.lit == 3
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=head)
    assert wizard.page(PartsPage).list.selected() == [3]


def test_parts_are_renamed_merged_and_dropped_by_keyboard(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path
) -> None:
    to_parts(qtbot, wizard, learning, folder)
    parts = wizard.page(PartsPage).list
    parts.setFocus()
    parts.setCurrentIndex(parts.parts.index(0))
    qtbot.keyClick(parts, Qt.Key.Key_F2)
    editor = parts.findChild(QLineEdit)
    assert editor is not None
    editor.setText("جسم")  # QTest types ASCII only
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: learning.now.draft.sorting.parts[0].name == "جسم", timeout=WAIT)
    qtbot.keyClick(parts, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert parts.selected() == [0, 1]
    named(wizard, "Merge").click()
    assert [part.name for part in learning.now.draft.sorting.parts] == ["جسم", "tail", "head", "legs"]
    parts.setCurrentIndex(parts.parts.index(3))
    qtbot.keyClick(parts, Qt.Key.Key_Delete)
    assert learning.now.draft.sorting.parts[3].dropped
    assert parts.parts.index(3).data(Qt.ItemDataRole.AccessibleTextRole).endswith("dropped")
    assert wizard.page(PartsPage).count.text() == "3 parts, 1 dropped"
    qtbot.waitUntil(lambda: wizard.undo.isEnabled(), timeout=WAIT)
    for _ in range(3):
        wizard.undo.click()
    assert [part.name for part in learning.now.draft.sorting.parts] == list(fakes.PARTS)


def test_a_name_that_is_taken_is_said_below(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path
) -> None:
    to_parts(qtbot, wizard, learning, folder)
    page = wizard.page(PartsPage)
    page.list.parts.setData(page.list.parts.index(0), "Wing")
    assert "Another part" in page.hint.text() and page.hint.isVisible()
    assert learning.now.draft.sorting.parts[0].name == "body"


def test_one_part_is_dragged_onto_another(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path
) -> None:
    to_parts(qtbot, wizard, learning, folder)
    model = wizard.page(PartsPage).list.parts
    data = model.mimeData([model.index(2)])
    assert model.dropMimeData(data, Qt.DropAction.CopyAction, -1, -1, model.index(1))
    assert learning.now.draft.sorting.merged == ((1, 2),)


def test_parts_that_look_alike_are_proposed(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    script(findparts={"alike": [[1, 2]]})
    to_parts(qtbot, wizard, learning, folder)
    named(wizard, "“wing” and “tail” look alike: merge them").click()
    assert len(learning.now.draft.sorting.parts) == 4


def test_the_slider_asks_for_other_parts_and_the_suggestion_brings_it_back(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path
) -> None:
    to_parts(qtbot, wizard, learning, folder)
    page = wizard.page(PartsPage)
    assert "Five parts" in page.reason.text() and not page.suggestion.isVisible()
    page.slider.setFocus()
    for _ in range(2):
        qtbot.keyClick(page.slider, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: learning.now.sorted and len(learning.now.draft.sorting.parts) == 7, timeout=WAIT)
    named(wizard, "Use the suggested 5").click()
    qtbot.waitUntil(lambda: learning.now.sorted and len(learning.now.draft.sorting.parts) == 5, timeout=WAIT)
    assert page.slider.value() == 5


def test_the_plan_says_what_it_costs(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    script(measure={"seconds": 112 / (STEPS // 4), "memory": 1.2e9})
    to_parts(qtbot, wizard, learning, folder)
    wizard.next.click()
    page = wizard.page(PlanPage)
    assert {card.cost for card in page.cards.cards.values()} == {""}
    qtbot.waitUntil(lambda: learning.now.measured is not None, timeout=WAIT)
    assert page.cards.cards["quick"].cost == "about 2 min, 1.2 GB"
    assert not page.memory.isVisible()
    page.cards.cards["thorough"].click()
    assert learning.now.draft.plan.preset == "thorough"
    qtbot.keyClicks(page.noun, "x")
    assert learning.now.draft.plan.noun.startswith("x")
    page.fold.click()
    assert page.steps.isVisible()
    page.steps.edit.setText("77")
    qtbot.keyClick(page.steps.edit, Qt.Key.Key_Return)
    assert learning.now.draft.plan.steps == 77 and "77 steps" in page.cost.text()
    assert not any(card.isChecked() for card in page.cards.cards.values())


def test_too_little_memory_is_said_with_a_next_step(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    script(measure={"memory": 9e15})
    to_parts(qtbot, wizard, learning, folder)
    wizard.next.click()
    qtbot.waitUntil(wizard.page(PlanPage).memory.isVisible, timeout=WAIT)
    assert "smaller batch" in wizard.page(PlanPage).memory.hint.text()


def test_a_training_is_watched(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, opened: Opened, window: MainWindow
) -> None:
    run = to_learning(qtbot, wizard, learning, folder)
    opened.runs.learned(run, STEPS // 2)
    opened.runs.tell(run, seconds_left=90.0)
    page = wizard.page(TrainingPage)
    qtbot.waitUntil(lambda: len(page.grid.canvas.steps) == 2, timeout=WAIT)
    qtbot.waitUntil(lambda: page.grid.canvas.rows[-1].name == "legs", timeout=WAIT)
    assert page.doing.text() == f"Learning, {STEPS // 2} of {STEPS}, 2 min left" and page.bar.share == 0.5
    assert f"Step {STEPS // 2}" in page.plot.accessibleDescription()
    page.grid.canvas.setFocus()
    qtbot.keyClick(page.grid.canvas, Qt.Key.Key_Down)
    qtbot.keyClick(page.grid.canvas, Qt.Key.Key_Right)
    assert page.grid.canvas.accessibleDescription() == f"head after step {STEPS // 2}"
    qtbot.keyClick(page.grid.canvas, Qt.Key.Key_Return)
    dialog = window.findChild(PictureDialog)
    assert dialog is not None
    dialog.reject()
    named(wizard, "Back to mixing").click()
    assert not wizard.isVisible() and window.status.training.text() == "Learning “Garden birds” 50%, 2 min left"
    window.status.training.click()
    assert wizard.isVisible() and not window.status.training.isVisible()
    named(wizard, "Pause").click()
    qtbot.waitUntil(lambda: ("pause", run) in opened.runs.asked, timeout=WAIT)
    assert "Pausing" in page.doing.text() and not page.stop.isEnabled()


def test_a_training_that_was_stopped_leads_to_its_pack_and_back(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, opened: Opened
) -> None:
    run = to_learning(qtbot, wizard, learning, folder)
    opened.runs.learned(run, 20)
    opened.runs.finish(run, state="stopped")
    qtbot.waitUntil(wizard.page(DonePage).mix.isVisible, timeout=WAIT)
    named(wizard, "Back").click()
    assert wizard.page(TrainingPage).resume.isVisible() and wizard.next.isEnabled()
    assert wizard.page(TrainingPage).no_samples.text() == "No sample pictures were painted."
    named(wizard, "Done").click()
    assert wizard.page(DonePage).mix.isVisible()


@pytest.mark.parametrize("state", ["failed", "lost"])
def test_a_training_in_trouble_says_so_and_goes_on(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, opened: Opened, state: str
) -> None:
    run = to_learning(qtbot, wizard, learning, folder)
    opened.runs.learned(run, 20)
    opened.runs.tell(run, state=state, message="The disk is full.", hint="Make room.")
    qtbot.waitUntil(wizard.page(TrainingPage).error_box.isVisible, timeout=WAIT)
    assert wizard.page(TrainingPage).error_box.message.text() == "The disk is full."
    named(wizard, "Go on").click()
    qtbot.waitUntil(lambda: learning.now.alive is not None, timeout=WAIT)
    assert not wizard.page(TrainingPage).error_box.isVisible()


def test_done_leads_to_mixing(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, opened: Opened, window: MainWindow
) -> None:
    run = to_learning(qtbot, wizard, learning, folder)
    pack = opened.runs.finish(run, 0.83)
    qtbot.waitUntil(lambda: wizard.page(DonePage).grid.pictures.rowCount() > 0, timeout=WAIT)
    page = wizard.page(DonePage)
    assert "0.83" in page.rate.text() and page.title.text() == "“Garden birds” is ready"
    assert not page.tried.isVisible()
    named(wizard, "Mix now").click()
    assert window.library.isVisible() and window.library.wall.hasFocus()
    qtbot.waitUntil(lambda: bool(window.session.state.pack and window.session.state.pack.id == pack.id), timeout=WAIT)


def test_done_says_that_renders_do_not_resemble_the_pictures(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, opened: Opened
) -> None:
    run = to_learning(qtbot, wizard, learning, folder)
    opened.runs.finish(run, 0.5, resemblance=0.21)
    page = wizard.page(DonePage)
    qtbot.waitUntil(lambda: page.grid.pictures.rowCount() > 0, timeout=WAIT)
    assert page.title.text() == "“Garden birds” does not resemble its pictures"
    assert page.rate.text().startswith("The renders do not resemble your pictures: mix collages now, or learn ")
    assert "0.21" in page.rate.text() and "Match rate" not in page.rate.text() and page.mix.isEnabled()
    learning.hide()
    now = learning.now.run
    assert now is not None and finished_text(now).endswith(", does not resemble its pictures")
    assert run_text(now) == f"Learned. {now.advice}".removesuffix(".")


@pytest.mark.parametrize("value", [float("nan"), -3, 2, "much", True])
def test_done_says_nothing_of_an_absurd_resemblance(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, opened: Opened, value: object
) -> None:
    run = to_learning(qtbot, wizard, learning, folder)
    opened.runs.finish(run, 0.83, resemblance=value)
    page = wizard.page(DonePage)
    qtbot.waitUntil(lambda: page.grid.pictures.rowCount() > 0, timeout=WAIT)
    assert page.title.text() == "“Garden birds” is ready" and page.rate.text() == "Match rate 0.83."


def test_done_shows_what_the_pack_painted(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, opened: Opened, window: MainWindow
) -> None:
    run = to_learning(qtbot, wizard, learning, folder)
    painted = [str(path) for path in sorted(folder.rglob("*.png"))[:3]]
    opened.runs.finish(run, 0.83)
    opened.runs.tell(run, tried=tuple(painted))
    strip = wizard.page(DonePage).tried
    qtbot.waitUntil(lambda: strip.isVisible() and strip.pictures.paths == tuple(painted), timeout=WAIT)
    qtbot.mouseClick(
        strip.viewport(), Qt.MouseButton.LeftButton, pos=strip.visualRect(strip.pictures.index(1)).center()
    )
    dialog = window.findChild(PictureDialog)
    assert dialog is not None and dialog.isVisible()
    dialog.reject()
    strip.setFocus()
    with qtbot.waitSignal(wizard.page(DonePage).enlarge_wanted, timeout=WAIT) as enlarged:
        qtbot.keyClick(strip, Qt.Key.Key_Left)
        qtbot.keyClick(strip, Qt.Key.Key_Return)
    assert enlarged.args == [painted[0]]


def test_done_is_told_anew_when_a_run_went_on(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, opened: Opened
) -> None:
    run = to_learning(qtbot, wizard, learning, folder)
    opened.runs.learned(run, 20)
    opened.runs.finish(run, 0.30, state="stopped")
    qtbot.waitUntil(lambda: "0.30" in wizard.page(DonePage).rate.text(), timeout=WAIT)
    named(wizard, "Back").click()
    named(wizard, "Go on").click()
    page = wizard.page(TrainingPage)
    assert not page.resume.isEnabled() and page.doing.text() == "Going on…"
    qtbot.waitUntil(lambda: learning.now.alive is not None, timeout=WAIT)
    opened.runs.finish(run, 0.90)
    qtbot.waitUntil(lambda: "0.90" in wizard.page(DonePage).rate.text(), timeout=WAIT)


def test_a_name_that_is_typed_survives_what_is_found_meanwhile(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    to_parts(qtbot, wizard, learning, folder)
    found = learning.now.parts_found
    script(findparts={"delay": 0.1})
    learning.parts.merge(0, 1)
    parts = wizard.page(PartsPage).list
    parts.setFocus()
    parts.setCurrentIndex(parts.parts.index(2))
    qtbot.keyClick(parts, Qt.Key.Key_F2)
    editor = parts.findChild(QLineEdit)
    assert editor is not None
    editor.selectAll()
    qtbot.keyClicks(editor, "Kopf")
    qtbot.waitUntil(lambda: learning.now.sorted and learning.now.parts_found is not found, timeout=WAIT)
    assert editor.text() == "Kopf"
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: learning.now.draft.sorting.parts[2].name == "Kopf", timeout=WAIT)
    learning.parts.set_clusters(6)
    parts.setCurrentIndex(parts.parts.index(1))
    qtbot.keyClick(parts, Qt.Key.Key_F2)  # these parts are about to go: they take no names
    assert parts.state() != QListView.State.EditingState


def test_a_menu_closes_when_its_part_may_be_another(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path
) -> None:
    to_parts(qtbot, wizard, learning, folder)
    wizard.page(PartsPage).list.show_colours(4)
    menu = wizard.page(PartsPage).list.findChild(QMenu)
    assert menu is not None and menu.isVisible()
    learning.parts.set_clusters(3)
    qtbot.waitUntil(lambda: len(learning.now.draft.sorting.parts) == 3, timeout=WAIT)
    assert not isValid(menu) or not menu.isVisible()
    before = learning.now.draft.sorting
    learning.parts.recolour(4, "#000000")
    learning.parts.drop(4)
    learning.parts.split(4)
    learning.parts.merge(0, 4)
    assert learning.parts.rename(4, "x") and learning.now.draft.sorting == before


def test_undo_is_for_what_is_on_show(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, window: MainWindow
) -> None:
    to_parts(qtbot, wizard, learning, folder)
    learning.parts.rename(0, "Rumpf")
    assert window.undo.isEnabled()
    learning.next()
    assert not window.undo.isEnabled()


def test_a_picture_that_is_dropped_is_shown(
    qtbot: QtBot, wizard: TrainingWizard, folder: Path, window: MainWindow
) -> None:
    assert wizard.isVisible()
    window.session.open_path(next(folder.rglob("*.png")))
    qtbot.waitUntil(lambda: not wizard.isVisible() and window.view.isVisible(), timeout=WAIT)


def test_the_whole_wizard_by_keyboard_alone(
    qtbot: QtBot, window: MainWindow, learning: LearningController, folder: Path, opened: Opened
) -> None:
    qtbot.keyClick(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    wizard = window.wizard
    assert wizard is not None and wizard.isVisible()
    qtbot.keyClick(wizard.page(PicturesPage), Qt.Key.Key_Tab)
    assert wizard.page(PicturesPage).isAncestorOf(window.focusWidget())
    learning.open_folder(folder)  # a system dialog stands here

    def go_on() -> None:
        qtbot.waitUntil(lambda: wizard.next.isEnabled(), timeout=WAIT)
        if learning.now.draft.page == "parts":  # Ctrl+Return mixes at once
            qtbot.keyClick(window.focusWidget() or wizard, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
        else:
            qtbot.keyClick(window.focusWidget() or wizard, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)

    go_on()
    go_on()
    qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert learning.now.draft.page == "parts"
    go_on()
    qtbot.waitUntil(lambda: learning.now.measured is not None, timeout=WAIT)
    go_on()
    qtbot.waitUntil(lambda: learning.now.run is not None, timeout=WAIT)
    opened.runs.finish(learning.now.draft.run)
    mix = wizard.page(DonePage).mix
    qtbot.waitUntil(lambda: mix.isVisible() and mix.hasFocus(), timeout=WAIT)
    qtbot.keyClick(mix, Qt.Key.Key_Return)
    assert not wizard.isVisible() and window.library.wall.hasFocus()
    qtbot.keyClick(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(wizard.page(DonePage), Qt.Key.Key_Escape)
    assert not wizard.isVisible()


def test_everything_has_a_name_for_assistive_tools(
    qtbot: QtBot, wizard: TrainingWizard, learning: LearningController, folder: Path, opened: Opened
) -> None:
    run = to_learning(qtbot, wizard, learning, folder)
    opened.runs.learned(run, 300)
    kinds = (QAbstractButton, QComboBox, QLineEdit, QSlider, QListView)
    for page in (wizard, *wizard.pages.values()):
        assert page.accessibleName()
    unnamed = [
        widget
        for kind in kinds
        for widget in wizard.findChildren(kind)
        if not widget.accessibleName() and not (isinstance(widget, QAbstractButton) and widget.text())
        if not any(widget in box.findChildren(QListView) for box in wizard.findChildren(QComboBox))  # its own popup
    ]
    hidden = {"ErrorBox"}
    assert not [widget for widget in unnamed if type(widget.parentWidget()).__name__ not in hidden], unnamed


def test_long_names_do_not_widen_the_window(
    qtbot: QtBot, window: MainWindow, wizard: TrainingWizard, learning: LearningController, tmp_path: Path
) -> None:
    long = "Greater antillean long-tailed Снегирь der Nordwestküste und aller Inseln dazwischen"
    folder = fakes.make_folder(tmp_path / (long * 2)[:120], (long, f"{long} 2"), 2)
    to_parts(qtbot, wizard, learning, folder)
    learning.parts.rename(0, long[:60])
    wizard.next.click()
    window.resize(window.minimumSize())
    assert wizard.minimumSizeHint().width() <= 720 and window.width() == 720
    assert learning.now.draft.plan.title.startswith("Greater")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(1, 50))
def test_no_spike_is_lost_by_decimation(values: list[float], columns: int) -> None:
    xs = np.arange(len(values), dtype=float)
    x, y = decimated(xs, np.array(values), columns)
    assert y.max() == max(values) and y.min() == min(values)
    assert len(x) <= max(2 * columns, len(values)) and (np.diff(x) > 0).all()


def test_the_smoothed_loss_begins_where_the_loss_begins() -> None:
    values = np.array([2.0, 2.0, np.nan, 2.0])
    assert np.allclose(smoothed(values), 2.0)


def test_a_plot_reads_what_is_under_the_pointer(qtbot: QtBot, themed: object) -> None:
    plot = LossPlot()
    qtbot.addWidget(plot)
    plot.resize(500, 300)
    plot.show_losses([(step, 1 / step, float("nan") if step == 7 else 0.1) for step in range(1, 101)], 200)
    plot.show()
    assert plot.entry_at(plot.strips()[0].left()) == 0
    assert plot.entry_at(plot.strips()[0].center().x()) == 99
    assert plot.reading(6) == "Step 7: diffusion 0.143, attention not a number"
    plot.setFocus()
    qtbot.keyClick(plot, Qt.Key.Key_Left)
    assert plot.at == 98
    plot.grab()


def test_words() -> None:
    assert amount(1, "picture") == "1 picture" and amount(6000, "kind") == "6,000 kinds"
    assert match_rate_text(None) == "" and match_rate_text(MatchRate(0.83)) == "Match rate 0.83."
    hardly = "Match rate 0.62 where guessing gives 0.50: hardly better than guessing (40 parts)."
    assert match_rate_text(MatchRate(0.62, 40, 0.5)) == f"{hardly} Learning longer, or from more pictures, may help."
    good = "Match rate 0.83. Resemblance 0.94 where likeness begins at 0.85: the renders resemble the pictures."
    assert report_text(MatchRate(0.83), Resemblance(0.94)) == good and report_text(None, None) == ""
    run = Run("r", "Birds", state="running", stage="Learning", done=5, total=10, step=5, steps=10, seconds_left=8)
    assert run_text(run) == "Learning, 5 of 10, 8 s left" and run_share(run) == 0.5
    assert run_text(run, "pause").startswith("Pausing")
    stopped = replace(run, state="stopped", pack="p")
    assert run_text(stopped) == "Stopped at step 5 of 10; what was learned is a pack"
    finished = replace(run, state="finished", match_rate=MatchRate(0.9, 40, 0.1))
    assert run_text(finished) == "Learned. Match rate 0.90 where guessing gives 0.10: reliable (40 parts)"
