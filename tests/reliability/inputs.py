"""Spoilt inputs by number: each is a folder with files that were valid once, and the way a person hands them over."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

from PIL import Image

from engine.core.errors import UserError
from engine.core.png_metadata import save_creation
from engine.core.prompt import to_text
from engine.core.recipe import Arrival, Recipe
from engine.core.start import Start
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from engine.runs.plan import Plan
from engine.runs.run_folder import open_plan
from engine.runs.status import RunStatus
from partcraft_desktop.app.autosave import Saved
from partcraft_desktop.app.learning.draft import Draft, DraftPart, PartSorting
from partcraft_desktop.app.settings import Values
from tests.conftest import REPOSITORY
from tests.fakes import sketch_bird
from tests.reliability.spoiling import (
    encoded,
    spoil_archive,
    spoil_bytes,
    spoil_file,
    spoil_json,
    spoil_png,
    spoil_text,
)

BAD_INPUTS: Final = REPOSITORY.parent / "shared" / "bad-inputs"
FORMATS: Final = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "bmp": "BMP", "gif": "GIF", "tif": "TIFF"}


@dataclass(frozen=True)
class Trial:
    """One input: its ``kind``; ``way`` is "cli" (``words`` for the command line), "open" (a picture, as the window
    reads it), "survey" (a folder of pictures) or "window" (the app starts on its home)."""

    kind: str
    way: str
    words: tuple[str, ...] = ()


class World:
    """What is valid: a folder with ``base``, ``eyes``, ``pictures`` and ``pack``, made by :func:`make_world`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base, self.eyes, self.pictures, self.pack = (folder / n for n in ("base", "eyes", "pictures", "pack"))


def make_world(folder: Path) -> World:
    """Tiny models of the real classes, pictures, a pack of them. Brings torch."""
    from engine.collage.assemble import assemble
    from engine.models.loader import Models
    from tests.engine.tiny import make_base, make_eyes, make_pictures, make_tiny_pack

    world = World(folder)
    make_base(world.base)
    make_eyes(world.eyes)
    make_pictures(world.pictures)
    pack = Pack.open(make_tiny_pack(world.pack, folder, Models(device="cpu")))
    replace(pack, base_model=replace(pack.base_model, steps=2)).save()  # a training tries its pack, quickly
    assemble(Recipe("tiny", (Choice(0, 1), Choice(1, 1))), pack)  # leaves what it measured in the pack, once
    return world


def make_trial(world: World, folder: Path, number: int, seed: int) -> Trial:
    """The input of a number, written into a folder whose ``home`` is the app's. The same seed makes the same."""
    of = Random(f"{seed} {number}")
    (folder / "home").mkdir(parents=True)
    kind = of.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
    trial = KINDS[kind][1](world, folder, of)
    return replace(trial, kind=kind)


def _picture(world: World, folder: Path, of: Random) -> Trial:
    own = sorted((BAD_INPUTS / "pictures").glob("*")) if BAD_INPUTS.is_dir() else []
    path = folder / "a picture.png"
    if own and of.random() < 0.25:
        source = of.choice(own)
        data = source.read_bytes()
        path = folder / source.name
        if of.random() < 0.6:
            data = spoil_png(data, of) if data[:4] == b"\x89PNG" and of.random() < 0.5 else spoil_bytes(data, of)
    else:
        picture = sketch_bird(of.randrange(9), of.choice((16, 64, 96, 200)))[0]
        ending = of.choice(list(FORMATS))
        mode = of.choice(("RGB", "L", "P", "RGBA", "CMYK", "1", "I;16"))
        path = folder / f"a picture.{of.choice((ending, ending, 'png'))}"
        with path.open("wb") as file:
            try:
                (picture.convert("L") if mode == "I;16" else picture).convert(mode).save(file, FORMATS[ending])
            except (OSError, ValueError):  # a mode that this format does not know
                file.seek(0)
                picture.save(file, FORMATS[ending])
        data = path.read_bytes()
        data = spoil_png(data, of) if ending == "png" and of.random() < 0.5 else spoil_bytes(data, of)
    path.write_bytes(data)
    if of.random() < 0.35:
        return Trial("", "cli", ("segment", str(path), "--pack", str(world.pack), "--out", str(folder / "out")))
    return Trial("", "open", (str(path),))


def _pack_at(world: World, place: Path, of: Random) -> Path:
    """A copy of the pack with one to three spoilt files."""
    shutil.copytree(world.pack, place)
    files = sorted(path for path in place.rglob("*") if path.is_file())
    for path in sorted({of.choice((place / "pack.json", of.choice(files))) for _ in range(of.choice((1, 1, 2, 3)))}):
        spoil_file(path, of)
    return place


def _archive(world: World, folder: Path, of: Random) -> Trial:
    source = _pack_at(world, folder / "birds", of) if of.random() < 0.7 else world.pack
    file = folder / of.choice(("birds.partpack", "é birds.partpack", "birds.zip"))
    spoil_archive(source, file, of)
    return Trial("", "cli", ("packs", "import", str(file)))


def _pack(world: World, folder: Path, of: Random) -> Trial:
    place = str(_pack_at(world, folder / "home" / "packs" / "birds", of))
    words = "a photo of a <0:1> <1:2> bird"
    out = str(folder / "out")
    return Trial(
        "",
        "cli",
        of.choice((
            ("packs", "list"), ("packs", "check"), ("packs", "show", place), ("packs", "check", place),
            ("packs", "export", place, str(folder / "out.partpack")),
            ("packs", "export", place, out, "--plain"), ("models", "check"),
            ("segment", str(world.pictures / "kind 0" / "0.png"), "--pack", place, "--out", out),
            ("collage", words, "--pack", place, "--out", str(folder / of.choice(("c.png", "c.psd", "c.ora")))),
            ("sheet", words, "--pack", place, "--rows", "head", "--columns", "1", "--out", str(folder / "s.png")),
            ("render", words, "--pack", place, "--steps", "1", "--out", out),
            ("render", words, "--pack", place, "--steps", "1", "--out", out),
            ("evaluate", "--pack", place, "--mix", "2", "--count", "1", "--out", out),
            ("discover", str(world.pictures), "--extends", place, "--eyes", str(world.eyes), "--out", out),
        )),
    )  # fmt: skip


def _recipe_document(of: Random) -> dict[str, Any]:
    start = Start(0.5, "x.png", (1,)) if of.random() < 0.5 else None
    prompt = ("a ", Choice(0, 2, 0.5, "0"), " and ", Choice(1, 1), " bird")
    return json.loads(Recipe("tiny", prompt, "blurred", 5, start=start).to_json())


def _recipe(world: World, folder: Path, of: Random) -> Trial:
    own = sorted((BAD_INPUTS / "recipes").glob("r*")) if BAD_INPUTS.is_dir() else []
    if own and of.random() < 0.2:
        path = Path(shutil.copy(of.choice(own), folder))
        if of.random() < 0.5:
            path.write_bytes(spoil_bytes(path.read_bytes(), of))
    elif of.random() < 0.3:
        path, recipe = folder / "r.png", Recipe("tiny", ("a ", Choice(0, 2, 0.5, "0"), " bird"))
        save_creation(Image.new("RGB", (8, 8)), path, recipe, (Arrival(0, 2, 2, 0.5, 0.5),))
        path.write_bytes((spoil_png if of.random() < 0.7 else spoil_bytes)(path.read_bytes(), of))
    else:
        path = folder / "r.json"
        path.write_bytes(spoil_json(json.dumps(_recipe_document(of)), of))
    small = ("--steps", "1", "--count", "1", "--size", "64", "--out", str(folder / "out"))
    if of.random() < 0.4:
        return Trial("", "cli", ("render", "--recipe", str(path), "--pack", str(world.pack), *small))
    return Trial("", "cli", ("collage", str(path), "--pack", str(world.pack), "--out", str(folder / "c.png")))


def _prompt(world: World, folder: Path, of: Random) -> Trial:
    vocabulary = Pack.open(world.pack).vocabulary
    text = to_text(("a photo of a ", Choice(0, 1, 1.2), " ", Choice(1, 2), " bird"), vocabulary)
    text = spoil_text(of.choice((text, "a 0:1 1:2 bird", "<0:1> <head:kind 0*0.5>", text * 40)), of)
    if of.random() < 0.5 and not text.startswith("-"):
        out = str(folder / "c.png")
        return Trial("", "cli", ("collage", text, "--pack", str(world.pack), "--out", out))
    legacy = of.choice(((), (), (), ("--legacy", of.choice(("bare", "bracketed", "app")))))
    more = ("--steps", "1", "--size", "64", "--out", str(folder / "out"))
    return Trial("", "cli", ("render", text, "--pack", str(world.pack), *legacy, *more))


def _run_at(world: World, run: Path) -> None:
    plan = Plan(
        str(world.pack), str(world.pictures), out=str(run.parent.parent / "packs" / "of run"), steps=2, batch=2,
        checkpoint_every=1, sample_every=2, samples=1, ema=0.9,
    )  # fmt: skip
    documents: dict[str, Any] = {
        "plan.json": asdict(plan),
        "status.json": asdict(RunStatus(1, 1.0, 2.0, pack=str(world.pack), seconds_left=2.0)),
        "run.json": {"id": "abc"},
        "log.jsonl": {"step": 1, "diffusion": 0.1, "attention": 0.2, "seconds": 0.1},
    }
    run.mkdir(parents=True)
    for name, document in documents.items():
        (run / name).write_text(json.dumps(document) + "\n")


def _is_tried(run: Path, of: Random) -> bool:
    """Whether a training is refused, or, once in a while, soon over: one that a plan rightly makes long is no hang."""
    try:
        plan = open_plan(run)[0]
    except UserError:
        return True
    is_quick = plan.steps <= 4 and plan.batch <= 16 and plan.size <= 128 and plan.crops <= 4 and plan.rank <= 64
    return is_quick and of.random() < 0.2


def _run(world: World, folder: Path, of: Random) -> Trial:
    run = folder / "home" / "runs" / "run"
    _run_at(world, run)
    names = ("plan.json", "plan.json", "status.json", "run.json", "log.jsonl", "wish.json")
    name = of.choice(names)
    if name == "wish.json":
        (run / name).write_text(json.dumps({"wish": "stop"}))
    spoil_file(run / name, of)
    trains = name != "wish.json" and _is_tried(run, of)  # a training that heeds a wish ends with 130, rightly
    return Trial(
        "",
        "cli",
        of.choice((
            ("runs", "list"), ("runs", "pause", "run"), ("runs", "discard", "run"),
            ("runs", "export", str(run), str(folder / "copy")),
            ("train", "--resume", str(run)) if trains else ("runs", "list"),
        )),
    )  # fmt: skip


def _home(world: World, folder: Path, of: Random) -> Trial:
    home = folder / "home"
    pack = home / "packs" / "tiny"
    shutil.copytree(world.pack, pack)
    picture = str(world.pictures / "kind 0" / "0.png")
    line = json.dumps(_recipe_document(of))
    parts = (DraftPart((0,), "head", "#e69f00", True), DraftPart((1, 2), "wing", "#56b4e9"))
    sorting = PartSorting(3, False, parts, (3, False))
    draft = Draft("parts", str(world.pictures), "", sorting, run=str(home / "runs" / "run"))
    saved = Saved("tiny", "0", (picture,), True, {}, draft.to_document(), closed={picture: 1.0}).to_document()
    saved |= {"recipes": {"tiny": line}, "queue": [line]}
    settings = replace(Values(), out=str(folder / "creations"), window={"geometry": "AAAA", "gallery": 300})
    (home / "session.json").write_text(json.dumps(saved))
    (home / "settings.json").write_text(json.dumps(settings.to_document()))
    own = sorted((BAD_INPUTS / "sessions").glob("*.json")) if BAD_INPUTS.is_dir() else []
    if own and of.random() < 0.1:
        shutil.copy(of.choice(own), home / "session.json")
    (folder / "creations").mkdir()
    recipe = Recipe("tiny", ("a ", Choice(0, 2), " bird"))
    save_creation(Image.new("RGB", (8, 8)), folder / "creations" / "one.png", recipe)
    _run_at(world, home / "runs" / "run")
    places = [home / "session.json"] * 4 + [home / "settings.json"] * 2 + [folder / "creations" / "one.png"]
    for path in sorted({of.choice([*places, pack / "pack.json"]) for _ in range(of.choice((1, 1, 2)))}):
        spoil_file(path, of)
    return Trial("", "window")


def _labels(world: World, folder: Path, of: Random) -> Trial:
    place = folder / "birds"
    place.mkdir()
    names = ("a.png", "é b.png", "c,d.png", "e.png")
    for number, name in enumerate(names):
        sketch_bird(number, 48)[0].save(place / name)
    separator = of.choice(",;\t")
    rows = [("file", "label"), *((name, "owl" if number % 2 else "Ёжик") for number, name in enumerate(names))]
    cells = [[f'"{cell}"' if separator in cell else cell for cell in row] for row in rows]
    text = of.choice(("", "", f"sep={separator}\n")) + "\n".join(separator.join(row) for row in cells) + "\n"
    data = spoil_bytes(text.encode(), of) if of.random() < 0.3 else encoded(spoil_text(text, of), of)
    (place / "labels.csv").write_bytes(data)
    if of.random() < 0.85:
        return Trial("", "survey", (str(place),))
    models = ("--eyes", str(world.eyes), "--base-model", str(world.base), "--image-size", "64")
    return Trial("", "cli", ("discover", str(place), "--parts", "2", *models, "--out", str(folder / "out")))


def _model(world: World, folder: Path, of: Random) -> Trial:
    """The eyes or the base model of a pack, spoilt."""
    which = of.choice(("base", "eyes"))
    place = Path(shutil.copytree(world.folder / which, folder / which))
    files = sorted(path for path in place.rglob("*") if path.suffix in (".json", ".safetensors"))
    spoil_file(of.choice(files), of)
    if of.random() < 0.5:
        return Trial("", "cli", ("models", "check", str(place)))
    pack = Path(shutil.copytree(world.pack, folder / "pack"))
    document = json.loads((pack / "pack.json").read_text())
    document["base_model" if which == "base" else "backbone"]["id"] = str(place)
    (pack / "pack.json").write_text(json.dumps(document))
    out = str(folder / "out")
    if which == "base":
        return Trial("", "cli", ("render", "a <0:1> bird", "--pack", str(pack), "--steps", "1", "--out", out))
    picture = str(world.pictures / "kind 1" / "0.png")
    return Trial("", "cli", ("segment", picture, "--pack", str(pack), "--out", out))


KINDS: Final[dict[str, tuple[int, Callable[[World, Path, Random], Trial]]]] = {
    "picture": (20, _picture),
    "pack file": (12, _archive),
    "pack folder": (16, _pack),
    "recipe": (12, _recipe),
    "prompt": (8, _prompt),
    "training": (10, _run),
    "settings and session": (8, _home),
    "labels": (8, _labels),
    "model": (6, _model),
}
"""How often each kind is made, and how."""
