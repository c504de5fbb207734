"""The prompt field says how much of the prompt the base model reads, in words that the composer has room for."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from engine.core.recipe import Prompt
from engine.core.vocabulary import Choice
from engine.packs.pack import BaseModel
from engine.packs.prompt_room import PromptRoom, room_of
from partcraft_desktop.composer.composer import Composer
from partcraft_desktop.composer.prompt_field import PromptField
from partcraft_desktop.widgets.theme import Theme
from partcraft_desktop.widgets.thumbnails import Thumbnails
from tests.desktop.conftest import Opened
from tests.engine.tiny import make_tokenizer
from tests.fakes import make_pack

WAIT = 10_000


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> PromptRoom:
    folder = tmp_path_factory.mktemp("room") / "base"
    make_tokenizer().save_pretrained(folder / "tokenizer")
    room = room_of(BaseModel(str(folder)))
    assert room is not None
    return room


@pytest.fixture
def field(qtbot: QtBot, room: PromptRoom, tmp_path: Path, themed: Theme) -> PromptField:
    field = PromptField()
    qtbot.addWidget(field)
    field.resize(280, 200)
    field.show_prompt(("a bird",), make_pack(tmp_path / "birds").vocabulary)
    field.show_room(room)
    field.show()
    qtbot.waitExposed(field)
    return field


def write(field: PromptField, text: str) -> None:
    field.words.edit_asked.emit(-1)
    field.editor.selectAll()
    QTest.keyClicks(field.editor, text)


def test_while_one_writes_the_length_is_seen(field: PromptField, qtbot: QtBot) -> None:
    assert not field.room.isVisible()
    write(field, "a bird")
    assert field.room.isVisible() and field.room.text() == "5 of 75 word pieces and parts"
    write(field, "a <head:Cardinal> bird")
    qtbot.waitUntil(lambda: field.room.text() == "6 of 75 word pieces and parts", timeout=WAIT)
    QTest.keyClick(field.editor, Qt.Key.Key_Return)
    assert not field.room.isVisible()


def test_what_is_cut_is_said_also_afterwards(field: PromptField, qtbot: QtBot) -> None:
    said = "This model reads 75 word pieces and parts, the prompt has 81: it stops before “cccccc”."
    write(field, "b" * 75 + " " + "c" * 6)
    qtbot.waitUntil(lambda: field.room.text() == said, timeout=WAIT)
    QTest.keyClick(field.editor, Qt.Key.Key_Escape)
    long: Prompt = (Choice(0, 1), "b" * 80)
    field.show_prompt(long, field._vocabulary)
    field.show_room(field._room)
    assert field.room.isVisible() and "stops before “bbbbbb”" in field.room.text()
    assert field.room.height() >= field.room.heightForWidth(field.width())
    high = field.room.height()
    field.show_prompt((Choice(0, 1), "b" * 70), field._vocabulary)
    field.show_room(field._room)
    assert field.room.text() == "71 of 75 word pieces and parts" and field.room.height() < high
    field.show_room(None)
    assert not field.room.isVisible()


def test_a_pack_whose_model_is_here_says_its_room(
    qtbot: QtBot, opened: Opened, themed: Theme, room: PromptRoom
) -> None:
    composer = Composer(opened.session, Thumbnails(opened.readers))
    qtbot.addWidget(composer)
    composer.show()
    opened.session.update_state(prompt_room=room)
    opened.session.set_prompt_text("b" * 90)
    assert composer.prompt.room.isVisible() and "stops before" in composer.prompt.room.text()
    opened.session.set_prompt_text("b")
    assert not composer.prompt.room.isVisible()
