"""Pictures of the real window: ``python -m tests.screenshots OUT [--real]`` (offscreen; light, dark, and at 200 %).

With the starter pack if it is here, else with a drawn one; with the fake engine, so that no model is needed: its
creations are copies of references, to look at the layout only. ``--real`` renders with the starter pack's own models,
for pictures that are shown to others. ``--wizard [STEPS]`` learns the practice birds, ``--mix
[FOLDER]`` makes a creature of a folder's photographs: see ``wizard_screenshots``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

SCENES = (
    "first",
    "made",
    "live",
    "rendering",
    "queue",
    "creation",
    "compare",
    "grid",
    "empty",
    "viewer",
    "settings",
    "models",
    "models-asked",
    "models-vocabulary",
    "stand-ins",
    "stand-in-small",
    "add-pack",
    "add-checkpoint",
    "shortcuts",
    "deleted",
    "trouble",
    "photo",
    "small",
    "long",
    "no-pack",
    "wall",
    "layers",
    "sheet",
    "evaluation",
    "evaluation-small",
)

REAL = "PARTCRAFT_SCREENSHOTS_REAL"


def main(out: Path) -> int:
    """Take every picture in a process of its own: scale and theme are settled when Qt starts."""
    out.mkdir(parents=True, exist_ok=True)
    for theme, scale in (("light", "1"), ("dark", "1"), ("light", "2")):
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": scale}
        scenes = (
            SCENES if scale == "1" else (*SCENES[:2], "models-asked", "models-vocabulary", "stand-ins", "evaluation")
        )
        done = subprocess.run([sys.executable, "-m", "tests.screenshots", str(out), theme, *scenes], env=environment)
        if done.returncode:
            return done.returncode
    return 0


def take(out: Path, theme: str, scenes: list[str]) -> None:
    """Open the window for each scene and save what it shows."""
    from PySide6.QtWidgets import QApplication

    app = QApplication(sys.argv[:1])
    for scene in scenes:
        with tempfile.TemporaryDirectory() as home:
            os.environ["PARTCRAFT_HOME"] = home
            _Scene(app, Path(home), theme, scene).take(scene, out)


class _Scene:
    def __init__(self, app: object, home: Path, theme: str, scene: str) -> None:
        from PySide6.QtWidgets import QApplication

        from engine.core.paths import starter_pack
        from engine.packs.library import PackLibrary
        from engine.worker.engine import Engine
        from partcraft_desktop.app.background import BackgroundReader
        from partcraft_desktop.app.session import Session
        from partcraft_desktop.app.settings import Settings
        from partcraft_desktop.widgets.theme import Theme
        from partcraft_desktop.window.main_window import MainWindow
        from tests import fakes

        assert isinstance(app, QApplication)
        self.app = app
        self.real = REAL in os.environ
        self.theme = theme
        self.home = home
        if scene == "long":
            _long_names(home)
        elif scene != "no-pack" and not starter_pack().is_dir():
            fakes.make_pack(home / "packs" / "fake-birds", codes=8, references=24)
        self.script = fakes.write_script(home / "script.json")
        os.environ[fakes.SCRIPT] = str(self.script)
        settings = Settings(home)
        settings.set(theme=theme)
        self.look = Theme(app, settings)
        readers = BackgroundReader()
        self.session = Session(
            PackLibrary(bundled=home / "none" if scene in ("long", "no-pack") else None),
            settings,
            readers,
            lambda outlet: Engine(outlet) if self.real else Engine(outlet, "thread", "tests.fakes:HANDLERS"),
        )
        self.session.begin()
        self.wait(lambda: self.session.state.packs_listed)
        self.window = MainWindow(self.session, readers)

    def settle(self, rounds: int = 40) -> None:
        """Let everything arrive."""
        import time

        from PySide6.QtCore import QEvent

        for _ in range(rounds):
            self.app.processEvents()
            # Without a running loop nobody else deletes what was asked to be deleted later.
            self.app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
            time.sleep(0.02)

    def wait(self, until: Callable[[], bool]) -> None:
        """Let things happen until something has."""
        while not until():
            self.settle(1)

    def choose(self) -> None:
        """A head, a wing and a tail of three birds."""
        session = self.session
        pack = session.state.pack
        assert pack is not None
        for part, reference in zip(pack.vocabulary.visible_parts[:4], pack.references[2:], strict=False):
            code = reference.codes[part.index]
            session.choose(part.index, code, reference.id)

    def make(self, count: int) -> None:
        """Creations that look like something: pictures of references with fake receipts."""
        from PIL import Image

        from engine.core.png_metadata import save_creation
        from engine.core.recipe import Arrival

        session = self.session
        pack = session.state.pack
        assert pack is not None
        if self.real:
            for _ in range(count):
                session.random_mix()
                session.render()
            self.wait(lambda: session.state.render is None and not session.state.queue)
            return
        for number in range(count):
            session.random_mix()
            recipe = session.state.recipe
            receipt = tuple(
                Arrival(c.part, c.code, c.code if (number + i) % 4 else -1, 0.8) for i, c in enumerate(recipe.choices)
            )
            with Image.open(pack.references[(number * 5 + 3) % len(pack.references)].image) as picture:
                path = session.settings.out / f"{number:04}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                save_creation(picture.convert("RGB"), path, recipe, receipt, pack.vocabulary)

    def show_models(self, asked: bool) -> None:
        """The page of models, with a fetch by half; ``asked``: one under way, and the question before another."""
        from engine.hub.fetch import Offer
        from engine.hub.records import mark_unfinished
        from engine.hub.repository import HubFile, Repository
        from partcraft_desktop.app.model_state import FetchStatus

        id, revision = "stable-diffusion-v1-5/stable-diffusion-v1-5", "4" * 40
        folder = self.home / "models" / id
        files = (HubFile("unet/diffusion_pytorch_model.fp16.safetensors", 2_130_000_000, "a" * 64),)
        mark_unfinished(folder, id, revision, files)
        part = folder / ".cache/huggingface/download" / f"{files[0].path}.{files[0].digest[:16]}.incomplete"
        part.parent.mkdir(parents=True)
        with part.open("wb") as opened:
            opened.truncate(913_000_000)  # takes no room
        self.window.openings.show_models()
        self.wait(lambda: self.session.state.models.shelf is not None)
        self.settle()
        if asked:
            models = self.session.state.models
            eyes = Repository("facebook/dinov3-vitb16-pretrain-lvd1689m", revision, (), "dinov3-license", True)
            offer = Offer(eyes, (HubFile("model.safetensors", 343_000_000, "a" * 64),), Path("models"), 0, 53 * 10**9)
            under_way = (FetchStatus(id, 913_000_000, 2_130_000_000, 21_400_000.0, 57.0),)
            self.session.update_state(models=replace(models, offer=offer, fetches=under_way))

    def ask_for_vocabulary(self) -> None:
        """The question before a published vocabulary is fetched, with all it takes."""
        from engine.hub.catalogue import catalogue_model
        from engine.hub.fetch import Offer
        from engine.hub.published import PUBLISHED
        from engine.hub.repository import HubFile, Repository

        birds = PUBLISHED[0]
        self.wait(lambda: bool(self.session.state.vocabularies.known))
        offers = []
        for id in birds.needs:
            known = catalogue_model(id)
            size, license = (known.size, known.license) if known else (birds.size, birds.license)
            place = Path("/home/robin/.local/share/PartCraft/models") / id
            files = (HubFile("weights", size, "a" * 64),)
            offers.append(Offer(Repository(id, "4" * 40, (), license), files, place, 0, 53 * 10**9))
        state = replace(self.session.state.vocabularies, offered="birds", offers=tuple(offers))
        self.session.update_state(vocabularies=state)

    def show_stand_ins(self) -> None:
        """The pack of 200 birds, some of whose pictures are painted."""
        from engine.core.palette import PALETTE
        from engine.core.vocabulary import Part, Vocabulary
        from engine.hub.published import PUBLISHED, class_names
        from engine.packs.stand_ins import with_stand_ins
        from engine.worker.jobs import PaintReference
        from tests import fakes

        birds = PUBLISHED[0]
        names = [name or f"part {place + 1}" for place, name in enumerate(birds.parts)]
        parts = tuple(Part(i, name, PALETTE[i], i == birds.background) for i, name in enumerate(names))
        pack = fakes.make_pack(self.home / "packs" / "birds", references=0, id="birds")
        words = Vocabulary("bird", parts, 200, (class_names(birds),) * 8)
        pack = with_stand_ins(replace(pack, title=birds.title, vocabulary=words, blind=True))
        pack.save()
        for code in (0, 1, 16):
            fakes.paint(None, PaintReference(str(pack.path), code), lambda news: None)
        self.session.list_packs()
        self.wait(lambda: any(one.id == "birds" for one in self.session.state.packs))
        self.session.open_pack("birds")
        self.wait(lambda: self.session.state.painting is not None)
        self.session.open_reference(pack.references[17].id)
        self.settle()
        self.session.choose(2, 17, pack.references[17].id)
        self.session.choose(4, 72, pack.references[72].id)
        self.wait(lambda: self.session.state.creature.collage is not None)

    def offer_pack(self) -> None:
        """The question before a pack is added."""
        from engine.packs.archive import write_archive

        pack = self.session.state.packs[0]
        self.session.offer_pack(write_archive(pack, self.home / "somebody’s birds.partpack"))

    def offer_checkpoint(self) -> None:
        """The question before a checkpoint is imported."""
        folder = self.home / "dreamcreature-sd1.5-cub200" / "checkpoint-74900"
        folder.mkdir(parents=True)
        for name in ("pytorch_model.bin", "pytorch_model_1.bin"):
            (folder / name).write_bytes(b"x")
        self.session.open_path(folder)

    def show_evaluation(self, small: bool) -> None:
        """The page that evaluates a pack, under way."""
        from partcraft_desktop.window.evaluation_dialog import EvaluationDialog
        from tests import fakes

        if small:
            self.window.resize(self.window.minimumSize())
        fakes.write_script(self.script, evaluate={"delay": 0.1})
        self.window.openings.show_evaluation()
        dialog = self.window.findChild(EvaluationDialog)
        assert dialog is not None
        dialog.start.click()
        self.wait(lambda: len(dialog.sheet.pictures) > 20)

    def take(self, scene: str, out: Path) -> None:
        """Set the scene, save the picture, end."""
        from PySide6.QtWidgets import QApplication

        from tests import fakes

        window, session = self.window, self.session
        window.resize(1280, 832)
        some = ("made", "live", "rendering", "queue", "trouble", "small", "long", "creation", "compare", "grid")
        if scene in (*some, "viewer", "deleted"):
            self.make(24 if scene == "grid" else 9)
            session.begin()
        window.show()
        self.settle()
        if scene in (*some, "layers", "sheet"):
            self.choose()
        if scene in ("creation", "compare", "grid"):
            self.settle()
            window.gallery.strip.setCurrentIndex(window.gallery.model.index(2))
        if scene == "live":
            session.start_engine()
            session.live.set_on(True)
            self.wait(lambda: session.state.live.painting is not None)
        if scene == "compare":
            window.creature.footer.compare.click()
        if scene == "grid":
            window.down.setSizes([240, 460])
        if scene == "queue":
            fakes.write_script(self.script, render={"delay": 0.1})
            for _ in range(7):
                session.random_mix()
                session.render()
        if scene == "rendering":
            fakes.write_script(self.script, render={"delay": 0.1})
            session.render()
            if self.real:
                self.wait(lambda: session.state.render is None or session.state.render.done >= 12)
        if scene == "small":
            window.resize(window.minimumSize())
        if scene == "empty":
            window.library.search.setText("ostrich")
        if scene == "settings":
            window.openings.show_settings()
        if scene.startswith("models"):
            self.show_models(asked=scene == "models-asked")
        if scene == "models-vocabulary":
            self.ask_for_vocabulary()
        if scene.startswith("stand-in"):
            self.show_stand_ins()
        if scene == "stand-in-small":
            window.resize(window.minimumSize())
        if scene == "add-pack":
            self.offer_pack()
            self.wait(lambda: QApplication.activeModalWidget() is not None)
        if scene == "add-checkpoint":
            self.offer_checkpoint()
            self.wait(lambda: QApplication.activeModalWidget() is not None)
        if scene == "shortcuts":
            window.openings.show_shortcuts()
        if scene in ("layers", "sheet"):
            self.wait(lambda: session.state.creature.collage is not None)
        if scene == "wall":
            self.choose()
            session.remove(2)
            window.wall.open_part(2)
            self.settle()
            session.try_choice(window.wall.model.variants[5].choice)
        if scene == "layers":
            window.creature.ways_out.row.layers.click()
        if scene == "sheet":
            window.sheet.trigger()
            self.settle(200)
        if scene.startswith("evaluation"):
            self.show_evaluation(small=scene == "evaluation-small")
        if scene == "deleted":
            session.delete_creations(session.state.creations[:4])
            session.delete_creations(session.state.creations[:1])
            window.openings.show_deleted()
        if scene == "viewer":
            window.openings.show_creation(session.state.creations[2])
        if scene == "trouble":
            session.say(
                "The engine stopped unexpectedly while rendering and was started again.",
                "Render again; if it happens once more, make fewer pictures at once.",
                "error",
            )
        if scene == "photo":
            fakes.write_script(
                self.script,
                segment={"note": "These eyes know drawings only; DINOv2 (facebook/dinov2-base) sees photos."},
            )
            path = self.home / "a bird of my own.png"
            fakes.sketch_bird(5, 640)[0].resize((900, 640)).save(path)
            session.open_path(path)
            self.wait(lambda: bool(session.state.own and not session.state.own[0].busy))
        self.settle()
        dialog = QApplication.activeModalWidget()
        name = f"{scene}-{self.theme}{'-200' if window.devicePixelRatioF() > 1 else ''}"
        window.grab().save(str(out / f"{name}.png"))
        if dialog is not None:
            dialog.grab().save(str(out / f"{name}-dialog.png"))
            dialog.close()
        session.shutdown()
        window.close()
        self.settle(3)


def _long_names(home: Path) -> None:
    """A pack whose every name is too long."""

    from engine.core.vocabulary import Vocabulary
    from tests import fakes

    pack = fakes.make_pack(home / "packs" / "long", codes=8, references=24)
    words = pack.vocabulary
    parts = tuple(replace(part, name=f"{part.name} with everything that belongs to it") for part in words.parts)
    row = tuple(f"Greater antillean long-tailed Снегирь der Nordwestküste {code}" for code in range(8))
    words = Vocabulary("extraordinarily feathered creature", parts, 8, (row,) * 5 + ((),))
    references = tuple(replace(r, title=row[number % 8]) for number, r in enumerate(pack.references))
    replace(
        pack, title="Birds of the northern and southern hemispheres", vocabulary=words, references=references
    ).save()


if __name__ == "__main__":
    if sys.argv[2:3] == ["--wizard"]:
        from tests.wizard_screenshots import main as walk

        sys.exit(walk(Path(sys.argv[1]), *map(int, sys.argv[3:])))
    if sys.argv[2:3] == ["--mix"]:
        from tests.wizard_screenshots import mix

        sys.exit(mix(Path(sys.argv[1]), *map(Path, sys.argv[3:])))
    if sys.argv[2:] in ([], ["--real"]):
        if sys.argv[2:]:
            os.environ[REAL] = "1"
        sys.exit(main(Path(sys.argv[1])))
    take(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
