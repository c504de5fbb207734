"""The reference view with real mouse and key events: hover, take, put back, zoom, pan, walk, and what is said."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPaintEvent, QRegion, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from engine.core.segmentation import NO_PART, Segmentation
from engine.core.vocabulary import ABSENT, Choice, Part, Vocabulary
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.state import OpenPicture
from partcraft_desktop.reference.reference_view import HINT, ReferenceView
from partcraft_desktop.widgets import drag_and_drop as dragging
from tests import fakes
from tests.desktop.conftest import WAIT, Opened

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
PLAIN = Qt.KeyboardModifier.NoModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def bird(tmp_path: Path) -> tuple[str, Segmentation]:
    """A drawn bird on disk and its parts: all five are visible, code 2."""
    picture, labels = fakes.sketch_bird(2, 200)
    path = tmp_path / "bird.png"
    picture.save(path)
    return str(path), Segmentation(labels, (2, 2, 2, 2, 2, ABSENT))


@pytest.fixture
def view(qtbot: QtBot, opened: Opened, bird: tuple[str, Segmentation]) -> ReferenceView:
    """A view of a session that shows the bird; no other panel and no window is there."""
    view = ReferenceView(opened.session, opened.readers)
    qtbot.addWidget(view)
    view.resize(640, 560)
    view.show()
    put(opened.session, hint=False)
    show(qtbot, view, opened.session, *bird)
    return view


@pytest.fixture
def hold() -> Iterator[threading.Event]:
    """What readers can be kept busy with; set at the end, however the test ends, so that their threads end too."""
    event = threading.Event()
    yield event
    event.set()


def put(session: Session, **changes: Any) -> None:
    """Let the session come to another state, as its verbs do once they have read what they show."""
    session.state = replace(session.state, **changes)
    session.changed.emit()


def put_picture(session: Session, path: str, segmentation: Segmentation | None, **more: Any) -> None:
    put(session, reference=OpenPicture("bird", "Bird", path, segmentation, **more))


def show(qtbot: QtBot, view: ReferenceView, session: Session, path: str, segmentation: Segmentation) -> None:
    put_picture(session, path, segmentation)
    qtbot.waitUntil(lambda: bool(view.chips.buttons) and view.canvas.part_at(QPointF(0, 0)) is None, timeout=WAIT)
    parts = [m for m, code in enumerate(segmentation.codes) if code != ABSENT and (segmentation.labels == m).any()]
    qtbot.waitUntil(lambda: all(view.canvas.centre_of(m) is not None for m in parts), timeout=WAIT)


class PaintedRegions(QObject):
    """What of a widget is painted anew."""

    def __init__(self) -> None:
        super().__init__()
        self.region = QRegion()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            self.region = self.region.united(event.region())
        return False


def chosen(session: Session) -> list[int]:
    """The parts of the recipe, in the order of their numbers."""
    return sorted(choice.part for choice in session.state.recipe.choices)


def toggles(view: ReferenceView, session: Session) -> list[tuple[int, bool]]:
    """Grows by (part, whether it is in the recipe now) with every change of the recipe from here on."""
    seen: list[tuple[int, bool]] = []
    before = set(chosen(session))

    def look() -> None:
        nonlocal before
        now = set(chosen(session))
        seen.extend((part, part in now) for part in sorted(before ^ now))
        before = now

    session.changed.connect(look)
    return seen


def move(canvas: QWidget, at: QPoint | QPointF, buttons: Qt.MouseButton = NONE) -> None:
    """What the window system sends when the pointer moves; no cursor is warped."""
    point = QPointF(at)
    there = canvas.mapToGlobal(point)
    QApplication.sendEvent(canvas, QMouseEvent(QEvent.Type.MouseMove, point, there, NONE, buttons, PLAIN))


def turn(canvas: QWidget, at: QPointF, delta: int) -> None:
    event = QWheelEvent(
        at, canvas.mapToGlobal(at), QPoint(), QPoint(0, delta), NONE, PLAIN, Qt.ScrollPhase.NoScrollPhase, False
    )
    QApplication.sendEvent(canvas, event)


def centre(view: ReferenceView, part: int) -> QPoint:
    at = view.canvas.centre_of(part)
    assert at is not None
    return at


def picture(widget: QWidget) -> QImage:
    return widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)


def differing(one: QImage, other: QImage) -> np.ndarray:
    """Bool (H, W): where two pictures differ."""
    arrays = [
        np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)[..., :3]
        for image in (one, other)
    ]
    return (arrays[0] != arrays[1]).any(axis=-1)


# Hover


def test_hover_lights_the_part_under_the_pointer_and_nothing_far_away(view: ReferenceView) -> None:
    canvas = view.canvas
    before = picture(canvas)
    move(canvas, centre(view, 4))
    assert canvas.lit == 4
    changed = differing(before, picture(canvas))
    at = centre(view, 4)
    assert changed[at.y(), at.x()]
    far = centre(view, 2)
    assert not changed[far.y() - 10 : far.y() + 10, far.x() - 10 : far.x() + 10].any()
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    assert canvas.lit is None
    assert not differing(before, picture(canvas)).any()


def test_hover_off_every_part_lights_nothing(view: ReferenceView) -> None:
    move(view.canvas, centre(view, 0))
    move(view.canvas, view.canvas.placement.rect.topLeft() + QPointF(3, 3))
    assert view.canvas.lit is None


def test_hover_tells_the_chips_and_the_chips_tell_the_picture(view: ReferenceView, qtbot: QtBot) -> None:
    with qtbot.waitSignal(view.lit_changed) as told:
        move(view.canvas, centre(view, 3))
    assert told.args == [3]
    button = view.chips.button_of(1)
    assert button is not None
    button.pointed.emit(1)
    assert view.canvas.lit == 1


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zoom=st.floats(0.5, 12),
    at=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    shift=st.tuples(st.floats(-400, 400), st.floats(-400, 400)),
    pixel=st.tuples(st.integers(0, 199), st.integers(0, 199)),
    view_size=st.tuples(st.integers(200, 900), st.integers(200, 900)),
)
def test_the_part_that_is_hit_is_the_one_that_is_seen(
    view: ReferenceView,
    bird: tuple[str, Segmentation],
    zoom: float,
    at: tuple[float, float],
    shift: tuple[float, float],
    pixel: tuple[int, int],
    view_size: tuple[int, int],
) -> None:
    canvas = view.canvas
    view.resize(*view_size)
    canvas.zoom(zoom, QPointF(at[0] * canvas.width(), at[1] * canvas.height()))
    canvas._place(canvas.placement.moved(*shift))
    seen = canvas.placement.to_view(QPointF(pixel[0] + 0.5, pixel[1] + 0.5))
    label = int(bird[1].labels[pixel[1], pixel[0]])
    assert canvas.part_at(seen) == (None if label == NO_PART else label)
    if canvas.rect().contains(seen.toPoint()):
        move(canvas, seen)
        assert canvas.lit == (None if label == NO_PART else label)


# Take and put back


def test_a_click_takes_and_a_click_on_a_taken_one_puts_it_back(
    view: ReferenceView, qtbot: QtBot, session: Session
) -> None:
    qtbot.mouseClick(view.canvas, LEFT, pos=centre(view, 3))
    assert session.state.recipe.choices == (Choice(3, 2, 1.0, "bird"),)
    qtbot.mouseClick(view.canvas, LEFT, pos=centre(view, 3))
    assert not session.state.recipe.choices


def test_what_was_taken_is_told_with_where_it_was_seen(view: ReferenceView, qtbot: QtBot) -> None:
    at = view.canvas.mapToGlobal(centre(view, 3))
    with qtbot.waitSignal(view.part_taken) as signal:
        qtbot.mouseClick(view.canvas, LEFT, pos=centre(view, 3))
    assert signal.args is not None
    part, (pixmap, middle) = signal.args
    assert part == 3 and middle == at and not pixmap.isNull()
    with qtbot.assertNotEmitted(view.part_taken):  # put back, it flies nowhere
        qtbot.mouseClick(view.canvas, LEFT, pos=centre(view, 3))


def test_a_part_of_another_code_is_not_marked(view: ReferenceView, session: Session) -> None:
    button = view.chips.button_of(3)
    assert button is not None
    session.choose(3, 4, "another")
    assert not button.isChecked()
    session.choose(3, 2, "another")  # the same code is the same part, wherever it was taken from
    assert button.isChecked()


def test_a_click_beside_all_parts_takes_nothing(view: ReferenceView, qtbot: QtBot, session: Session) -> None:
    qtbot.mouseClick(view.canvas, LEFT, pos=view.canvas.placement.rect.topLeft().toPoint() + QPoint(4, 4))
    assert not session.state.recipe.choices


def test_a_trembling_click_still_counts(view: ReferenceView, session: Session) -> None:
    at = centre(view, 3)
    QTest.mousePress(view.canvas, LEFT, pos=at)
    move(view.canvas, at + QPoint(2, 1), LEFT)
    QTest.mouseRelease(view.canvas, LEFT, pos=at + QPoint(2, 1))
    assert chosen(session) == [3]


def test_a_double_click_at_the_fitted_picture_takes_once(view: ReferenceView, qtbot: QtBot, session: Session) -> None:
    seen = toggles(view, session)
    qtbot.mouseClick(view.canvas, LEFT, pos=centre(view, 3))
    qtbot.mouseDClick(view.canvas, LEFT, pos=centre(view, 3))
    assert seen == [(3, True)]


def test_taken_parts_are_marked_and_no_longer(view: ReferenceView, session: Session) -> None:
    before = picture(view.canvas)
    session.choose(3, 2)
    marked = differing(before, picture(view.canvas))
    assert marked.any()
    at = centre(view, 2)
    assert not marked[at.y(), at.x()]
    layers, taken = view.canvas._layers, centre(view, 3)
    assert layers is not None
    shown, own = (pixmap.toImage().pixel(taken) for pixmap in (layers.marked, layers.picture))
    assert shown == own, "a taken part keeps its own colours"
    view.canvas.light(3)
    assert picture(view.canvas).pixel(taken) != before.pixel(taken)
    view.canvas.light(None)
    button = view.chips.button_of(3)
    assert button is not None and button.isChecked()
    session.undo()
    assert not differing(before, picture(view.canvas)).any()
    assert not button.isChecked()


# Zoom and pan


def test_the_wheel_zooms_at_the_pointer_and_a_double_click_fits(
    view: ReferenceView, qtbot: QtBot, session: Session
) -> None:
    canvas = view.canvas
    fitted = canvas.placement
    canvas.zoom(4)
    at = QPointF(centre(view, 0))
    before = canvas.placement
    for _ in range(4):
        turn(canvas, at, 120)
    assert canvas.placement.scale == pytest.approx(before.scale * 2)
    there, then = canvas.placement.to_picture(at), before.to_picture(at)
    assert (there.x(), there.y()) == pytest.approx((then.x(), then.y()))
    seen = toggles(view, session)
    qtbot.mouseClick(canvas, LEFT, pos=at.toPoint())
    qtbot.mouseDClick(canvas, LEFT, pos=at.toPoint())
    assert canvas.placement == fitted
    assert seen == [(0, True), (0, False)]  # taken by the first click, put back by the second: fitting was meant


def test_a_drag_of_an_enlarged_picture_moves_it_and_takes_nothing(
    view: ReferenceView, qtbot: QtBot, session: Session
) -> None:
    canvas = view.canvas
    canvas.zoom(4)
    before = canvas.placement
    start = QPoint(canvas.width() // 2, canvas.height() // 2)
    QTest.mousePress(canvas, LEFT, pos=start)
    move(canvas, start + QPoint(30, 20), LEFT)
    move(canvas, start + QPoint(40, 30), LEFT)
    QTest.mouseRelease(canvas, LEFT, pos=start + QPoint(40, 30))
    assert not session.state.recipe.choices
    assert (canvas.placement.x - before.x, canvas.placement.y - before.y) == pytest.approx((40, 30))
    part = next(m for m in range(5) if canvas.rect().adjusted(9, 9, -9, -9).contains(centre(view, m)))
    qtbot.mouseClick(canvas, LEFT, pos=centre(view, part))
    assert chosen(session) == [part]


@pytest.mark.parametrize("how", ["middle", "space"])
def test_the_middle_button_and_space_pan_at_once(view: ReferenceView, session: Session, how: str) -> None:
    canvas = view.canvas
    canvas.zoom(4)
    canvas.light(3)
    button = Qt.MouseButton.MiddleButton if how == "middle" else LEFT
    before = canvas.placement
    start = QPoint(canvas.width() // 2, canvas.height() // 2)
    if how == "space":
        QTest.keyPress(canvas, Qt.Key.Key_Space)
    QTest.mousePress(canvas, button, pos=start)
    move(canvas, start + QPoint(2, 1), button)
    QTest.mouseRelease(canvas, button, pos=start + QPoint(2, 1))
    if how == "space":
        QTest.keyRelease(canvas, Qt.Key.Key_Space)
    assert (canvas.placement.x - before.x, canvas.placement.y - before.y) == pytest.approx((2, 1))
    assert not session.state.recipe.choices


def test_keys_zoom_and_pan(view: ReferenceView) -> None:
    canvas = view.canvas
    fitted = canvas.placement
    QTest.keyClick(canvas, Qt.Key.Key_Plus, CONTROL)
    QTest.keyClick(canvas, Qt.Key.Key_Equal, CONTROL)
    assert canvas.placement.scale == pytest.approx(fitted.scale * 1.25**2)
    before = canvas.placement
    QTest.keyClick(canvas, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert canvas.placement.x < before.x
    QTest.keyClick(canvas, Qt.Key.Key_Minus, CONTROL)
    QTest.keyClick(canvas, Qt.Key.Key_0, CONTROL)
    assert canvas.placement == fitted


def test_the_way_back_to_the_whole_picture_is_a_button(view: ReferenceView, qtbot: QtBot) -> None:
    button = next(child for child in view.canvas.findChildren(QPushButton))
    assert button.isHidden()
    view.canvas.zoom(3)
    assert button.isVisible() and button.text() == "300 %"
    qtbot.mouseClick(button, LEFT)
    assert view.canvas.placement.is_fitted and button.isHidden()


# Keys


def test_arrows_walk_the_parts_and_enter_and_space_take_them(view: ReferenceView, session: Session) -> None:
    canvas = view.canvas
    canvas.setFocus()
    seen = toggles(view, session)
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    assert canvas.lit == 0
    QTest.keyClick(canvas, Qt.Key.Key_Down)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    QTest.keyClick(canvas, Qt.Key.Key_Left)
    QTest.keyClick(canvas, Qt.Key.Key_Left)
    assert canvas.lit == 4
    QTest.keyClick(canvas, Qt.Key.Key_Space)
    assert seen == [(1, True), (4, True)]
    QTest.keyClick(canvas, Qt.Key.Key_Home)
    assert canvas.lit == 0
    QTest.keyClick(canvas, Qt.Key.Key_End)
    assert canvas.lit == 4
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.lit is None


def test_what_is_lit_is_said(view: ReferenceView, session: Session) -> None:
    assert view.canvas.accessibleName() == "Reference: Bird"
    view.canvas.light(1)
    assert view.canvas.accessibleDescription() == "wing, Blue Jay, 2 of 5"
    session.choose(1, 2)
    view.canvas.light(None)
    view.canvas.light(1)
    assert view.canvas.accessibleDescription() == "wing, Blue Jay, chosen, 2 of 5"


def test_alt_hides_the_overlay_while_it_is_held(view: ReferenceView, qtbot: QtBot) -> None:
    view.canvas.setFocus()
    qtbot.waitUntil(view.canvas.hasFocus, timeout=WAIT)
    seen = picture(view.canvas)
    QApplication.sendEvent(view.window(), QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Alt, PLAIN))
    assert differing(seen, picture(view.canvas)).any()
    QApplication.sendEvent(view.window(), QKeyEvent(QEvent.Type.KeyRelease, Qt.Key.Key_Alt, PLAIN))
    assert not differing(seen, picture(view.canvas)).any()


def test_chips_take_by_mouse_and_keys_and_are_one_stop_for_tab(
    view: ReferenceView, qtbot: QtBot, session: Session
) -> None:
    seen = toggles(view, session)
    buttons = view.chips.buttons
    assert [button.accessibleName() for button in buttons][:2] == ["head, Blue Jay", "body, Blue Jay"]
    qtbot.mouseClick(buttons[2], LEFT)
    buttons[2].setFocus()
    QTest.keyClick(buttons[2], Qt.Key.Key_Right)
    qtbot.waitUntil(buttons[3].hasFocus, timeout=WAIT)
    assert view.canvas.lit == 2
    QTest.keyClick(buttons[3], Qt.Key.Key_Return)
    QTest.keyClick(buttons[3], Qt.Key.Key_Space)
    assert seen == [(1, True), (2, True), (2, False)]
    assert [bool(button.focusPolicy() & Qt.FocusPolicy.TabFocus) for button in buttons].count(True) == 1


# What else it shows


def test_a_part_that_is_not_there_is_greyed_with_its_reason(
    view: ReferenceView, qtbot: QtBot, session: Session, bird: tuple[str, Segmentation]
) -> None:
    fewer = replace(bird[1], codes=(2, 2, ABSENT, 2, 2, ABSENT))
    show(qtbot, view, session, bird[0], fewer)
    chip = view.chips.button_of(2)
    assert chip is not None
    assert chip.accessibleDescription() == "No tail can be seen in this picture."
    assert view.canvas.centre_of(2) is None
    qtbot.mouseClick(chip, LEFT)
    assert not session.state.recipe.choices
    QTest.keyClick(view.canvas, Qt.Key.Key_End)
    QTest.keyClick(view.canvas, Qt.Key.Key_Home)
    walked = []
    for _ in range(4):
        walked.append(view.canvas.lit)
        QTest.keyClick(view.canvas, Qt.Key.Key_Right)
    assert walked == [0, 1, 3, 4]


def test_a_picture_without_parts_says_so(
    view: ReferenceView, qtbot: QtBot, session: Session, bird: tuple[str, Segmentation]
) -> None:
    none = Segmentation(np.full((200, 200), NO_PART, np.uint8), (ABSENT,) * 6)
    put_picture(session, bird[0], none)
    qtbot.waitUntil(lambda: "No parts were found in this picture." in texts(view), timeout=WAIT)
    QTest.keyClick(view.canvas, Qt.Key.Key_Right)
    assert view.canvas.lit is None


def test_a_note_is_shown(view: ReferenceView, session: Session, bird: tuple[str, Segmentation]) -> None:
    put_picture(session, *bird, note="These eyes know drawings only.")
    assert "These eyes know drawings only." in texts(view)


def test_nothing_open_invites(view: ReferenceView, qtbot: QtBot, session: Session) -> None:
    put(session, reference=None)
    assert "No picture is open." in texts(view)
    assert not view.chips.buttons
    button = next(child for child in view.findChildren(QPushButton) if child.isVisible())
    with qtbot.waitSignal(view.open_wanted):
        qtbot.mouseClick(button, LEFT)


def test_while_the_first_picture_is_read_it_does_not_say_that_there_is_none(
    view: ReferenceView, qtbot: QtBot, opened: Opened, bird: tuple[str, Segmentation], hold: threading.Event
) -> None:
    for _ in range(2):  # both readers are busy until they are let go
        opened.readers.ask(hold.wait, lambda _: None, view)
    put(opened.session, reference=None)  # as when another pack is opened
    put_picture(opened.session, *bird)
    assert "No picture is open." not in texts(view)
    assert not view.chips.buttons and view.canvas.centre_of(3) is None  # nor is the last one left
    hold.set()
    qtbot.waitUntil(lambda: view.canvas.centre_of(3) is not None, timeout=WAIT)


def test_a_broken_picture_is_told_and_the_next_one_is_shown(
    view: ReferenceView, qtbot: QtBot, session: Session, bird: tuple[str, Segmentation], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG nothing")
    put_picture(session, str(broken), None)
    qtbot.waitUntil(lambda: not view.canvas.isVisible(), timeout=WAIT)
    assert any("broken.png" in text for text in texts(view))
    show(qtbot, view, session, *bird)
    qtbot.waitUntil(view.canvas.isVisible, timeout=WAIT)


def test_while_the_parts_are_found_the_picture_is_already_there(
    qtbot: QtBot, view: ReferenceView, session: Session, bird: tuple[str, Segmentation]
) -> None:
    path = str(Path(bird[0]).with_name("own.png"))
    Image.open(bird[0]).save(path)
    session.settings.set(reduced_motion=True)
    put_picture(session, path, None, busy=True)
    with qtbot.waitSignal(view.shown, timeout=WAIT):
        pass
    qtbot.waitUntil(lambda: view.busy_line.running, timeout=WAIT)
    assert view.busy_line.accessibleName() == "Finding the parts"
    assert not view.busy_line._timer.isActive()  # nothing moves where motion is reduced
    put_picture(session, path, bird[1])
    qtbot.waitUntil(lambda: view.canvas.centre_of(3) is not None, timeout=WAIT)
    assert not view.busy_line.running


def test_while_the_next_picture_is_read_the_last_one_gives_no_parts(
    view: ReferenceView, qtbot: QtBot, opened: Opened, bird: tuple[str, Segmentation], hold: threading.Event
) -> None:
    session = opened.session
    path = str(Path(bird[0]).with_name("next.png"))
    Image.open(bird[0]).save(path)
    at = centre(view, 3)
    for _ in range(2):  # both readers are busy until they are let go
        opened.readers.ask(hold.wait, lambda _: None, view)
    put_picture(session, path, replace(bird[1], codes=(4,) * 5 + (ABSENT,)))
    qtbot.mouseClick(view.canvas, LEFT, pos=at)
    assert not session.state.recipe.choices
    hold.set()
    qtbot.waitUntil(lambda: bool(view.chips.buttons) and "Kiwi" in view.chips.buttons[0].accessibleName(), timeout=WAIT)
    qtbot.waitUntil(lambda: view.canvas._segmentation is view._segmentation, timeout=WAIT)
    qtbot.mouseClick(view.canvas, LEFT, pos=at)
    assert session.state.recipe.choices == (Choice(3, 4, 1.0, "bird"),)


def test_parts_found_at_another_size_fit_the_picture(
    view: ReferenceView, qtbot: QtBot, session: Session, bird: tuple[str, Segmentation]
) -> None:
    half = Segmentation(bird[1].labels[::2, ::2], bird[1].codes)
    at = centre(view, 3)
    show(qtbot, view, session, bird[0], half)
    qtbot.waitUntil(lambda: view.canvas.placement.width == 100, timeout=WAIT)
    there = centre(view, 3)
    assert (there - at).manhattanLength() < 12
    assert view.canvas.part_at(QPointF(at)) == 3


def test_the_first_hint_points_at_a_part_and_goes(view: ReferenceView, session: Session) -> None:
    calm = picture(view.canvas)
    put(session, hint=True)
    assert differing(calm, picture(view.canvas)).any()
    assert HINT in view.canvas.accessibleDescription()
    put(session, hint=False)
    assert not differing(calm, picture(view.canvas)).any()
    put(session, hint=True)
    session.choose(3, 2)
    assert HINT not in view.canvas.accessibleDescription() and not session.state.hint


def test_nothing_of_the_hint_stays_when_the_pointer_comes(view: ReferenceView, session: Session) -> None:
    put(session, hint=True)
    canvas = view.canvas
    QApplication.processEvents()
    hinted = canvas.grab().toImage()
    painted = PaintedRegions()
    canvas.installEventFilter(painted)
    move(canvas, centre(view, 4))
    QApplication.processEvents()
    canvas.removeEventFilter(painted)
    hovered = canvas.grab().toImage()
    pixels = [QPoint(x, y) for x in range(canvas.width()) for y in range(canvas.height())]
    stale = [at for at in pixels if hinted.pixel(at) != hovered.pixel(at) and not painted.region.contains(at)]
    assert not painted.region.isEmpty() and not stale, "what is not painted anew is seen as it was"


def test_a_wanted_part_is_lit_or_its_absence_shown(
    view: ReferenceView, qtbot: QtBot, session: Session, bird: tuple[str, Segmentation]
) -> None:
    view.invite(3)
    assert view.canvas.lit == 3
    qtbot.waitUntil(view.canvas.hasFocus, timeout=WAIT)
    show(qtbot, view, session, bird[0], replace(bird[1], codes=(2, 2, ABSENT, 2, 2, ABSENT)))
    view.invite(2)
    chip = view.chips.button_of(2)
    assert chip is not None
    qtbot.waitUntil(chip.hasFocus, timeout=WAIT)


def test_a_part_wanted_before_the_picture_is_there_is_lit_when_it_comes(
    qtbot: QtBot, opened: Opened, bird: tuple[str, Segmentation]
) -> None:
    view = ReferenceView(opened.session, opened.readers)
    qtbot.addWidget(view)
    view.show()
    put_picture(opened.session, *bird)
    view.invite(1)
    qtbot.waitUntil(lambda: view.canvas.lit == 1, timeout=WAIT)


def test_a_drag_from_a_part_of_the_whole_picture_carries_it(view: ReferenceView, qtbot: QtBot) -> None:
    at = centre(view, 3)
    view.canvas.drag_wanted.disconnect()
    with qtbot.waitSignal(view.canvas.drag_wanted) as told:
        QTest.mousePress(view.canvas, LEFT, pos=at)
        move(view.canvas, at + QPoint(30, 0), LEFT)
    assert told.args == [3]
    assert not view.canvas.cut_out(3).isNull()


def test_what_is_carried_can_be_read_back() -> None:
    choice = Choice(3, 17, source="päck/Ёжик")
    assert dragging.choice_in(dragging.choice_data(choice)) == choice
    assert dragging.choice_in(dragging.file_data("/tmp/a.png")) is None
    broken = dragging.choice_data(choice)
    broken.setData(dragging.CHOICE, b'{"part": []}')
    assert dragging.choice_in(broken) is None


def test_sixteen_parts_with_long_names_in_any_script_stay_within_the_view(
    qtbot: QtBot, opened: Opened, tmp_path: Path
) -> None:
    names = [
        "a very long name of a part that nobody would ever want to read in full",
        "ظهر الطائر",
        "鳥の翼と尾",
        "Ёжик",
    ]
    parts = tuple(Part(i, f"{names[i % 4]} {i}", f"#{i * 15:02x}80c0") for i in range(16))
    words = Vocabulary("thing", parts, 3, ((("code " * 30).strip(), "二", "") if True else (),) * 16)
    labels = (np.arange(160) // 40)[:, None] * 4 + (np.arange(160) // 40)[None]
    path = tmp_path / "grid.png"
    Image.fromarray((labels * 15).astype(np.uint8)).save(path)
    session = opened.session
    assert session.state.pack is not None
    view = ReferenceView(session, opened.readers)
    qtbot.addWidget(view)
    view.resize(360, 520)
    view.show()
    put(session, pack=replace(session.state.pack, vocabulary=words))
    show(qtbot, view, session, str(path), Segmentation(labels.astype(np.uint8), (0, 1, 2) * 5 + (0,)))
    for part in range(16):
        view.canvas.light(part)
        label = view.canvas._label_rect(part)
        assert view.canvas.rect().toRectF().contains(label)
        button = view.chips.button_of(part)
        assert button is not None and view.chips.rect().contains(button.geometry())
        assert button.width() <= 176
    assert view.canvas.height() > 100


def test_it_follows_the_session_alone(
    qtbot: QtBot, opened: Opened, script: Callable[..., None], tmp_path: Path
) -> None:
    """A pack's reference, a picture of one's own with its note, and nothing: by the session's verbs only."""
    script(segment={"note": "These eyes know drawings only."})
    session = opened.session
    view = ReferenceView(session, opened.readers)
    qtbot.addWidget(view)
    view.resize(640, 560)
    view.show()
    qtbot.waitUntil(lambda: view.canvas.centre_of(3) is not None, timeout=WAIT)
    assert view.canvas.accessibleName() == "Reference: Cardinal" and HINT in view.canvas.accessibleDescription()
    qtbot.mouseClick(view.canvas, LEFT, pos=centre(view, 3))
    assert session.state.recipe.choices == (Choice(3, 0, 1.0, "0"),) and not session.state.hint
    own = tmp_path / "mine.png"
    fakes.sketch_bird(5, 100)[0].save(own)
    session.open_path(own)
    qtbot.waitUntil(lambda: "These eyes know drawings only." in texts(view), timeout=WAIT)
    qtbot.waitUntil(lambda: view.canvas.placement.width == 100 and len(view.chips.buttons) == 5, timeout=WAIT)
    assert view.canvas.accessibleName() == "Reference: mine"
    session.open_reference("1")
    session.undo()
    qtbot.waitUntil(lambda: "wing, Snowy Owl" in [b.accessibleName() for b in view.chips.buttons], timeout=WAIT)
    assert not any(button.isChecked() for button in view.chips.buttons)
    assert "These eyes know drawings only." not in texts(view)
    assert session.state.pack is not None
    session.remove_pack(session.state.pack)
    qtbot.waitUntil(lambda: "No picture is open." in texts(view), timeout=WAIT)


def texts(view: QWidget) -> list[str]:
    return [label.text() for label in view.findChildren(QLabel) if label.isVisible()]


def test_a_picture_that_cannot_be_seen_gets_a_choice(
    qtbot: QtBot, opened: Opened, script: Callable[..., None], tmp_path: Path
) -> None:
    """No wrong parts: learn the picture's folder, or see them all the same."""
    script(segment={"unseen": True})
    session = opened.session
    view = ReferenceView(session, opened.readers)
    qtbot.addWidget(view)
    view.resize(640, 560)
    view.show()
    folder = tmp_path / "photos"
    folder.mkdir()
    own = folder / "mine.png"
    fakes.sketch_bird(5, 100)[0].save(own)
    assert not view.learn.isVisible()
    session.open_path(own)
    qtbot.waitUntil(view.learn.isVisible, timeout=WAIT)
    assert "Wrong parts." in texts(view) and view.anyway.isVisible() and not view.chips.buttons
    assert all(button.accessibleName() and button.focusPolicy() & Qt.FocusPolicy.TabFocus
               for button in (view.learn, view.anyway))  # fmt: skip
    view.anyway.setFocus()
    qtbot.keyClick(view.anyway, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(view.chips.buttons) == 5, timeout=WAIT)
    assert not view.learn.isVisible() and not view.anyway.isVisible()
    session.open_reference("0")
    session.close_image(str(own))
    session.open_path(own)
    qtbot.waitUntil(view.learn.isVisible, timeout=WAIT)
    view.learn.click()
    assert session.state.learning.shown and session.state.learning.draft.folder == str(folder)
