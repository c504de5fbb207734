"""From a fresh home to a mixed bird without a terminal: the real window, engine process and handlers, a hub on this
computer with tiny weights under the real names, and a connection that breaks on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.hub.published import PUBLISHED
from engine.packs.library import PackLibrary
from engine.packs.pack import Pack
from engine.packs.stand_ins import codes_to_paint, is_stand_in
from engine.packs.validation import check_pack
from engine.worker.engine import Engine
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.settings import Settings
from partcraft_desktop.models.models_dialog import ModelsDialog
from partcraft_desktop.widgets.theme import Theme
from partcraft_desktop.window.main_window import MainWindow
from tests.engine.published_world import play_published
from tests.stand_in_hub import StandIn

pytestmark = pytest.mark.slow

WAIT = 300_000
BIRDS = PUBLISHED[0]
CARDINAL, BLUE_JAY = 16, 72


class Start:
    """One start of the app on a home."""

    def __init__(self, qtbot: QtBot, qapp: QApplication, home: Path) -> None:
        self.settings = Settings(home)
        readers = BackgroundReader()
        self.session = Session(PackLibrary(bundled=home / "no starter"), self.settings, readers, Engine)
        Theme(qapp, self.settings)
        self.window = MainWindow(self.session, readers)
        qtbot.addWidget(self.window)
        self.session.begin()
        self.window.resize(1280, 832)
        self.window.show()
        qtbot.waitUntil(lambda: self.session.state.packs_listed, timeout=WAIT)
        self.session.start_engine()
        self.session.painter.rest_ms = 200


@pytest.fixture
def start(qtbot: QtBot, qapp: QApplication, home: Path) -> Iterator[Callable[[], Start]]:
    starts: list[Start] = []

    def begin() -> Start:
        starts.append(Start(qtbot, qapp, home))
        return starts[-1]

    yield begin
    for one in starts:
        one.session.shutdown()


def test_from_a_fresh_home_to_a_cardinal_on_a_jay(
    qtbot: QtBot, start: Callable[[], Start], hub: StandIn, home: Path
) -> None:
    play_published(hub)
    first = start()
    session, window = first.session, first.window
    assert session.state.packs == ()
    window.models.trigger()
    page = QApplication.activeModalWidget()
    assert isinstance(page, ModelsDialog)
    row = page.vocabularies.rows["birds"]
    qtbot.waitUntil(row.get.isEnabled, timeout=WAIT)
    assert hub.log == []
    row.get.click()
    qtbot.waitUntil(page.consent.isVisible, timeout=WAIT)
    hub.cut_at, hub.cuts = 0.6, 2
    page.consent.yes.click()
    qtbot.waitUntil(row.open.isVisible, timeout=WAIT)
    assert any("bytes=" in line for line in hub.fetched), "it went on after the cut"
    page.finish.click()

    pack = session.state.pack
    assert pack is not None and pack.title == "200 birds" and pack.blind
    check_pack(pack, thorough=True)
    assert len(window.library.model.tiles) == 200 and window.library.model.tiles[CARDINAL].title == "cardinal"
    qtbot.waitUntil(lambda: session.state.engine == "ready", timeout=WAIT)

    # The head of a cardinal on the wing of a jay, from stand-ins: parts are picked before anything is painted.
    for name, code in (("head", CARDINAL), ("wing", BLUE_JAY)):
        reference = pack.references[code]
        assert is_stand_in(reference)
        session.open_reference(reference.id)
        qtbot.waitUntil(
            lambda id=reference.id: (
                (now := session.state.reference) is not None and now.id == id and now.segmentation is not None
            ),
            timeout=WAIT,
        )
        part = pack.vocabulary.find_part(name)
        assert part is not None
        session.choose(part.index, code, reference.id)
    session.set_setting("steps", 3)
    session.render()
    qtbot.waitUntil(lambda: len(session.state.creations) == 1, timeout=WAIT)
    creation = session.state.creations[0]
    assert [(choice.part, choice.code) for choice in creation.recipe.choices] == [(2, CARDINAL), (4, BLUE_JAY)]

    # Its own pictures come by and by, one after another from the first on.
    qtbot.waitUntil(lambda: codes_to_paint(Pack.open(pack.path))[:1] == (1,), timeout=WAIT)
    qtbot.waitUntil(lambda: (now := session.state.painting) is not None and now.painted >= 1, timeout=WAIT)
    assert session.state.recipe.choices == creation.recipe.choices, "what was chosen stays"
    session.shutdown()
    window.close()

    second = start()
    qtbot.waitUntil(lambda: second.session.state.painting is not None, timeout=WAIT)
    before = len(codes_to_paint(Pack.open(pack.path)))
    qtbot.waitUntil(lambda: len(codes_to_paint(Pack.open(pack.path))) < before, timeout=WAIT)
    check_pack(Pack.open(pack.path), thorough=True)
