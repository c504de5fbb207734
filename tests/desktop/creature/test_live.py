"""The collage painted live, in the real window, by the scriptable engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.core.recipe import Recipe
from engine.core.start import Start
from engine.packs.pack import BaseModel, Pack
from partcraft_desktop.app.live_control import OTHER_STEPS, STEPS, live_recipe
from tests.desktop.conftest import WAIT, Opened, idle, rendered, said
from tests.desktop.creature.test_arrange import TAIL, Hand, hand

__all__ = ["hand"]
Script = Callable[..., None]


def painted(hand: Hand) -> None:
    """Wait until the collage is painted."""
    hand.qtbot.waitUntil(lambda: hand.session.state.live.painting is not None, timeout=WAIT)


def seen(hand: Hand) -> np.ndarray:
    """What is seen of the canvas, in levels of 0 to 255."""
    image = hand.canvas.grab().toImage()
    return np.frombuffer(bytes(image.constBits()), np.uint8).astype(int)


def turn_on(hand: Hand) -> None:
    hand.session.start_engine()
    hand.qtbot.waitUntil(lambda: hand.session.state.engine == "ready", timeout=WAIT)
    QTest.mouseClick(hand.window.creature.ways_out.row.live, Qt.MouseButton.LeftButton)


def test_every_change_is_painted_and_the_collage_is_there_at_once(hand: Hand, script: Script) -> None:
    plain = seen(hand)
    turn_on(hand)
    painted(hand)
    assert np.abs(seen(hand) - plain).mean() > 5
    assert hand.window.creature.footer.caption.text() == "Collage, painted live"
    assert hand.canvas.is_arrangeable, "its parts can be taken hold of all the same"
    first = hand.session.state.live.painting
    script(sketch={"delay": 0.1})
    hand.session.arrangement.mirror_part(TAIL)
    assert hand.session.state.live.painting is None, "a change is seen at once, as a collage"
    painted(hand)
    assert hand.session.state.live.painting is not first
    hand.session.undo()
    assert hand.session.state.live.painting is first, "what was painted before is not painted again"
    assert hand.session.state.creations == () and not hand.session.state.queue, "nothing is kept"
    turn_on(hand)
    assert not hand.session.state.live.on and hand.window.creature.footer.caption.text() == "Collage"
    assert np.abs(seen(hand) - plain).mean() < 1, "the collage again"


def test_a_render_goes_first_and_painting_goes_on_after_it(hand: Hand, script: Script) -> None:
    turn_on(hand)
    painted(hand)
    script(sketch={"delay": 0.2})
    hand.session.arrangement.mirror_part(TAIL)
    hand.qtbot.waitUntil(lambda: hand.session.state.live.busy, timeout=WAIT)
    rendered(hand.qtbot, hand.session)
    assert idle(hand.session)
    script()
    painted(hand)


def test_what_is_only_tried_is_not_painted(hand: Hand, pack: Pack) -> None:
    turn_on(hand)
    painted(hand)
    choice = hand.session.state.recipe.choices[0]
    other = next(r for r in pack.references if r.codes[choice.part] != choice.code)
    hand.session.try_choice(replace(choice, code=other.codes[choice.part], source=other.id))
    assert hand.session.state.live.painting is None and not hand.session.state.live.busy
    hand.session.try_choice(None)
    assert hand.session.state.live.painting is not None


def test_a_failure_is_one_sentence_and_turns_it_off(hand: Hand, opened: Opened, script: Script) -> None:
    script(sketch={"fail": ["The model is broken.", "Mend it."]})
    turn_on(hand)
    hand.qtbot.waitUntil(lambda: said(opened, "The model is broken. Mend it."), timeout=WAIT)
    assert not hand.session.state.live.on
    assert not hand.window.creature.ways_out.row.live.isChecked()


def test_it_is_on_again_at_the_next_start(hand: Hand, open_session: Callable[[], Opened]) -> None:
    turn_on(hand)
    assert hand.session.settings.values.live
    hand.session.shutdown()
    again = open_session()
    assert again.session.state.live.on


@pytest.mark.parametrize(("steps", "few"), [(8, STEPS), (0, OTHER_STEPS)])
def test_it_paints_as_the_render_would_in_few_steps(pack: Pack, steps: int, few: int) -> None:
    pack = replace(pack, base_model=BaseModel("starter/base", steps=steps, guidance=3.0))
    recipe = Recipe(pack.id, steps=30, count=4, tries=3, size=512, seed=7)
    free = live_recipe(recipe, pack)
    assert (free.steps, free.count, free.tries, free.size, free.seed) == (few, 1, 1, 0, 7)
    assert free.start == Start(0.4), "a free render has no collage: that of the base model is taken"
    kept = live_recipe(replace(recipe, start=Start(0.7, keep=(TAIL,))), pack)
    assert kept.start == Start(0.7, keep=(TAIL,))
    assert live_recipe(replace(recipe, steps=2), pack).steps == 2
