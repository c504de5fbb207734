"""The reference view with real mouse and key events: hover, take, put back, zoom, pan, walk, and what is said."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from engine.core.segmentation import NO_PART, Segmentation
from engine.core.vocabulary import ABSENT, Choice, Part, Vocabulary
from partcraft_desktop.reference.reference_view import HINT, ReferenceView
from partcraft_desktop.widgets import drag_and_drop as dragging
from tests import fakes

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
PLAIN = Qt.KeyboardModifier.NoModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
WAIT = 10_000
WORDS = fakes.make_vocabulary()


@pytest.fixture
def bird(tmp_path: Path) -> tuple[str, Segmentation]:
    """A drawn bird on disk and its parts: all five are visible, code 2."""
    picture, labels = fakes.sketch_bird(2, 200)
    path = tmp_path / "bird.png"
    picture.save(path)
    return str(path), Segmentation(labels, (2, 2, 2, 2, 2, ABSENT))


@pytest.fixture
def view(qtbot: QtBot, bird: tuple[str, Segmentation]) -> ReferenceView:
    """A view that shows the bird."""
    view = ReferenceView()
    qtbot.addWidget(view)
    view.resize(640, 560)
    view.show()
    show(qtbot, view, *bird)
    return view


def show(qtbot: QtBot, view: ReferenceView, path: str, segmentation: Segmentation, words: Vocabulary = WORDS) -> None:
    view.show_picture("bird", "Bird", path, segmentation, words)
    qtbot.waitUntil(lambda: bool(view.chips.buttons) and view.canvas.part_at(QPointF(0, 0)) is None, timeout=WAIT)
    parts = [m for m, code in enumerate(segmentation.codes) if code != ABSENT and (segmentation.labels == m).any()]
    qtbot.waitUntil(lambda: all(view.canvas.centre_of(m) is not None for m in parts), timeout=WAIT)


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


def test_a_click_takes_and_a_click_on_a_taken_one_says_so_again(view: ReferenceView, qtbot: QtBot) -> None:
    said: list[tuple[int, int]] = []
    view.toggled.connect(lambda part, code: said.append((part, code)))
    qtbot.mouseClick(view.canvas, LEFT, pos=centre(view, 3))
    assert said == [(3, 2)]
    view.set_chosen({3})
    qtbot.mouseClick(view.canvas, LEFT, pos=centre(view, 3))
    assert said == [(3, 2), (3, 2)]


def test_a_click_beside_all_parts_says_nothing(view: ReferenceView, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(view.toggled):
        qtbot.mouseClick(view.canvas, LEFT, pos=view.canvas.placement.rect.topLeft().toPoint() + QPoint(4, 4))


def test_a_trembling_click_still_counts(view: ReferenceView, qtbot: QtBot) -> None:
    at = centre(view, 3)
    with qtbot.waitSignal(view.toggled):
        QTest.mousePress(view.canvas, LEFT, pos=at)
        move(view.canvas, at + QPoint(2, 1), LEFT)
        QTest.mouseRelease(view.canvas, LEFT, pos=at + QPoint(2, 1))


def test_a_double_click_at_the_fitted_picture_takes_once(view: ReferenceView, qtbot: QtBot) -> None:
    said: list[int] = []
    view.toggled.connect(lambda part, _code: said.append(part))
    qtbot.mouseClick(view.canvas, LEFT, pos=centre(view, 3))
    qtbot.mouseDClick(view.canvas, LEFT, pos=centre(view, 3))
    assert said == [3]


def test_taken_parts_are_marked_and_no_longer(view: ReferenceView) -> None:
    before = picture(view.canvas)
    view.set_chosen({3})
    marked = differing(before, picture(view.canvas))
    assert marked.any()
    at = centre(view, 2)
    assert not marked[at.y(), at.x()]
    button = view.chips.button_of(3)
    assert button is not None and button.isChecked()
    view.set_chosen(())
    assert not differing(before, picture(view.canvas)).any()
    assert not button.isChecked()


# Zoom and pan


def test_the_wheel_zooms_at_the_pointer_and_a_double_click_fits(view: ReferenceView, qtbot: QtBot) -> None:
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
    said: list[int] = []
    view.toggled.connect(lambda part, _code: said.append(part))
    qtbot.mouseClick(canvas, LEFT, pos=at.toPoint())
    qtbot.mouseDClick(canvas, LEFT, pos=at.toPoint())
    assert canvas.placement == fitted
    assert said == [0, 0]  # taken by the first click, put back by the second: fitting was meant


def test_a_drag_of_an_enlarged_picture_moves_it_and_takes_nothing(view: ReferenceView, qtbot: QtBot) -> None:
    canvas = view.canvas
    canvas.zoom(4)
    before = canvas.placement
    start = QPoint(canvas.width() // 2, canvas.height() // 2)
    with qtbot.assertNotEmitted(view.toggled):
        QTest.mousePress(canvas, LEFT, pos=start)
        move(canvas, start + QPoint(30, 20), LEFT)
        move(canvas, start + QPoint(40, 30), LEFT)
        QTest.mouseRelease(canvas, LEFT, pos=start + QPoint(40, 30))
    assert (canvas.placement.x - before.x, canvas.placement.y - before.y) == pytest.approx((40, 30))
    with qtbot.waitSignal(view.toggled):
        part = next(m for m in range(5) if canvas.rect().adjusted(9, 9, -9, -9).contains(centre(view, m)))
        qtbot.mouseClick(canvas, LEFT, pos=centre(view, part))


@pytest.mark.parametrize("how", ["middle", "space"])
def test_the_middle_button_and_space_pan_at_once(view: ReferenceView, how: str) -> None:
    canvas = view.canvas
    canvas.zoom(4)
    canvas.light(3)
    taken: list[int] = []
    view.toggled.connect(lambda part, _code: taken.append(part))
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
    assert not taken


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


def test_arrows_walk_the_parts_and_enter_and_space_take_them(view: ReferenceView) -> None:
    canvas = view.canvas
    canvas.setFocus()
    taken: list[int] = []
    view.toggled.connect(lambda part, _code: taken.append(part))
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    assert canvas.lit == 0
    QTest.keyClick(canvas, Qt.Key.Key_Down)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    QTest.keyClick(canvas, Qt.Key.Key_Left)
    QTest.keyClick(canvas, Qt.Key.Key_Left)
    assert canvas.lit == 4
    QTest.keyClick(canvas, Qt.Key.Key_Space)
    assert taken == [1, 4]
    QTest.keyClick(canvas, Qt.Key.Key_Home)
    assert canvas.lit == 0
    QTest.keyClick(canvas, Qt.Key.Key_End)
    assert canvas.lit == 4
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.lit is None


def test_what_is_lit_is_said(view: ReferenceView) -> None:
    assert view.canvas.accessibleName() == "Reference: Bird"
    view.canvas.light(1)
    assert view.canvas.accessibleDescription() == "wing, Blue Jay, 2 of 5"
    view.set_chosen({1})
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


def test_chips_take_by_mouse_and_keys_and_are_one_stop_for_tab(view: ReferenceView, qtbot: QtBot) -> None:
    taken: list[int] = []
    view.toggled.connect(lambda part, _code: taken.append(part))
    buttons = view.chips.buttons
    assert [button.accessibleName() for button in buttons][:2] == ["body, Blue Jay", "wing, Blue Jay"]
    qtbot.mouseClick(buttons[2], LEFT)
    buttons[2].setFocus()
    QTest.keyClick(buttons[2], Qt.Key.Key_Right)
    qtbot.waitUntil(buttons[3].hasFocus, timeout=WAIT)
    assert view.canvas.lit == 3
    QTest.keyClick(buttons[3], Qt.Key.Key_Return)
    QTest.keyClick(buttons[3], Qt.Key.Key_Space)
    assert taken == [2, 3, 3]
    assert [bool(button.focusPolicy() & Qt.FocusPolicy.TabFocus) for button in buttons].count(True) == 1


# What else it shows


def test_a_part_that_is_not_there_is_greyed_with_its_reason(
    view: ReferenceView, qtbot: QtBot, bird: tuple[str, Segmentation]
) -> None:
    fewer = replace(bird[1], codes=(2, 2, ABSENT, 2, 2, ABSENT))
    show(qtbot, view, bird[0], fewer)
    chip = view.chips.button_of(2)
    assert chip is not None
    assert chip.accessibleDescription() == "No tail can be seen in this picture."
    assert view.canvas.centre_of(2) is None
    with qtbot.assertNotEmitted(view.toggled):
        qtbot.mouseClick(chip, LEFT)
    QTest.keyClick(view.canvas, Qt.Key.Key_End)
    QTest.keyClick(view.canvas, Qt.Key.Key_Home)
    walked = []
    for _ in range(4):
        walked.append(view.canvas.lit)
        QTest.keyClick(view.canvas, Qt.Key.Key_Right)
    assert walked == [0, 1, 3, 4]


def test_a_picture_without_parts_says_so(view: ReferenceView, qtbot: QtBot, bird: tuple[str, Segmentation]) -> None:
    none = Segmentation(np.full((200, 200), NO_PART, np.uint8), (ABSENT,) * 6)
    view.show_picture("bird", "Bird", bird[0], none, WORDS)
    qtbot.waitUntil(lambda: "No parts were found in this picture." in texts(view), timeout=WAIT)
    QTest.keyClick(view.canvas, Qt.Key.Key_Right)
    assert view.canvas.lit is None


def test_a_note_is_shown(view: ReferenceView, bird: tuple[str, Segmentation]) -> None:
    view.show_picture("bird", "Bird", *bird, WORDS, "These eyes know drawings only.")
    assert "These eyes know drawings only." in texts(view)


def test_nothing_open_invites(view: ReferenceView, qtbot: QtBot) -> None:
    view.show_nothing()
    assert "No picture is open." in texts(view)
    assert not view.chips.buttons
    button = next(child for child in view.findChildren(QPushButton) if child.isVisible())
    with qtbot.waitSignal(view.open_wanted):
        qtbot.mouseClick(button, LEFT)


def test_a_broken_picture_is_told_and_the_next_one_is_shown(
    view: ReferenceView, qtbot: QtBot, bird: tuple[str, Segmentation], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG nothing")
    view.show_picture("broken", "broken", str(broken), None, WORDS)
    qtbot.waitUntil(lambda: not view.canvas.isVisible(), timeout=WAIT)
    assert any("broken.png" in text for text in texts(view))
    show(qtbot, view, *bird)
    qtbot.waitUntil(view.canvas.isVisible, timeout=WAIT)


def test_while_the_parts_are_found_the_picture_is_already_there(
    qtbot: QtBot, view: ReferenceView, bird: tuple[str, Segmentation]
) -> None:
    path = str(Path(bird[0]).with_name("own.png"))
    Image.open(bird[0]).save(path)
    view.set_reduced_motion(True)
    view.show_picture(path, "own", path, None, WORDS, busy=True)
    with qtbot.waitSignal(view.shown, timeout=WAIT):
        pass
    qtbot.waitUntil(lambda: view._busy_line.running, timeout=WAIT)
    assert view._busy_line.accessibleName() == "Finding the parts"
    assert not view._busy_line._timer.isActive()  # nothing moves where motion is reduced
    view.show_picture(path, "own", path, bird[1], WORDS, busy=False)
    qtbot.waitUntil(lambda: view.canvas.centre_of(3) is not None, timeout=WAIT)
    assert not view._busy_line.running


def test_while_the_next_picture_is_read_the_last_one_gives_no_parts(
    view: ReferenceView, qtbot: QtBot, bird: tuple[str, Segmentation]
) -> None:
    path = str(Path(bird[0]).with_name("next.png"))
    Image.open(bird[0]).save(path)
    at = centre(view, 3)
    hold = threading.Event()
    for _ in range(2):  # both readers are busy until they are let go
        view._readers.ask(hold.wait, lambda _: None, view)
    view.show_picture(path, "next", path, replace(bird[1], codes=(4,) * 5 + (ABSENT,)), WORDS)
    with qtbot.assertNotEmitted(view.toggled):
        qtbot.mouseClick(view.canvas, LEFT, pos=at)
    hold.set()
    qtbot.waitUntil(lambda: bool(view.chips.buttons) and "Kiwi" in view.chips.buttons[0].accessibleName(), timeout=WAIT)
    qtbot.waitUntil(lambda: view.canvas._segmentation is view._segmentation, timeout=WAIT)
    with qtbot.waitSignal(view.toggled) as told:
        qtbot.mouseClick(view.canvas, LEFT, pos=at)
    assert told.args == [3, 4]


def test_parts_found_at_another_size_fit_the_picture(
    view: ReferenceView, qtbot: QtBot, bird: tuple[str, Segmentation]
) -> None:
    half = Segmentation(bird[1].labels[::2, ::2], bird[1].codes)
    at = centre(view, 3)
    show(qtbot, view, bird[0], half)
    qtbot.waitUntil(lambda: view.canvas.placement.width == 100, timeout=WAIT)
    there = centre(view, 3)
    assert (there - at).manhattanLength() < 12
    assert view.canvas.part_at(QPointF(at)) == 3


def test_the_first_hint_points_at_a_part_and_goes(view: ReferenceView) -> None:
    calm = picture(view.canvas)
    view.set_hint(True)
    assert differing(calm, picture(view.canvas)).any()
    assert HINT in view.canvas.accessibleDescription()
    view.set_hint(False)
    assert not differing(calm, picture(view.canvas)).any()


def test_a_wanted_part_is_lit_or_its_absence_shown(
    view: ReferenceView, qtbot: QtBot, bird: tuple[str, Segmentation]
) -> None:
    view.invite(3)
    assert view.canvas.lit == 3
    qtbot.waitUntil(view.canvas.hasFocus, timeout=WAIT)
    show(qtbot, view, bird[0], replace(bird[1], codes=(2, 2, ABSENT, 2, 2, ABSENT)))
    view.invite(2)
    chip = view.chips.button_of(2)
    assert chip is not None
    qtbot.waitUntil(chip.hasFocus, timeout=WAIT)


def test_a_part_wanted_before_the_picture_is_there_is_lit_when_it_comes(
    qtbot: QtBot, bird: tuple[str, Segmentation]
) -> None:
    view = ReferenceView()
    qtbot.addWidget(view)
    view.show()
    view.show_picture("bird", "Bird", *bird, WORDS)
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


def test_sixteen_parts_with_long_names_in_any_script_stay_within_the_view(qtbot: QtBot, tmp_path: Path) -> None:
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
    view = ReferenceView()
    qtbot.addWidget(view)
    view.resize(360, 520)
    view.show()
    show(qtbot, view, str(path), Segmentation(labels.astype(np.uint8), (0, 1, 2) * 5 + (0,)), words)
    for part in range(16):
        view.canvas.light(part)
        label = view.canvas._label_rect(part)
        assert view.canvas.rect().toRectF().contains(label)
        button = view.chips.button_of(part)
        assert button is not None and view.chips.rect().contains(button.geometry())
        assert button.width() <= 176
    assert view.canvas.height() > 100


def texts(view: QWidget) -> list[str]:
    return [label.text() for label in view.findChildren(QLabel) if label.isVisible()]
