"""Other people's LoRAs and embeddings on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from engine.core.add_on import AddOn
from engine.core.paths import models_dir
from engine.core.png_metadata import read_creation
from engine.core.source_mark import TRAINED, source_type_in
from engine.packs.pack import Pack
from tests.engine.cli.test_cli import Run, pack, run  # noqa: F401  fixtures


def lora(path: Path, width: int = 64) -> Path:
    """A LoRA's header and a few numbers; the fake engine reads no more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
    shapes = {"lora_down": (2, width), "lora_up": (8, 2)}
    save_file({f"{name}.{side}.weight": np.ones(shape, np.float32) for side, shape in shapes.items()}, path)
    return path


def embedding(path: Path, width: int = 64) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"emb_params": np.ones((2, width), np.float32)}, path)
    return path


def test_add_ons_are_in_recipe_and_png_and_come_back(run: Callable[..., Run], tmp_path: Path) -> None:  # noqa: F811
    style, soft = lora(tmp_path / "My style v1.5.safetensors"), embedding(tmp_path / "soft.safetensors")
    out = ("--steps", 1, "--out", tmp_path / "out", "--json")
    words = ("a bird", "--lora", f"{style}:0.8", "--embedding", f"{soft}:-1", *out)
    done = run("render", *words)
    assert done.code == 0, done.err
    (creation,) = done.json["creations"]
    kept = read_creation(creation["path"]).recipe.add_ons
    assert [(one.kind, one.name, one.weight) for one in kept] == [
        ("lora", "My style v1.5.safetensors", 0.8), ("embedding", "soft.safetensors", -1.0),
    ]  # fmt: skip
    assert all(len(one.sha256) == 64 for one in kept)
    with Image.open(creation["path"]) as picture:
        line = picture.text["parameters"]  # pyright: ignore[reportAttributeAccessIssue]
    assert line.startswith("a bird <lora:My style v1.5:0.8>\nNegative prompt: soft\nSteps: 1")

    png = creation["path"]
    again = run("render", "--recipe", png, "--lora", f"{style}:-0.5", "--without", "soft", *out).json["creations"][0]
    (only,) = again["recipe"]["add_ons"]
    assert (only["name"], only["weight"]) == ("My style v1.5.safetensors", -0.5)

    # What is gone is never left out in silence: it is found, or taken off.
    style.unlink()
    done = run("render", "--recipe", png, *out)
    assert done.code == 1 and done.json["error"]["message"] == (
        "The LoRA “My style v1.5.safetensors” of this recipe is not on this computer."
    )
    assert "--without My style v1.5" in done.json["error"]["hint"]
    assert run("render", "--recipe", png, "--without", "My style v1.5", *out).code == 0
    lora(models_dir() / "loras/My style v1.5.safetensors")
    assert run("render", "--recipe", png, *out).code == 0


def test_a_name_is_looked_for_in_the_models_folders(run: Callable[..., Run], tmp_path: Path) -> None:  # noqa: F811
    lora(models_dir() / "sub/style.safetensors")
    done = run("render", "a bird", "--lora", "style:2", "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert done.json["creations"][0]["recipe"]["add_ons"][0]["weight"] == 2


def test_renders_are_marked_unless_asked_not_to(run: Callable[..., Run], tmp_path: Path) -> None:  # noqa: F811
    for words, mark in (((), TRAINED), (("--no-mark",), "")):
        done = run("render", "a bird", "--steps", 1, "--out", tmp_path / "out", "--json", *words)
        assert source_type_in(Path(done.json["creations"][0]["path"])) == mark


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--lora", "{style}:3"), "3 is no weight for style.safetensors."),
        (("--lora", "{style}:nan"), "nan is no weight for style.safetensors."),
        (("--lora", "{wide}"), "“wide.safetensors” is a LoRA for SDXL; this pack’s base model is a model whose words"),
        (("--embedding", "{style}"), "style.safetensors is an add-on of another kind."),
        (("--lora", "nowhere"), "“nowhere” is not there any more."),
        (("--without", "style"), "The recipe has no add-on style."),
    ],
)
def test_what_cannot_be_used_is_said(
    run: Callable[..., Run],  # noqa: F811
    tmp_path: Path,
    words: tuple[str, str],
    told: str,
) -> None:
    places = {"style": lora(tmp_path / "style.safetensors"), "wide": lora(tmp_path / "wide.safetensors", 2048)}
    done = run("render", "a bird", *(word.format(**places) for word in words), "--out", tmp_path / "out", "--json")
    assert done.code == 1 and told in done.json["error"]["message"] and done.json["error"]["hint"]


def test_a_line_of_another_program_names_its_loras(
    run: Callable[..., Run],  # noqa: F811
    pack: Pack,  # noqa: F811
    tmp_path: Path,
) -> None:
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    hashes = 'Lora hashes: "style: 0123456789ab, other: 0123456789ab"'
    info.add_text("parameters", f"a bird <lora:style:0.6>, red <lora:other:1>\nSteps: 2, Seed: 3, {hashes}, Size: 8x8")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
    out = ("--pack", pack.path, "--out", tmp_path / "out", "--json")
    done = run("render", "--recipe", tmp_path / "a.png", *out)
    assert done.code == 1 and "The LoRA “style.safetensors”" in done.json["error"]["message"]
    lora(models_dir() / "style.safetensors")
    done = run("render", "--recipe", tmp_path / "a.png", "--without", "other", *out)
    recipe = done.json["creations"][0]["recipe"]
    assert recipe["prompt"] == ["a bird , red"] and recipe["size"] == 8
    assert AddOn.from_document(recipe["add_ons"][0]) == AddOn("lora", "style.safetensors", 0.6)
