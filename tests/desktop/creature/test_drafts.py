"""A creature larger than the screen: seen at once as a draft, then in full, without a jump."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.collage.assemble import assemble
from engine.collage.layers import Collage, flatten
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from partcraft_desktop.app import collage_control
from partcraft_desktop.app.state import Creature
from partcraft_desktop.creature.on_show import Here
from partcraft_desktop.creature.part_handles import Handle
from partcraft_desktop.window.main_window import MainWindow
from tests.desktop.conftest import WAIT, rendered
from tests.desktop.creature.test_arrange import HEAD, TAIL, Hand
from tests.desktop.creature.test_creature_pane import settled

SIDE = 128  # of the references


@pytest.fixture
def hand(window: MainWindow, pack: Pack, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Hand:
    """A creature of five birds that is larger than a draft may be, in full, and a hand at it."""
    monkeypatch.setattr(collage_control, "DRAFT_SIDE", SIDE // 2)
    for part, reference in zip(range(5), pack.references, strict=False):
        window.session.choose(part, reference.codes[part], reference.id)
    hand = Hand(window, qtbot)
    settled(qtbot, window.session)
    in_full(hand)
    return hand


def collage_of(hand: Hand) -> Collage:
    collage = hand.session.state.creature.collage
    assert collage is not None
    return collage


def in_full(hand: Hand) -> None:
    hand.settle()
    hand.qtbot.waitUntil(lambda: collage_of(hand).shrink == 1, timeout=WAIT)


def choose_other(hand: Hand, pack: Pack, part: int, number: int = 5) -> Collage:
    """Take a part from another reference; the draft."""
    other = pack.references[number]
    hand.session.choose(part, other.codes[part], other.id)
    hand.settle()
    draft = collage_of(hand)
    assert draft.shrink == 2 and max(draft.width, draft.height) == SIDE // 2
    return draft


def test_a_draft_gives_way_to_the_full_collage(hand: Hand, pack: Pack, qtbot: QtBot) -> None:
    hand.select(TAIL)
    hand.canvas.zoom(3)
    place, frame = hand.canvas.placement.rect, hand.canvas.handles
    assert frame is not None
    creatures: list[Creature] = []
    hand.session.changed.connect(lambda: creatures.append(hand.session.state.creature))
    draft = choose_other(hand, pack, HEAD)
    assert hand.canvas.placement.rect == place and hand.selected == TAIL
    for one, other in zip(hand.canvas.handles.frame, frame.frame, strict=True):  # type: ignore[union-attr]
        assert (one - other).manhattanLength() < 4 * hand.canvas.placement.scale  # of a draft of 64 px
    in_full(hand)
    assert hand.canvas.placement.rect == place and hand.selected == TAIL
    assert collage_of(hand) is not draft and len({one.number for one in creatures[-2:]}) == 1
    np.testing.assert_array_equal(flatten(collage_of(hand)), flatten(assemble(hand.session.state.recipe, pack)))


def test_saving_uses_the_full_one_at_once(hand: Hand, pack: Pack) -> None:
    choose_other(hand, pack, HEAD)
    make, shown = hand.session.saves.creature_maker(), hand.session.collage_maker()
    assert make is not None and shown is not None
    assert make().width == shown().width == SIDE


def test_layers_are_carried_out_in_full(hand: Hand, pack: Pack, qtbot: QtBot) -> None:
    draft = choose_other(hand, pack, HEAD)
    panel = hand.window.creature.ways_out.panel
    hand.window.creature.ways_out.layers_action.trigger()
    row = next(row for row in panel.rows if row.name == "head")
    small = next(layer for layer in draft.layers if layer.part == HEAD).image.shape
    assert row.make().layers[0].image.shape[0] > 1.5 * small[0] and panel.rows[0].make().width == SIDE
    in_full(hand)
    assert row in panel.rows, "what a person may be dragging stays"


def test_a_drag_goes_on_when_the_full_one_comes(hand: Hand, pack: Pack) -> None:
    hand.select(TAIL)
    choose_other(hand, pack, HEAD)
    start = hand.place(TAIL)
    hand.button(QEvent.Type.MouseButtonPress, start)
    hand.move_to(start + QPointF(30, 0))
    hand.settle()
    in_full(hand)
    before = hand.adjustment(TAIL).move
    hand.move_to(start + QPointF(30, 0))
    assert hand.adjustment(TAIL).move == pytest.approx(before, abs=1e-6)
    hand.move_to(start + QPointF(60, 0))
    hand.settle()
    assert hand.adjustment(TAIL).move == pytest.approx((2 * before[0], before[1]), abs=1e-6)
    assert collage_of(hand).shrink == 1, "a step of a drag stays as sharp as it was"
    hand.button(QEvent.Type.MouseButtonRelease, start + QPointF(60, 0))
    assert hand.selected == TAIL and hand.session.state.can_undo


@pytest.mark.parametrize("handle", ["turn", "lower right"])
def test_scaling_and_turning_go_on_when_the_full_one_comes(hand: Hand, pack: Pack, handle: Handle) -> None:
    hand.select(TAIL)
    choose_other(hand, pack, HEAD)
    handles = hand.canvas.handles
    assert handles is not None
    start = handles.points[handle]
    hand.button(QEvent.Type.MouseButtonPress, start)
    hand.move_to(start + QPointF(20, 15))
    hand.settle()
    held = hand.canvas.selected
    assert held is not None
    before, frame = hand.adjustment(TAIL), hand.canvas.handles.frame.boundingRect()  # type: ignore[union-attr]
    in_full(hand)
    hand.move_to(start + QPointF(20, 15))
    hand.settle()
    after = hand.adjustment(TAIL)
    assert (after.scale, after.turn) == pytest.approx((before.scale, before.turn), rel=0.03, abs=0.5)
    now = hand.canvas.handles.frame.boundingRect()  # type: ignore[union-attr]
    assert (now.center() - frame.center()).manhattanLength() < 8 * hand.canvas.placement.scale
    hand.button(QEvent.Type.MouseButtonRelease, start + QPointF(20, 15))


def test_the_full_one_draws_nobody_away_from_a_creation(hand: Hand, pack: Pack, qtbot: QtBot) -> None:
    rendered(qtbot, hand.session)
    choose_other(hand, pack, HEAD)
    pane = hand.window.creature
    assert pane.on_show.item is Here.COLLAGE
    pane.show_creation(hand.session.state.creations[0])
    in_full(hand)
    QApplication.processEvents()
    assert pane.shown_creation is hand.session.state.creations[0]


def test_a_nudge_is_a_pixel_of_the_full_collage(hand: Hand, pack: Pack) -> None:
    hand.select(TAIL)
    choose_other(hand, pack, HEAD)
    selected = hand.canvas.selected
    assert selected is not None and (selected.side, selected.full_side) == (SIDE // 2, SIDE)


def test_what_is_looked_at_is_ready(hand: Hand, pack: Pack, qtbot: QtBot) -> None:
    prepared: list[str] = []
    control = hand.session._collages
    bench_prepare = control._bench.prepare
    control._bench.prepare = lambda pack, id, *rest: (bench_prepare(pack, id, *rest), prepared.append(id))[0]  # type: ignore[method-assign]
    hand.session.open_reference(pack.references[5].id)
    qtbot.waitUntil(lambda: "5" in prepared and not control._under_way, timeout=WAIT)
    other = pack.references[4]
    hand.session.try_choice(Choice(HEAD, other.codes[HEAD], source=other.id))
    qtbot.waitUntil(lambda: "4" in prepared, timeout=WAIT)
    assert prepared.count("5") == 1
