"""The table of the wizard's pages: what follows from it, and a page that is added to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from partcraft_desktop.app.learning import pages
from partcraft_desktop.app.learning.draft import Draft
from partcraft_desktop.app.learning.pages import PAGES, PageSpec, page_after, page_before, page_keys
from partcraft_desktop.app.learning.state import LearningState
from partcraft_desktop.window.main_window import MainWindow
from partcraft_desktop.wizard import wizard as wizard_module
from partcraft_desktop.wizard.page import PageTools, WizardPage
from tests import fakes
from tests.desktop.conftest import WAIT


class NamesPage(WizardPage):
    """A page of a test: the names of the parts."""

    def __init__(self, tools: PageTools) -> None:
        super().__init__("Names", lambda: None)
        self.names = QLabel()
        self.column.addWidget(self.names)

    def show_state(self, state: LearningState) -> None:
        self.names.setText(", ".join(part.name for part in state.draft.sorting.parts))


NAMES_PAGE = PageSpec(
    "names",
    "Names",
    reached=lambda now: now.has_pictures and now.sorted,
    next_text="Go on",
    complete=lambda now: False,
    why_incomplete=lambda now: "These names go no further.",
)


@pytest.fixture
def with_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table with one more page, between the parts and the plan."""
    monkeypatch.setattr(pages, "PAGES", (*PAGES[:2], NAMES_PAGE, *PAGES[2:]))
    monkeypatch.setitem(wizard_module.WIDGETS, "names", NamesPage)


def test_the_keys_that_drafts_have_stored_stay_as_they_are() -> None:
    assert page_keys() == ("pictures", "parts", "plan", "learning", "done")
    for key in page_keys():
        assert Draft.from_document(Draft(page=key).to_document()).page == key
    assert Draft.from_document({"page": "names"}).page == "pictures"


def test_every_page_has_its_widget_and_its_neighbours() -> None:
    assert tuple(wizard_module.WIDGETS) == page_keys()
    assert page_before("pictures") is None and page_after("done") is None
    assert page_before("parts") is PAGES[0] and page_after("parts") is PAGES[2]
    assert not PAGES[-1].next_text and all(page.title and page.next_text for page in PAGES[:-1])


def test_nothing_but_the_first_page_is_reached_at_first() -> None:
    now = LearningState()
    assert [key for key in page_keys() if now.reached(key)] == ["pictures"]


def test_a_page_is_added_by_its_row_and_its_widget(
    qtbot: QtBot, with_names: None, request: pytest.FixtureRequest, tmp_path: Path, script: Callable[..., None]
) -> None:
    window: MainWindow = request.getfixturevalue("window")  # made with the longer table
    learning = window.session.learning
    learning.show()
    wizard = window.wizard
    assert wizard is not None
    steps = [button.text() for button in wizard.steps.buttons.values()]
    assert steps == ["Pictures", "Parts", "Names", "Plan", "Learning", "Done"]
    learning.open_folder(fakes.make_folder(tmp_path / "birds"))
    qtbot.waitUntil(wizard.next.isEnabled, timeout=WAIT)
    wizard.next.click()
    assert not wizard.steps.buttons["names"].isEnabled()
    qtbot.waitUntil(wizard.next.isEnabled, timeout=WAIT)
    wizard.next.click()
    assert learning.now.draft.page == "names" and wizard.page(NamesPage).isVisible()
    assert wizard.page(NamesPage).names.text() == ", ".join(fakes.PARTS)
    assert wizard.steps.buttons["names"].accessibleName() == "Step 3 of 6: Names, open"
    assert wizard.next.text() == "Go on" and not wizard.next.isEnabled()
    assert wizard.why.text() == "These names go no further."
    assert Draft.from_document(learning.now.draft.to_document()).page == "names"
    wizard.steps.buttons["plan"].click()
    assert learning.now.draft.page == "plan"
    wizard.back.click()
    wizard.back.click()
    assert learning.now.draft.page == "parts"
