"""The published vocabularies on the page of models: one button fetches, imports and opens; pictures come by and by."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.core.paths import models_dir
from engine.hub.published import PUBLISHED
from engine.packs.pack import Pack
from engine.packs.stand_ins import codes_to_paint, is_stand_in
from partcraft_desktop.app.session import Session
from partcraft_desktop.models.models_dialog import ModelsDialog
from partcraft_desktop.window.main_window import MainWindow
from tests.desktop.conftest import WAIT, Opened, said
from tests.stand_in_hub import StandIn

BIRDS, DOGS = PUBLISHED


@pytest.fixture
def published(hub: StandIn) -> StandIn:
    """The authors' repositories, a base model and eyes, of no weight."""
    weights = os.urandom(50_000)
    for one in PUBLISHED:
        names = ("pytorch_model.bin", "pytorch_model_1.bin")
        hub.put(one.id, {f"{one.folder}/{name}": weights for name in names})
    base = {"model_index.json": b'{"_class_name": "StableDiffusionPipeline"}'}
    for part, stem in (
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ):
        base |= {f"{part}/config.json": b"{}", f"{part}/{stem}.fp16.safetensors": weights}
    hub.put(BIRDS.base_models[0], base)
    hub.put(BIRDS.eyes, {"config.json": b'{"model_type": "dinov2"}', "model.safetensors": weights})
    from engine.hub.catalogue import pinned_revision

    hub.commits = tuple(pinned_revision(id) for id in BIRDS.needs[1:])
    return hub


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow) -> ModelsDialog:
    window.models.trigger()
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, ModelsDialog)
    qtbot.waitUntil(lambda: dialog.vocabularies.rows["birds"].get.isEnabled(), timeout=WAIT)
    return dialog


def got(qtbot: QtBot, page: ModelsDialog, name: str) -> None:
    row = page.vocabularies.rows[name]
    row.get.click()
    qtbot.waitUntil(page.consent.isVisible, timeout=WAIT)
    page.consent.yes.click()


def test_what_stands_on_the_page(page: ModelsDialog, published: StandIn) -> None:
    birds, dogs = page.vocabularies.rows["birds"], page.vocabularies.rows["dogs"]
    assert birds.facts.text() == "12 MB · no licence stated · kamwoh/dreamcreature-sd1.5-cub200"
    assert "Stable Diffusion 1.5 (which paints; 2.1 GB, creativeml-openrail-m)" in birds.needs.text()
    assert "DINOv2 base (the eyes that find its parts; 346 MB, apache-2.0)" in birds.needs.text()
    assert dogs.get.text() == "Get…" and dogs.get.accessibleName() == "Get 120 dogs" and not dogs.open.isVisible()
    assert published.log == [], "no request leaves without a click"


def test_one_button_fetches_imports_and_opens(
    qtbot: QtBot, page: ModelsDialog, published: StandIn, session: Session, opened: Opened
) -> None:
    session.painter.rest_ms = 0
    page.vocabularies.rows["birds"].get.click()
    qtbot.waitUntil(page.consent.isVisible, timeout=WAIT)
    assert page.consent.question.text() == "Fetch what “200 birds” takes, and import it? It is 300 kB in all."
    terms = page.consent.terms.text()
    assert [line.partition(":")[0] for line in terms.splitlines()[:3]] == [
        "200 birds",
        "Stable Diffusion 1.5",
        "DINOv2 base",
    ]
    assert f"It goes to {models_dir()}, where" in terms
    assert terms.count("licence: none is named") == 3 and "are free" in terms and not published.fetched
    published.drip = 0.02
    page.consent.yes.click()
    row = page.vocabularies.rows["birds"]
    qtbot.waitUntil(lambda: row.bar.isVisible() and row.pause.isVisible(), timeout=WAIT)
    assert "then" in row.how_far.text() and not page.vocabularies.rows["dogs"].get.isEnabled(), "one at a time"
    qtbot.waitUntil(lambda: session.state.pack is not None and session.state.pack.title == "200 birds", timeout=WAIT)
    assert said(opened, "The vocabulary is here.")
    qtbot.waitUntil(lambda: row.open.isVisible() and not row.get.isVisible(), timeout=WAIT)
    assert row.needs.text().startswith("In your packs. Needs Stable Diffusion 1.5 (which paints; on this computer)")
    assert [path.rpartition("/")[2] for path in published.fetched[:2]] == ["pytorch_model.bin", "pytorch_model_1.bin"]
    # Its pictures are painted while the engine rests.
    pack = session.state.pack
    assert pack is not None
    qtbot.waitUntil(lambda: codes_to_paint(Pack.open(pack.path)) == (), timeout=WAIT)
    qtbot.waitUntil(lambda: (now := session.state.painting) is not None and now.painted == 4, timeout=WAIT)
    # The dogs need nothing more than their own two files.
    qtbot.waitUntil(page.vocabularies.rows["dogs"].get.isEnabled, timeout=WAIT)
    page.vocabularies.rows["dogs"].get.click()
    qtbot.waitUntil(page.consent.isVisible, timeout=WAIT)
    assert page.consent.question.text().endswith("It is 100 kB in all.")
    page.consent.no.click()
    assert not page.consent.isVisible() and not session.state.vocabularies.fetching


def test_paused_and_gone_on_with(qtbot: QtBot, page: ModelsDialog, published: StandIn, session: Session) -> None:
    published.silent_after = 20_000
    got(qtbot, page, "birds")
    qtbot.waitUntil(lambda: any(fetch.done >= 20_000 for fetch in session.state.models.fetches), timeout=WAIT)
    row = page.vocabularies.rows["birds"]
    row.pause.click()
    qtbot.waitUntil(lambda: row.get.isVisible() and row.get.isEnabled(), timeout=WAIT)
    assert not session.state.vocabularies.fetching and not session.state.vocabularies.importing
    published.silent_after = 0
    row.get.click()
    qtbot.waitUntil(page.consent.isVisible, timeout=WAIT)
    assert "20 kB of it here" in page.consent.terms.text()
    page.consent.yes.click()
    qtbot.waitUntil(lambda: session.state.pack is not None and session.state.pack.title == "200 birds", timeout=WAIT)
    assert any("bytes=" in line for line in published.fetched)


def test_a_hub_that_does_not_have_it_says_so(
    qtbot: QtBot, page: ModelsDialog, published: StandIn, session: Session
) -> None:
    published.statuses = [404] * 3
    page.vocabularies.rows["dogs"].get.click()
    qtbot.waitUntil(page.consent.isVisible, timeout=WAIT)
    assert not page.consent.yes.isVisible() and DOGS.id in page.consent.question.text()
    assert page.vocabularies.rows["dogs"].get.isEnabled()


def painting(session: Session) -> Path:
    """A pack with four stand-ins, imported and open."""
    session.vocabularies.import_found("somewhere", "birds")
    return models_dir().parent / "packs" / "birds"


def test_painting_stops_survives_a_restart_and_goes_on(
    qtbot: QtBot, open_session: Callable[[], Opened], script: Callable[..., None]
) -> None:
    script(paintreference={"delay": 0.05})
    first = open_session().session
    first.start_engine()
    first.painter.rest_ms = 0
    folder = painting(first)
    qtbot.waitUntil(lambda: (now := first.state.painting) is not None and now.painted >= 1, timeout=WAIT)
    first.painter.stop()
    qtbot.waitUntil(lambda: (now := first.state.painting) is not None and now.stopped and not now.active, timeout=WAIT)
    qtbot.waitUntil((folder / "painting.json").exists, timeout=WAIT)
    done = 4 - len(codes_to_paint(Pack.open(folder)))
    assert 1 <= done < 4
    first.shutdown()
    second = open_session().session
    second.painter.rest_ms = 0
    second.start_engine()
    second.open_pack("birds")
    qtbot.waitUntil(lambda: second.state.engine == "ready", timeout=WAIT)
    qtbot.waitUntil(lambda: (now := second.state.painting) is not None and now.stopped, timeout=WAIT)
    assert 4 - len(codes_to_paint(Pack.open(folder))) == done, "stopped stays stopped"
    second.painter.go_on()
    qtbot.waitUntil(lambda: codes_to_paint(Pack.open(folder)) == (), timeout=WAIT)


def test_a_render_comes_first(qtbot: QtBot, opened: Opened, script: Callable[..., None]) -> None:
    session = opened.session
    session.start_engine()
    session.painter.rest_ms = 0
    script(paintreference={"delay": 0.3})
    folder = painting(session)
    qtbot.waitUntil(lambda: (now := session.state.painting) is not None and now.share > 0, timeout=WAIT)
    session.choose(0, 1)
    session.render()
    qtbot.waitUntil(lambda: len(session.state.creations) == 1, timeout=WAIT)
    assert len(codes_to_paint(Pack.open(folder))) == 4, "what was under way gave way"
    script()
    qtbot.waitUntil(lambda: codes_to_paint(Pack.open(folder)) == (), timeout=WAIT)


def test_a_picture_that_is_open_is_shown_once_it_is_painted(qtbot: QtBot, window: MainWindow, opened: Opened) -> None:
    session = opened.session
    session.start_engine()
    session.painter.rest_ms = 10**8
    folder = painting(session)
    qtbot.waitUntil(lambda: session.state.pack is not None and session.state.pack.id == "birds", timeout=WAIT)
    wall = window.library.model
    assert [tile.title for tile in wall.tiles] == ["Cardinal", "Snowy Owl", "Blue Jay", "Ёжик"]
    reference = Pack.open(folder).references[2]
    assert is_stand_in(reference)
    session.open_reference(reference.id)
    qtbot.waitUntil(lambda: (now := session.state.reference) is not None and now.segmentation is not None, timeout=WAIT)
    assert window.library.painting.isVisible()
    session.choose(3, 2, reference.id)
    prompt = session.state.recipe.prompt
    session.painter.rest_ms = 0
    session.painter.go_on()
    qtbot.waitUntil(lambda: not window.library.painting.isVisible(), timeout=WAIT)
    shown = session.state.reference
    assert shown is not None and shown.id == reference.id and "painted-" in shown.image
    assert session.state.recipe.prompt == prompt, "the recipe stays as it is"
    assert session.state.engine == "ready"


def test_a_picture_that_cannot_be_painted_says_why(
    qtbot: QtBot, window: MainWindow, opened: Opened, script: Callable[..., None]
) -> None:
    session = opened.session
    session.start_engine()
    session.painter.rest_ms = 0
    script(paintreference={"fail": ["There is no brush.", "Get one."]})
    painting(session)
    bar = window.library.painting
    qtbot.waitUntil(
        lambda: bar.button.text() == "Go on" and "There is no brush. Get one." in bar.line.toolTip(), timeout=WAIT
    )
    script()
    bar.button.click()
    qtbot.waitUntil(lambda: not bar.isVisible(), timeout=WAIT)
