"""Fields show what is in the recipe and change only what is typed: the keyboard may come by and go on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from engine.core.recipe import LIMITS, Creation, Recipe
from engine.packs.base_sizes import BaseSizes
from partcraft_desktop.composer.composer import Composer
from partcraft_desktop.composer.recipe_settings import RecipeSettings
from partcraft_desktop.widgets.number_field import NumberField
from partcraft_desktop.widgets.thumbnails import Thumbnails
from tests.desktop.conftest import WAIT, Opened

ODD = {"guidance": 7.25, "steps": 400, "count": 100, "seed": 2**62 + 1, "size": 333, "negative": "  two  blanks "}


@pytest.fixture
def composer(qtbot: QtBot, opened: Opened) -> Composer:
    composer = Composer(opened.session, Thumbnails(opened.readers))
    qtbot.addWidget(composer)
    composer.resize(360, 700)
    composer.show()
    composer.more.button.click()
    composer.activateWindow()
    qtbot.waitUntil(composer.isActiveWindow, timeout=WAIT)
    return composer


def show(opened: Opened, **changes: Any) -> Recipe:
    recipe = replace(opened.session.state.recipe, **changes)
    opened.session.use_recipe(Creation("", recipe))
    assert opened.session.state.recipe == recipe
    return recipe


def test_going_through_all_fields_changes_nothing(composer: Composer, opened: Opened) -> None:
    recipe = show(opened, **ODD)
    fields = composer.settings
    assert (fields.guidance.edit.text(), fields.steps.edit.text(), fields.count.edit.text()) == ("7.25", "400", "100")
    assert fields.seed.edit.text() == str(2**62 + 1) and fields.size_box.currentText() == "333 px"
    visited: set[QWidget] = set()
    composer.mix.setFocus()
    while (focus := QApplication.focusWidget()) is not None and focus not in visited:
        visited.add(focus)
        QTest.keyClick(focus, Qt.Key.Key_Tab)
    assert {fields.guidance.edit, fields.steps.edit, fields.count.edit, fields.seed.edit, fields.negative} <= visited
    assert opened.session.state.recipe == recipe


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [("seed", str(2**53 + 1), 2**53 + 1), ("seed", str(2**63 - 1), 2**63 - 1), ("seed", "9" * 30, 2**63 - 1),
     ("seed", "9" * 5000, 2**62 + 1), ("steps", "401", 401), ("count", "99", 99), ("guidance", "7,125", 7.125),
     ("guidance", "55", 55.0), ("guidance", "101", 100.0), ("steps", "", 400)],
)  # fmt: skip
def test_what_is_typed_is_taken_as_it_is(composer: Composer, opened: Opened, name: str, typed: str, value: Any) -> None:
    recipe = show(opened, **ODD)
    field = getattr(composer.settings, name)
    field.edit.selectAll()
    QTest.keyClick(field.edit, Qt.Key.Key_Backspace)
    field.edit.insert(typed)
    QTest.keyClick(field.edit, Qt.Key.Key_Return)
    assert opened.session.state.recipe == replace(recipe, **{name: value})
    assert float(field.edit.text()) == float(value)


def test_a_new_seed_is_one_that_other_programs_take(composer: Composer, opened: Opened) -> None:
    show(opened, **ODD)
    composer.settings.new_seed.click()
    assert opened.session.state.recipe.seed < 2**31


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {
            "guidance": st.floats(*LIMITS["guidance"]),
            "steps": st.integers(*LIMITS["steps"]),
            "count": st.integers(*LIMITS["count"]),
            "seed": st.integers(*LIMITS["seed"]),
            "size": st.integers(*LIMITS["size"]),
        }
    )
)
@example({"guidance": 1e-5, "steps": 1, "count": 1, "seed": 2**63 - 1, "size": 1})
def test_any_recipe_is_shown_as_it_is(qtbot: QtBot, values: dict[str, Any]) -> None:
    recipe = Recipe("birds", **values)
    fields = RecipeSettings()
    changes: list[Any] = []
    fields.changed.connect(lambda *change: changes.append(change))
    fields.show_recipe(recipe, False, BaseSizes())
    for name in ("guidance", "steps", "count", "seed"):
        number: NumberField = getattr(fields, name)
        assert float(number.edit.text()) == float(values[name]) and "e" not in number.edit.text()
        number.edit.editingFinished.emit()
    assert changes == []
    fields.deleteLater()
