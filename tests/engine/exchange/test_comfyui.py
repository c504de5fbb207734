"""Recipes as ComfyUI workflows, read by ComfyUI's rules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import save_file

from engine.collage.assemble import assemble
from engine.core.add_on import EMBEDDING, LORA, AddOn
from engine.core.recipe import Recipe
from engine.core.start import Start
from engine.core.vocabulary import Choice
from engine.exchange.comfyui import window_form, workflow_of
from engine.exchange.comfyui_file import save_workflow
from engine.packs.pack import LORA as PACK_LORA
from engine.packs.pack import BaseModel, Pack
from tests import fakes
from tests.engine.exchange.comfyui_reader import check_api, from_window, said

HEAD, WING = Choice(3, 0), Choice(1, 3, 0.8)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """A drawn pack with a LoRA for SD 1.5."""
    folder = tmp_path_factory.mktemp("packs") / "birds"
    pack = fakes.make_pack(folder)
    save_file({}, folder / PACK_LORA)
    base = BaseModel("stable-diffusion-v1-5/stable-diffusion-v1-5", "", (768,))
    return replace(pack, base_model=base)


def kinds(nodes: Any) -> list[str]:
    return [node["class_type"] for node in nodes.values()]


def node(nodes: Any, kind: str, nth: int = 0) -> dict[str, Any]:
    return [one for one in nodes.values() if one["class_type"] == kind][nth]["inputs"]


def test_a_recipe_with_everything(pack: Pack) -> None:
    add_ons = (
        AddOn(LORA, "style.safetensors", 0.6), AddOn(LORA, "off.safetensors", 0.0),
        AddOn(EMBEDDING, "soft.safetensors"),
        AddOn(EMBEDDING, "EasyNegative.safetensors", -1.2),
    )  # fmt: skip
    recipe = Recipe(
        pack.id, ("a photo (soft focus) of a ", HEAD, " ", WING, " bird, soft"), "blurry <tail:Kiwi>", 7, 2, 25, 6.5,
        640, add_ons=add_ons,
    )  # fmt: skip
    workflow = workflow_of(recipe, pack)
    nodes = workflow.nodes
    check_api(nodes)
    assert kinds(nodes) == [
        "CheckpointLoaderSimple", "LoraLoaderModelOnly", "LoraLoader", "CLIPTextEncode", "CLIPTextEncode",
        "EmptyLatentImage", "KSampler", "VAEDecode", "SaveImage",
    ]  # fmt: skip
    assert node(nodes, "CheckpointLoaderSimple") == {"ckpt_name": "v1-5-pruned-emaonly.safetensors"}
    assert node(nodes, "LoraLoaderModelOnly")["lora_name"] == "fake-birds.safetensors"
    lora = node(nodes, "LoraLoader")
    assert (lora["lora_name"], lora["strength_model"], lora["strength_clip"]) == ("style.safetensors", 0.6, 0.6)
    drawn = node(nodes, "KSampler")
    told = [drawn[name] for name in ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")]
    assert told == [7, 25, 6.5, "dpmpp_2m", "ddim_uniform", 1.0]
    assert node(nodes, "EmptyLatentImage") == {"width": 640, "height": 640, "batch_size": 1}
    # What is drawn is reached through both LoRAs, and the text through the one that changes its encoder.
    assert nodes[nodes[drawn["model"][0]]["inputs"]["model"][0]]["class_type"] == "LoraLoaderModelOnly"
    assert nodes[node(nodes, "CLIPTextEncode")["clip"][0]]["class_type"] == "LoraLoader"
    assert said(node(nodes, "CLIPTextEncode")["text"]) == [
        ("a photo (", 1), ("embedding:soft", 1), ("focus) of a", 1), ("embedding:head-Cardinal", 1),
        ("embedding:wing-Ёжик", 0.8), ("bird,", 1), ("embedding:soft", 1),
    ]  # fmt: skip
    assert said(node(nodes, "CLIPTextEncode", 1)["text"]) == [
        ("blurry", 1), ("embedding:tail-Kiwi", 1), (",", 1), ("embedding:EasyNegative", 1.2),
    ]  # fmt: skip
    assert workflow.notes == ("It makes the first picture; the others have the next seeds.",)
    document = window_form(workflow)
    sent = from_window(json.loads(json.dumps(document)))
    assert sent == {number: {"class_type": one["class_type"], "inputs": one["inputs"]} for number, one in nodes.items()}


@pytest.mark.parametrize(
    ("scheduler", "steps", "expected"),
    [
        ({"_class_name": "PNDMScheduler"}, 0, ["dpmpp_2m", "ddim_uniform", ""]),
        ({"_class_name": "EulerDiscreteScheduler"}, 0, ["dpmpp_2m", "normal", ""]),
        ({"_class_name": "DDIMScheduler", "timestep_spacing": "trailing"}, 0, ["dpmpp_2m", "sgm_uniform", ""]),
        ({"_class_name": "DDIMScheduler", "prediction_type": "v_prediction"}, 0,
         ["dpmpp_2m", "ddim_uniform", "v_prediction"]),
        ({"_class_name": "DPMSolverMultistepScheduler", "timestep_spacing": "trailing", "solver_order": 1}, 0,
         ["ddim", "sgm_uniform", ""]),
        ({"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}, 4, ["euler", "sgm_uniform", ""]),
        ({"_class_name": "EulerAncestralDiscreteScheduler"}, 1, ["euler_ancestral", "sgm_uniform", ""]),
        ({"_class_name": "LCMScheduler"}, 4, ["lcm", "sgm_uniform", "lcm"]),
    ],
)  # fmt: skip
def test_samplers_are_named_as_comfyui_does(
    pack: Pack, tmp_path: Path, scheduler: dict[str, Any], steps: int, expected: list[str]
) -> None:
    base = fakes.make_base_config(tmp_path / "my base")
    (base / "scheduler").mkdir()
    (base / "scheduler/scheduler_config.json").write_text(json.dumps(scheduler))
    nodes = workflow_of(
        Recipe(pack.id, ("a bird",)),
        replace(pack, base_model=BaseModel(str(base), "", (768,), steps=steps, distilled=steps > 0)),
    ).nodes
    check_api(nodes)
    drawn = node(nodes, "KSampler")
    sampling = node(nodes, "ModelSamplingDiscrete")["sampling"] if "ModelSamplingDiscrete" in kinds(nodes) else ""
    assert [drawn["sampler_name"], drawn["scheduler"], sampling] == expected
    assert node(nodes, "CheckpointLoaderSimple")["ckpt_name"] == "my base.safetensors", "where it lies is nobody's"
    assert node(nodes, "EmptyLatentImage")["width"] == 512


def test_another_unet_and_no_lora(pack: Pack, tmp_path: Path) -> None:
    plain = replace(fakes.make_pack(tmp_path / "plain"), base_model=BaseModel("a/b", "", (768, 1280), "c/my-unet"))
    nodes = workflow_of(Recipe(plain.id, ("a bird",)), plain).nodes
    check_api(nodes)
    assert node(nodes, "UNETLoader")["unet_name"] == "my-unet.safetensors"
    assert "LoraLoaderModelOnly" not in kinds(nodes) and node(nodes, "EmptyLatentImage")["width"] == 1024


def test_what_it_begins_with_lies_beside_it(pack: Pack, tmp_path: Path) -> None:
    recipe = Recipe(pack.id, ("a ", replace(HEAD, source="0"), " bird"), steps=20, start=Start(0.4, keep=(3,)))
    for form in ("window", "api"):
        notes = save_workflow(recipe, pack, tmp_path / f"{form}.json", form)
        document = json.loads((tmp_path / f"{form}.json").read_text("utf-8"))
        nodes = from_window(document) if form == "window" else document
        check_api(nodes)
        assert node(nodes, "LoadImage")["image"] == f"{form}-start.png"
        drawn = node(nodes, "KSampler")
        assert (drawn["denoise"], drawn["steps"]) == (0.4, 8)
        with Image.open(tmp_path / f"{form}-start.png") as picture:
            collage = assemble(recipe, pack)
            assert picture.size == (collage.width, collage.height) and picture.mode == "RGB"
        assert any(f"“{form}-start.png”" in note for note in notes) and any("kept" in note for note in notes)
    gone = replace(recipe, start=Start(0.5, str(tmp_path / "gone.png")))
    notes = save_workflow(gone, pack, tmp_path / "gone.json")
    assert "The workflow begins with noise, not with the recipe’s picture." in notes
    assert not (tmp_path / "gone-start.png").exists()
    check_api(from_window(json.loads((tmp_path / "gone.json").read_text("utf-8"))))


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\1\2", exclude_categories=["C"]), max_size=40)


@given(st.lists(WORDS | st.builds(Choice, st.integers(0, 4), st.integers(0, 7), st.sampled_from([1.0, 0.5, 1.75])))
       .map(tuple))  # fmt: skip
def test_any_prompt_says_its_choices(pack: Pack, prompt: tuple[str | Choice, ...]) -> None:
    nodes = workflow_of(Recipe(pack.id, prompt), pack).nodes
    check_api(nodes)
    spoken = [(word, weight) for word, weight in said(node(nodes, "CLIPTextEncode")["text"]) if "embedding:" in word]
    choices = [piece for piece in prompt if isinstance(piece, Choice)]
    names = pack.vocabulary.code_names
    expected = [
        (
            f"embedding:{pack.vocabulary.parts[one.part].name}-{names[one.part][one.code].replace(' ', '_')}",
            one.strength,
        )
        for one in choices
    ]
    assert spoken == expected
