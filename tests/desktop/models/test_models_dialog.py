"""The page of models: what is here, fetching with consent, pausing, going on, faults, and the way to it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot
from safetensors.numpy import save_file

from engine.core.model_places import added_folders
from engine.core.paths import models_dir
from engine.hub.shelf import Shelf, look_at_shelf
from engine.worker.jobs import Failed
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.timings import Timings
from partcraft_desktop.models.model_texts import row_texts
from partcraft_desktop.models.models_dialog import ModelsDialog
from partcraft_desktop.window.main_window import MainWindow
from partcraft_desktop.window.settings_dialog import SettingsDialog
from tests.desktop.conftest import WAIT, Opened, said, type_name
from tests.desktop.qt_thread import file_access
from tests.stand_in_hub import TOKEN, StandIn

ID = "somebody/eyes"
WEIGHTS = random.Random(0).randbytes(300_000)
SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"


@pytest.fixture
def model(hub: StandIn) -> StandIn:
    hub.put(ID, {"config.json": b'{"model_type": "dinov2"}', "model.safetensors": WEIGHTS})
    hub.head = {"cardData": {"license": "apache-2.0"}}
    return hub


def shown(qtbot: QtBot) -> ModelsDialog:
    """The page that is open, once the models are listed and seen."""
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, ModelsDialog)
    qtbot.waitUntil(lambda: bool(dialog.rows) and all(row.isVisible() for row in dialog.rows.values()), timeout=WAIT)
    return dialog


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow) -> ModelsDialog:
    window.models.trigger()
    return shown(qtbot)


def asked(qtbot: QtBot, page: ModelsDialog, id: str = ID) -> None:
    """Ask the hub for a model by its name, and wait for the answer."""
    page.other.setText(id)
    page.ask.click()
    qtbot.waitUntil(page.consent.isVisible, timeout=WAIT)


def test_what_is_here_and_what_can_be_had(page: ModelsDialog, model: StandIn) -> None:
    starter, proposed = page.rows["starter/base"], page.rows[SD15]
    assert "on disk" in starter.facts.text() and "of memory" in starter.facts.text()
    assert starter.show_folder.isVisible() and not starter.fetch.isVisible()
    assert "2.1 GB to fetch" in proposed.facts.text() and "creativeml-openrail-m" in proposed.facts.text()
    assert proposed.fetch.isVisible() and not page.consent.isVisible()
    assert model.log == [], "no request leaves without a click"


def test_fetched_after_consent(qtbot: QtBot, page: ModelsDialog, model: StandIn, opened: Opened) -> None:
    asked(qtbot, page)
    assert page.consent.question.text() == f"Fetch {ID}? It is 300 kB."
    terms = page.consent.terms.text()
    assert "apache-2.0" in terms and str(models_dir() / ID) in terms and "are free" in terms
    assert not model.fetched and page.consent.yes.text() == "Fetch 300 kB"
    model.drip = 0.1
    page.consent.yes.click()
    qtbot.waitUntil(lambda: ID in page.rows and page.rows[ID].pause.isVisible(), timeout=WAIT)
    assert page.rows[ID].bar.isVisibleTo(page) and " of 300 kB" in page.rows[ID].how_far.text()
    qtbot.waitUntil(lambda: ID in page.rows and not opened.session.state.models.fetches, timeout=WAIT)
    qtbot.waitUntil(lambda: page.rows[ID].text.kind == "here", timeout=WAIT)
    assert (models_dir() / ID / "model.safetensors").read_bytes() == WEIGHTS
    assert "apache-2.0" in page.rows[ID].facts.text(), "as the hub said"
    qtbot.waitUntil(lambda: page.rows[ID].show_folder.isVisible(), timeout=WAIT)
    assert said(opened, "is on this computer now")


def test_not_now_fetches_nothing(qtbot: QtBot, page: ModelsDialog, model: StandIn) -> None:
    asked(qtbot, page)
    page.consent.no.click()
    assert not page.consent.isVisible() and not model.fetched and not (models_dir() / ID).exists()


def test_paused_and_gone_on_with_after_a_restart(
    qtbot: QtBot, open_session: Callable[[], Opened], model: StandIn
) -> None:
    model.silent_after = 100_000
    first = open_session().session
    first.models.ask(ID)
    qtbot.waitUntil(lambda: first.state.models.offer is not None, timeout=WAIT)
    first.models.agree()
    qtbot.waitUntil(lambda: (fetch := first.state.models.fetch_of(ID)) is not None and fetch.done >= 100_000,
                    timeout=WAIT)  # fmt: skip
    first.shutdown()
    assert not (models_dir() / ID / "model.safetensors").exists()
    model.silent_after = 0
    second = open_session().session
    page = ModelsDialog(second)
    qtbot.addWidget(page)
    page.show()
    qtbot.waitUntil(lambda: ID in page.rows, timeout=WAIT)
    row = page.rows[ID]
    assert row.text.kind == "unfinished" and "100 kB of 300 kB are here" in row.facts.text()
    model.drip = 0.15
    row.fetch.click()
    qtbot.waitUntil(lambda: row.bar.share > 0.4 and row.pause.isVisible(), timeout=WAIT)
    row.pause.click()
    qtbot.waitUntil(lambda: not second.state.models.fetches and ID in page.rows, timeout=WAIT)
    model.drip = 0
    page.rows[ID].fetch.click()
    qtbot.waitUntil(lambda: page.rows[ID].text.kind == "here", timeout=WAIT)
    assert (models_dir() / ID / "model.safetensors").read_bytes() == WEIGHTS
    assert all("bytes=" in line for line in model.fetched[2:]), "from where it was, each time"


def test_thrown_away(qtbot: QtBot, page: ModelsDialog, model: StandIn, session: Session) -> None:
    model.silent_after = 100_000
    asked(qtbot, page)
    page.consent.yes.click()
    qtbot.waitUntil(
        lambda: (fetch := session.state.models.fetch_of(ID)) is not None and fetch.done >= 100_000, timeout=WAIT
    )
    session.models.pause(ID)
    qtbot.waitUntil(lambda: ID in page.rows and page.rows[ID].discard.isVisible(), timeout=WAIT)
    page.rows[ID].discard.click()
    qtbot.waitUntil(lambda: ID not in page.rows, timeout=WAIT)
    assert not (models_dir() / ID).exists()


def test_what_was_seen_first_does_not_overwrite_what_was_seen_last(
    qtbot: QtBot, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened.session
    seen: list[Shelf] = []
    go_on = threading.Event()

    def look_slowly_at_first() -> Shelf:
        shelf = look_at_shelf()
        seen.append(shelf)
        if len(seen) == 1:
            go_on.wait(WAIT / 1000)
        return shelf

    monkeypatch.setattr("partcraft_desktop.app.model_shelf.look_at_shelf", look_slowly_at_first)
    session.models.read()
    qtbot.waitUntil(lambda: len(seen) == 1, timeout=WAIT)
    session.models.read()
    qtbot.waitUntil(lambda: session.state.models.shelf is not None, timeout=WAIT)
    go_on.set()
    qtbot.waitUntil(lambda: opened.readers.idle, timeout=WAIT)
    assert session.state.models.shelf is seen[1]


def test_a_gated_model_asks_for_a_token(
    qtbot: QtBot, page: ModelsDialog, model: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_another")
    model.gated = True
    asked(qtbot, page)
    assert "licence" in page.consent.question.text() and page.consent.token.isVisible()
    assert not page.consent.yes.isVisible()
    page.consent.token.setText(f" {TOKEN} ")
    page.consent.use.click()
    qtbot.waitUntil(page.consent.yes.isVisible, timeout=WAIT)
    assert not page.consent.token.isVisible() and TOKEN not in page.consent.terms.text()


def test_faults_are_a_sentence_on_the_page(qtbot: QtBot, page: ModelsDialog, model: StandIn) -> None:
    asked(qtbot, page, "nobody/else")
    assert "knows no nobody/else" in page.consent.question.text() and page.consent.terms.text()
    page.consent.no.click()
    assert not page.consent.isVisible()


def test_a_model_that_is_too_large_for_this_computer_says_so() -> None:
    rows = {row.id: row for _, rows in row_texts(replace(look_at_shelf(), memory=8 * 10**9)) for row in rows}
    assert rows[SD15].warning == "" and rows["starter/base"].warning == ""
    warning = rows["stabilityai/stable-diffusion-xl-base-1.0"].warning
    assert warning == "This computer has 8.0 GB of memory, which is too little for it."


def test_a_folder_of_another_program_is_added_and_taken_off(qtbot: QtBot, page: ModelsDialog, tmp_path: Path) -> None:
    folder = tmp_path / "ComfyUI"
    (folder / "eyes").mkdir(parents=True)
    (folder / "eyes" / "config.json").write_text('{"model_type": "dinov2"}')
    save_file({"weights": np.zeros(4, np.float32)}, folder / "eyes" / "model.safetensors")
    save_file({"lora_unet_x.lora_up.weight": np.zeros(4, np.float32)}, folder / "paper.safetensors")
    page.add.click()
    dialog = page.findChild(QFileDialog)
    assert dialog is not None
    type_name(dialog, folder)
    dialog.accept()
    qtbot.waitUntil(lambda: str(folder / "eyes") in page.rows, timeout=WAIT)
    single = page.rows[str(folder / "paper.safetensors")]
    assert "LoRA in a single file" in single.text.gives
    qtbot.waitUntil(single.warning.isVisible, timeout=WAIT)
    page._session.models.remove_folder(str(folder))
    qtbot.waitUntil(lambda: str(folder / "eyes") not in page.rows and not added_folders(), timeout=WAIT)
    assert (folder / "eyes" / "model.safetensors").is_file()


def checkpoint(folder: Path) -> str:
    """A file that says by the names of its weights that it is a checkpoint."""
    folder.mkdir(parents=True)
    first = {"model.diffusion_model.input_blocks.0.0.weight": np.zeros((2, 4, 1, 1), np.float16)}
    file = folder / "dreamshaper_8.safetensors"
    save_file(first | {"cond_stage_model.transformer.text_model.x": np.zeros(2, np.float16)}, file)
    return str(file)


def test_a_checkpoint_in_one_file_is_made_usable(
    qtbot: QtBot, opened: Opened, script: Callable[..., None], page: ModelsDialog
) -> None:
    script(unpackcheckpoint={"delay": 0.1})
    file = checkpoint(models_dir() / "from A1111")
    opened.session.models.read()
    qtbot.waitUntil(lambda: file in page.rows and page.rows[file].unpack.isVisible(), timeout=WAIT)
    row = page.rows[file]
    assert not row.warning.isVisible() and row.show_folder.isVisible()
    row.unpack.click()
    assert not row.unpack.isEnabled() and row.unpack.text() == "Unpacking"
    qtbot.waitUntil(lambda: row.bar.isVisible() and row.bar.share > 0.3, timeout=WAIT)
    qtbot.waitUntil(lambda: "checkpoints/dreamshaper_8" in page.rows, timeout=WAIT)
    assert page.rows[file].unpack.isEnabled() and Path(file).is_file()
    assert said(opened, "dreamshaper_8.safetensors can be used as a base model now.")


def test_a_checkpoint_that_is_none_is_said(
    qtbot: QtBot, opened: Opened, script: Callable[..., None], page: ModelsDialog
) -> None:
    script(unpackcheckpoint={"fail": ["It is damaged.", "Get the file again."]})
    file = checkpoint(models_dir() / "from A1111")
    opened.session.models.read()
    qtbot.waitUntil(lambda: file in page.rows and page.rows[file].unpack.isVisible(), timeout=WAIT)
    page.rows[file].unpack.click()
    qtbot.waitUntil(lambda: said(opened, "It is damaged."), timeout=WAIT)
    assert not opened.session.state.models.unpacking and page.rows[file].unpack.isEnabled()


def test_a_missing_model_leads_here_and_back(qtbot: QtBot, window: MainWindow, session: Session) -> None:
    session.message.emit(
        session.message_of(Failed(f"The model {SD15} is not on this computer.", "Get it.", model=SD15))
    )
    assert window.status.action.text() == "Get the model…"
    qtbot.mouseClick(window.status.action, Qt.MouseButton.LeftButton)
    page = shown(qtbot)
    assert session.state.models.wanted == SD15
    qtbot.waitUntil(lambda: page.focusWidget() is page.rows[SD15].fetch, timeout=WAIT)
    page.finish.click()
    assert QApplication.activeModalWidget() is None and window.isVisible()


def test_a_missing_model_of_another_name_is_written_where_the_hub_is_asked(
    qtbot: QtBot, window: MainWindow, session: Session
) -> None:
    session.model_wanted.emit(ID)
    page = shown(qtbot)
    qtbot.waitUntil(lambda: page.other.text() == ID and page.focusWidget() is page.ask, timeout=WAIT)


def test_settings_lead_to_it(qtbot: QtBot, window: MainWindow) -> None:
    window.openings.show_settings()
    settings = QApplication.activeModalWidget()
    assert isinstance(settings, SettingsDialog)
    settings._show_models()
    shown(qtbot)


def test_a_model_that_arrives_lets_the_engine_try_again(qtbot: QtBot, session: Session) -> None:
    session.start_engine()
    qtbot.waitUntil(lambda: session.state.engine == "ready", timeout=WAIT)
    session.update_state(engine="failed")
    session.models.arrived.emit(SD15)
    qtbot.waitUntil(lambda: session.state.engine == "ready", timeout=WAIT)


def test_the_qt_thread_reads_no_files(qtbot: QtBot, window: MainWindow, model: StandIn, session: Session) -> None:
    with file_access() as notes:
        window.models.trigger()
        page = shown(qtbot)
        asked(qtbot, page)
        page.consent.yes.click()
        qtbot.waitUntil(lambda: ID in page.rows and not session.state.models.fetches, timeout=WAIT)
    assert notes == []


def test_a_base_model_that_drew_here_says_how_long_it_takes() -> None:
    drew = Timings(paces={"starter/base 0 guided": 0.6, "starter/base 0 plain": 0.3, "other/base 512 guided": 9.0})
    facts = {row.id: row.facts for _, rows in row_texts(look_at_shelf(), drew) for row in rows}
    assert " · 12 s a picture of 20 steps here, measured · " in facts["starter/base"]
    assert not any("measured" in text for id, text in facts.items() if id != "starter/base")
    assert drew.step_of("other/base") == 0.0, "at another size"


def test_a_few_step_lora_is_rendered_with_from_its_row(
    qtbot: QtBot, window: MainWindow, session: Session, home: Path
) -> None:
    folder = models_dir() / "latent-consistency/lcm-lora-sdv1-5"
    folder.mkdir(parents=True)
    up, down = np.ones((16, 2), np.float32), np.ones((2, 16), np.float32)
    layer = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    save_file(
        {f"{layer}.lora_up.weight": up, f"{layer}.lora_down.weight": down}, folder / "pytorch_lora_weights.safetensors"
    )
    before = session.state.recipe
    window.models.trigger()
    dialog = shown(qtbot)
    row = dialog.rows["latent-consistency/lcm-lora-sdv1-5"]
    assert row.use.isVisible() and not any(other.use.isVisible() for other in dialog.rows.values() if other is not row)
    row.use.click()
    qtbot.waitUntil(lambda: bool(session.state.recipe.add_ons), timeout=WAIT)
    assert (session.state.recipe.steps, session.state.recipe.guidance) == (6, 1.0)
    assert QApplication.activeModalWidget() is None
    session.undo()
    assert session.state.recipe == before, "one step of undo"
