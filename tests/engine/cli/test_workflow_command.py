"""``partcraft workflow``: recipes, PNGs and prompts for ComfyUI."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.engine.cli.test_add_on_arguments import embedding, lora
from tests.engine.cli.test_cli import PROMPT, Run, pack, run  # noqa: F401  fixtures
from tests.engine.exchange.comfyui_reader import check_api, from_window


def test_a_picture_becomes_a_workflow(run: Callable[..., Run], tmp_path: Path) -> None:  # noqa: F811
    style, soft = lora(tmp_path / "style.safetensors"), embedding(tmp_path / "soft.safetensors")
    words = ("--seed", 7, "--steps", 2, "--lora", f"{style}:0.5", "--embedding", soft, "--out", tmp_path, "--json")
    png = run("render", PROMPT, *words).json["creations"][0]["path"]
    for form, more in (("window", ()), ("api", ("--api",))):
        done = run("workflow", png, "--out", tmp_path / f"{form}.json", "--json", *more)
        assert done.code == 0, done.err
        assert done.json["form"] == form and done.json["file"] == str(tmp_path / f"{form}.json")
        document = json.loads((tmp_path / f"{form}.json").read_text("utf-8"))
        nodes = from_window(document) if form == "window" else document
        check_api(nodes)
        told = json.dumps(nodes, ensure_ascii=False)
        assert "embedding:head-Cardinal" in told and '"style.safetensors"' in told and str(tmp_path) not in told
        assert "ComfyUI does not have" in done.err, "the pack's base model is the app's own"


def test_words_and_wrong_names(run: Callable[..., Run], tmp_path: Path) -> None:  # noqa: F811
    assert run("workflow", PROMPT, "--out", tmp_path / "a.json").code == 0
    done = run("workflow", PROMPT, "--out", tmp_path / "a.png", "--json")
    assert done.code == 1 and done.json["error"]["message"] == "A workflow is a .json file, not .png."
    done = run("workflow", "a <head:Nobody> bird", "--out", tmp_path / "b.json", "--json")
    assert done.code == 1 and "Nobody" in done.json["error"]["message"] and not (tmp_path / "b.json").exists()
