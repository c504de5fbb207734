"""Keep trying, above Render: the switch, its budget, what is said meanwhile, and what is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QPalette, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.core.png_metadata import read_creation
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.time_left import queue_seconds, render_text
from partcraft_desktop.composer.composer import Composer
from partcraft_desktop.widgets.part_glyphs import contrast
from partcraft_desktop.widgets.theme import Theme
from partcraft_desktop.widgets.thumbnails import Thumbnails
from tests.conftest import REPOSITORY
from tests.desktop.conftest import WAIT, Opened, idle

HEAD, WING = 3, 1


@pytest.fixture
def composer(qtbot: QtBot, opened: Opened, themed: Theme) -> Composer:
    composer = Composer(opened.session, Thumbnails(opened.readers))
    qtbot.addWidget(composer)
    composer.resize(304, 720)
    composer.show()
    qtbot.waitExposed(composer)
    return composer


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_unticked_switch_is_seen(composer: Composer, opened: Opened, theme: str) -> None:
    opened.settings.set(theme=theme)
    opened.session.choose(HEAD, 2, "2")
    switch = composer.keep_trying.switch
    QApplication.processEvents()
    picture = switch.grab().toImage()
    ground = composer.palette().color(QPalette.ColorRole.Window)
    frame = [picture.pixelColor(x, switch.height() // 2) for x in range(4)]
    assert max(contrast(colour, ground) for colour in frame) >= 3, "WCAG 1.4.11"


def test_every_box_to_tick_is_the_houses() -> None:
    # Fusion draws the frame of an unticked one in nearly the colour of a dark ground.
    sources = sorted((REPOSITORY / "partcraft_desktop").rglob("*.py"))
    bare = [path.name for path in sources if re.search(r"\b(QCheckBox|QRadioButton)\(\"", path.read_text("utf-8"))]
    assert len(sources) > 100 and not bare, "use widgets.controls.CheckBox"


def test_the_switch_and_its_budget_are_the_recipes(composer: Composer, session: Session) -> None:
    row = composer.keep_trying
    assert row.isHidden(), "without a chosen part nothing can be missing"
    session.choose(HEAD, 2, "2")
    assert row.isVisible() and not row.switch.isChecked() and row.budget.isHidden()
    QTest.mouseClick(row.switch, Qt.MouseButton.LeftButton, pos=QPoint(8, row.switch.height() // 2))
    assert session.state.recipe.tries == 4 and row.switch.isChecked() and row.budget.isVisible()
    row.budget.setFocus()
    QTest.keyClick(row.budget, Qt.Key.Key_Down)
    assert session.state.recipe.tries == 8
    row.budget.clearFocus()
    before = session.state.recipe
    where = QPointF(5, 5)
    nothing = (Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False)
    turn = QWheelEvent(where, row.budget.mapToGlobal(where), QPoint(), QPoint(0, -120), *nothing)
    QApplication.sendEvent(row.budget, turn)
    assert session.state.recipe == before, "the wheel changes only what was pressed before"
    QTest.keyClick(row.switch, Qt.Key.Key_Space)
    assert session.state.recipe.tries == 1
    QTest.keyClick(row.switch, Qt.Key.Key_Space)
    assert session.state.recipe.tries == 8, "it remembers the budget"
    session.undo()
    assert session.state.recipe.tries == 1 and not row.switch.isChecked()
    session.set_setting("tries", 5)
    assert row.budget.currentText() == "up to 5", "another budget, from a file, is shown as it is"


def test_it_says_what_is_missing_and_keeps_the_best(
    composer: Composer, qtbot: QtBot, session: Session, script: Callable[..., None]
) -> None:
    script(render={"delay": 0.02})
    session.choose(HEAD, 2, "2")
    session.choose(WING, 1, "1")
    session.set_setting("steps", 3)
    session.set_setting("tries", 4)
    told: list[str] = []
    session.changed.connect(
        lambda: told.append(render_text(session.state.render, 0.0)) if session.state.render is not None else None
    )
    session.render()
    qtbot.waitUntil(lambda: idle(session), timeout=WAIT)
    assert any(text.startswith("Try 2 of 4: wing missing") for text in told)
    (creation,) = session.state.creations
    assert all(arrival.arrived for arrival in creation.receipt) and creation.recipe.tries == 1
    assert session.state.recipe.tries == 4 and not session.state.timings.paces, "no pace can be told from it"


def test_the_best_so_far_is_kept_when_it_is_cancelled(
    composer: Composer, qtbot: QtBot, session: Session, script: Callable[..., None]
) -> None:
    script(render={"delay": 0.02})
    session.choose(WING, 1, "1")
    session.set_setting("steps", 5)
    session.set_setting("tries", 16)
    session.render()
    qtbot.waitUntil(
        lambda: session.state.render is not None and session.state.render.stage.startswith("Try 3"), timeout=WAIT
    )
    assert queue_seconds(session.state, 0.0) is None, "nobody knows how many tries there will be"
    session.cancel()
    qtbot.waitUntil(lambda: idle(session), timeout=WAIT)
    (creation,) = session.state.creations
    assert read_creation(creation.path).receipt == creation.receipt and Path(creation.path).is_file()


def test_what_waits_is_still_tried_after_a_restart(session: Session, open_session: Callable[[], Opened]) -> None:
    session.choose(WING, 1, "1")
    session.set_setting("tries", 8)
    session.shutdown()
    assert open_session().session.state.recipe.tries == 8
