"""The app as a stranger meets it: a real window on a real (virtual) screen, a real engine process, mouse and keys.

Nothing of the app is imported into this process but the readers of its files: what is clicked is found by looking
at the screen.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageGrab
from psd_tools import PSDImage
from scipy.ndimage import distance_transform_edt
from scipy.signal import fftconvolve

from engine.collage.arrangement import arrangement_of
from engine.collage.assemble import assemble
from engine.collage.layers import flatten
from engine.core.atomic_files import read_json
from engine.core.paths import starter_pack
from engine.core.png_metadata import read_creation
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack, Reference
from engine.packs.validation import check_pack
from engine.runs.launcher import stop_run
from engine.runs.run import Run, read_run
from tests.conftest import REPOSITORY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(shutil.which(tool) is None for tool in ("Xvfb", "xdotool", "openbox")),
        reason="needs xvfb, xdotool and openbox (`make test` installs them)",
    ),
]

T = TypeVar("T")
Grey = npt.NDArray[np.float64]
FIRST_RENDER_S = 180
"""Generous: loading the libraries and rendering on a busy machine."""


@dataclass(frozen=True)
class Found:
    """Where a picture is on the screen: left, top and side in pixels, and how alike (-1..1)."""

    left: int
    top: int
    side: int
    likeness: float


class Screen:
    """A virtual screen with a window manager, and hands to use it."""

    def __init__(self, size: str = "1360x900x24") -> None:
        reading, writing = os.pipe()
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", size, "-nolisten", "tcp"]
        self._server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
        os.close(writing)
        with os.fdopen(reading) as numbers:
            self.display = f":{numbers.readline().strip()}"
        self.environment = {**os.environ, "DISPLAY": self.display}
        self.environment.pop("QT_QPA_PLATFORM", None)
        self._manager = subprocess.Popen(["openbox"], env=self.environment, stderr=subprocess.DEVNULL)

    def close(self) -> None:
        for process in (self._manager, self._server):
            process.terminate()
            process.wait(10)

    def do(self, *words: str | int) -> str:
        command = ["xdotool", *map(str, words)]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def windows(self, title: str) -> list[str]:
        """The visible windows with that title; xdotool ends with 1 when there is none."""
        command = ["xdotool", "search", "--onlyvisible", "--name", title]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True).stdout.split()

    def click(self, x: float, y: float) -> None:
        self.do("mousemove", "--sync", round(x), round(y), "sleep", "0.2", "click", "1")

    def picture(self) -> Image.Image:
        return ImageGrab.grab(xdisplay=self.display).convert("RGB")

    def find(self, image: str, sides: range) -> Found:
        """The place where the screen looks most like an image, by normalised correlation at half size."""
        screen = _grey(self.picture(), 0.5)
        return max((_best(screen, image, side) for side in sides), key=lambda found: found.likeness)


def _grey(image: Image.Image, scale: float) -> Grey:
    small = image.convert("L").resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BOX)
    return np.asarray(small, np.float64) / 255


def _best(screen: Grey, image: str, side: int) -> Found:
    with Image.open(image) as picture:
        template = np.asarray(picture.convert("L").resize((side // 2, side // 2), Image.Resampling.BOX), float) / 255
    template = (template - template.mean()) / (template.std() * template.size)
    ones = np.ones_like(template) / template.size
    mean = fftconvolve(screen, ones, "valid")
    spread = np.sqrt(np.maximum(fftconvolve(screen**2, ones, "valid") - mean**2, 1e-4))
    likeness = fftconvolve(screen, template[::-1, ::-1], "valid") / spread
    top, left = np.unravel_index(int(likeness.argmax()), likeness.shape)
    return Found(int(left) * 2, int(top) * 2, side, float(likeness.max()))


def wait_for(what: str, look: Callable[[], T | None], seconds: float, app: subprocess.Popen[bytes]) -> T:
    """The first true answer of ``look``; fails, saying what was waited for, when the app ends or time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := look():
            return answer
        assert app.poll() is None, f"the app ended with {app.returncode} while waiting for {what}"
        time.sleep(0.3)
    raise AssertionError(f"waited {seconds} s for {what}")


@pytest.fixture
def screen() -> Iterator[Screen]:
    screen = Screen()
    yield screen
    screen.close()


@pytest.fixture
def start(screen: Screen, home: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts the app with these files or folders."""
    environment = {**screen.environment, "PARTCRAFT_HOME": str(home), "QT_SCALE_FACTOR": "1"}
    started: list[subprocess.Popen[bytes]] = []

    def start(*files: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "partcraft_desktop", *map(str, files)]
        started.append(subprocess.Popen(command, cwd=REPOSITORY, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.wait(60)


@pytest.fixture
def app(start: Callable[..., subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    return start()


def show_reference(screen: Screen, app: subprocess.Popen[bytes], reference: Reference) -> Found:
    """Click a reference's thumbnail in the library and find the large picture that opens."""
    thumbnail = screen.find(reference.thumbnail, range(56, 132, 4))
    screen.click(thumbnail.left + thumbnail.side / 2, thumbnail.top + thumbnail.side / 2)

    def large() -> Found | None:
        found = screen.find(reference.image, range(280, 640, 8))
        return found if found.likeness > 0.6 else None

    return wait_for(f"{reference.title} to be shown large", large, 90, app)


def index_of(pack: Pack, name: str) -> int:
    part = pack.vocabulary.find_part(name)
    assert part is not None, name
    return part.index


def click_part(screen: Screen, pack: Pack, reference: Reference, shown: Found, part: str) -> None:
    """Click the innermost pixel of a part in the large picture."""
    with Image.open(reference.labels) as labels:
        mask = np.asarray(labels) == index_of(pack, part)
    depth = distance_transform_edt(mask)
    assert isinstance(depth, np.ndarray)
    y, x = np.unravel_index(int(depth.argmax()), mask.shape)
    scale = shown.side / mask.shape[1]
    screen.click(shown.left + (x + 0.5) * scale, shown.top + (y + 0.5) * scale)


def test_a_stranger_mixes_a_head_and_a_wing(screen: Screen, app: subprocess.Popen[bytes], home: Path) -> None:
    pack = Pack.open(starter_pack())
    by_name = {reference.title.split()[0]: reference for reference in pack.references}
    head_of, wing_of = (by_name[name] for name in list(by_name)[2:4])

    wait_for("a window", lambda: screen.windows("PartCraft") or None, 30, app)
    wait_for("the first bird", lambda: screen.find(head_of.thumbnail, range(56, 132, 4)).likeness > 0.8, 30, app)
    click_part(screen, pack, head_of, show_reference(screen, app, head_of), "head")
    click_part(screen, pack, wing_of, show_reference(screen, app, wing_of), "wing")
    screen.do("key", "ctrl+Return")

    creations = home / "creations"
    path = wait_for("a creation", lambda: next(iter(creations.glob("**/[!.]*.png")), None), FIRST_RENDER_S, app)
    creation = read_creation(path)
    wanted = {"head": head_of.codes[index_of(pack, "head")], "wing": wing_of.codes[index_of(pack, "wing")]}
    chosen = {pack.vocabulary.parts[choice.part].name: choice.code for choice in creation.recipe.choices}
    assert chosen == wanted
    assert {arrival.part for arrival in creation.receipt} == {choice.part for choice in creation.recipe.choices}
    with Image.open(path) as picture:
        assert np.asarray(picture.convert("RGB"), float).std() > 10, "the picture is empty"


def creature_on_screen(screen: Screen, picture: Path, recipe: Recipe, pack: Pack) -> Found:
    """Where the screen looks most like the collage of a recipe, which is put together here."""
    Image.fromarray(flatten(assemble(recipe, pack))).convert("RGB").save(picture)
    return screen.find(str(picture), range(240, 560, 8))


def kept_recipe(home: Path, pack: Pack) -> Recipe | None:
    """What the app has kept of the recipe by now."""
    document = read_json(home / "session.json").get("recipes")
    line = document.get(pack.id) if isinstance(document, dict) else None
    return Recipe.from_json(line) if isinstance(line, str) else None


def middle_of(recipe: Recipe, pack: Pack, part: int) -> tuple[float, float]:
    """The innermost pixel of a part of the collage."""
    collage = assemble(recipe, pack)
    (layer,) = (layer for layer in collage.layers if layer.part == part)
    depth = distance_transform_edt(np.pad(layer.image[..., 3] > 128, 1))
    assert isinstance(depth, np.ndarray)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return layer.left + float(x), layer.top + float(y)


def test_a_stranger_sees_moves_and_saves_a_creature(
    screen: Screen, app: subprocess.Popen[bytes], home: Path, tmp_path: Path
) -> None:
    pack = Pack.open(starter_pack())
    by_name = {reference.title.split()[0]: reference for reference in pack.references}
    body_of, head_of = (by_name[name] for name in list(by_name)[2:4])
    body, head = index_of(pack, "body"), index_of(pack, "head")

    wait_for("a window", lambda: screen.windows("PartCraft") or None, 30, app)
    wait_for("the first bird", lambda: screen.find(head_of.thumbnail, range(56, 132, 4)).likeness > 0.8, 30, app)
    click_part(screen, pack, body_of, show_reference(screen, app, body_of), "body")
    click_part(screen, pack, head_of, show_reference(screen, app, head_of), "head")
    recipe = Recipe(pack.id, (Choice(body, body_of.codes[body], 1.0, body_of.id),
                              Choice(head, head_of.codes[head], 1.0, head_of.id)))  # fmt: skip

    def creature() -> Found | None:
        found = creature_on_screen(screen, tmp_path / "expected.png", recipe, pack)
        return found if found.likeness > 0.9 else None

    shown = wait_for("the creature", creature, 20, app)
    assert not list((home / "creations").glob("**/[!.]*.png")), "nothing was rendered for it"

    # The head is dragged up and to the right, past the reach of its joint.
    scale = shown.side / assemble(recipe, pack).width
    x, y = middle_of(recipe, pack, head)
    start = (round(shown.left + x * scale), round(shown.top + y * scale))
    screen.do("mousemove", "--sync", *start, "sleep", "0.3", "mousedown", "1")
    for step in range(1, 9):
        screen.do("mousemove", "--sync", start[0] + 6 * step, start[1] - 4 * step, "sleep", "0.05")
    screen.do("mouseup", "1")

    wanted_move = np.array([48, -32]) / shown.side

    def moved() -> Recipe | None:
        kept = kept_recipe(home, pack)
        adjustments = arrangement_of(kept).adjustments if kept is not None else ()
        there = [one for one in adjustments if one.part == head and np.abs(one.move - wanted_move).max() < 0.02]
        return kept if there and len(adjustments) == 1 else None

    arranged = wait_for("the head's new place to be kept", moved, 20, app)
    path = tmp_path / "creature.psd"
    screen.do("key", "ctrl+s")
    dialog = wait_for("the dialog", lambda: screen.windows("Save the creature as") or None, 20, app)
    screen.do("windowfocus", "--sync", dialog[0])
    screen.do("key", "ctrl+a")
    screen.do("type", "--delay", "20", str(path))
    screen.do("key", "Return")
    wait_for("the file", lambda: path.is_file() or None, 30, app)
    saved = PSDImage.open(path)
    assert [layer.name for layer in saved] == ["ground", "body", "head"]
    flat = np.asarray(saved.composite().convert("RGB"), float)
    wanted = np.asarray(Image.fromarray(flatten(assemble(arranged, pack))).convert("RGB"), float)
    assert flat.shape == wanted.shape and np.abs(flat - wanted).mean() < 1.0


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    """A folder of two kinds of birds that the starter does not know."""
    folder = tmp_path / "little birds"
    for kind in ("Cockatoo", "Swallow"):
        (folder / kind).mkdir(parents=True)
        for picture in sorted((starter_pack().parent / "practice" / kind).iterdir())[:8]:
            shutil.copy(picture, folder / kind)
    return folder


def test_a_stranger_learns_a_folder(
    screen: Screen, start: Callable[..., subprocess.Popen[bytes]], birds: Path, home: Path
) -> None:
    """By the keyboard, through all pages of the wizard; learning is stopped early, as a person in a hurry would."""
    app = start(birds)
    wait_for("a window", lambda: screen.windows("PartCraft") or None, 30, app)
    run = home / "runs" / "little-birds"

    def go_on_until(what: str, keys: str, look: Callable[[], T | None]) -> T:
        """Alt+Right shows the next page, Ctrl+Enter does the main thing of a page, where that is possible."""

        def press_and_look() -> T | None:
            answer = look()
            if answer is None:
                screen.do("key", "--clearmodifiers", keys, "sleep", "0.7")
            return answer

        return wait_for(what, press_and_look, FIRST_RENDER_S, app)

    go_on_until("the training", "alt+Right", lambda: (run / "plan.json").is_file() or None)
    wait_for("some steps", lambda: read_run(run).step >= 5 or None, FIRST_RENDER_S, app)
    stop_run(run)

    def with_a_pack() -> Run | None:
        now = read_run(run)
        return now if now.pack else None

    ended = wait_for("a pack", with_a_pack, FIRST_RENDER_S, app)
    pack = Pack.open(ended.pack)
    check_pack(pack, thorough=True)
    assert ended.state == "stopped" and 5 <= ended.step < ended.steps and len(ended.tried) > 0
    assert set(pack.vocabulary.code_names[0]) == {"Cockatoo", "Swallow"}
    shown = pack.references[0]

    def open_for_mixing() -> Found | None:
        found = screen.find(shown.image, range(280, 640, 8))
        return found if found.likeness > 0.6 else None

    go_on_until("the new pack among the mixing things", "ctrl+Return", open_for_mixing)
