"""How ComfyUI reads a workflow, written down: node classes with their inputs and outputs, what each input may be, and
how prompts are split into words and embeddings (nodes.py, execution.py and comfy/sd1_clip.py as of 2025)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

SAMPLERS = {
    "euler", "euler_cfg_pp", "euler_ancestral", "heun", "dpm_2", "dpm_2_ancestral", "lms", "dpm_fast", "dpm_adaptive",
    "dpmpp_2s_ancestral", "dpmpp_sde", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m_sde", "ddpm", "lcm", "ddim", "uni_pc",
}  # fmt: skip
SCHEDULERS = {
    "normal", "karras", "exponential", "sgm_uniform", "simple", "ddim_uniform", "beta", "linear_quadratic",
}  # fmt: skip
FILE = "a file"

Spec = Mapping[str, Any]
"""An input's name and what it is: a type in capitals is a link; a set is a choice; a range is a number."""

NODES: dict[str, tuple[Spec, tuple[str, ...]]] = {
    "CheckpointLoaderSimple": ({"ckpt_name": FILE}, ("MODEL", "CLIP", "VAE")),
    "UNETLoader": ({"unet_name": FILE, "weight_dtype": {"default", "fp8_e4m3fn", "fp8_e5m2"}}, ("MODEL",)),
    "LoraLoader": (
        {"model": "MODEL", "clip": "CLIP", "lora_name": FILE, "strength_model": (-100.0, 100.0),
         "strength_clip": (-100.0, 100.0)}, ("MODEL", "CLIP"),
    ),
    "LoraLoaderModelOnly": ({"model": "MODEL", "lora_name": FILE, "strength_model": (-100.0, 100.0)}, ("MODEL",)),
    "ModelSamplingDiscrete": (
        {"model": "MODEL", "sampling": {"eps", "v_prediction", "lcm", "x0"}, "zsnr": {True, False}}, ("MODEL",),
    ),
    "CLIPTextEncode": ({"text": str, "clip": "CLIP"}, ("CONDITIONING",)),
    "EmptyLatentImage": ({"width": (16, 16384), "height": (16, 16384), "batch_size": (1, 4096)}, ("LATENT",)),
    "LoadImage": ({"image": FILE}, ("IMAGE", "MASK")),
    "ImageScale": (
        {"image": "IMAGE", "upscale_method": {"nearest-exact", "bilinear", "area", "bicubic", "lanczos"},
         "width": (0, 16384), "height": (0, 16384), "crop": {"disabled", "center"}}, ("IMAGE",),
    ),
    "VAEEncode": ({"pixels": "IMAGE", "vae": "VAE"}, ("LATENT",)),
    "KSampler": (
        {"model": "MODEL", "seed": (0, 2**64 - 1), "steps": (1, 10000), "cfg": (0.0, 100.0), "sampler_name": SAMPLERS,
         "scheduler": SCHEDULERS, "positive": "CONDITIONING", "negative": "CONDITIONING", "latent_image": "LATENT",
         "denoise": (0.0, 1.0)}, ("LATENT",),
    ),
    "VAEDecode": ({"samples": "LATENT", "vae": "VAE"}, ("IMAGE",)),
    "SaveImage": ({"images": "IMAGE", "filename_prefix": str}, ()),
}  # fmt: skip
OUTPUTS = {"SaveImage"}
LINKS = {"MODEL", "CLIP", "VAE", "CONDITIONING", "LATENT", "IMAGE", "MASK"}


def check_api(nodes: Mapping[str, Any]) -> None:
    """See that ComfyUI's server would take a workflow: all inputs there and of their kind, links to outputs of the
    right type, something to save, and no circle."""
    assert any(node["class_type"] in OUTPUTS for node in nodes.values()), "nothing comes of it"
    for number, node in nodes.items():
        inputs, _ = NODES[node["class_type"]]
        assert node["inputs"].keys() == inputs.keys(), (number, node)
        for name, kind in inputs.items():
            value = node["inputs"][name]
            if kind in LINKS if isinstance(kind, str) else False:
                source, output = value
                assert NODES[nodes[source]["class_type"]][1][output] == kind, (number, name)
            elif kind == FILE:
                assert isinstance(value, str) and re.fullmatch(r"[^/\\]+\.(safetensors|ckpt|png)", value), value
            elif kind is str:
                assert isinstance(value, str)
            elif isinstance(kind, set):
                assert value in kind, (name, value)
            else:
                low, high = kind
                assert not isinstance(value, bool) and type(value) in (type(low), int), (name, value)
                assert low <= value <= high, (name, value)
    order(nodes)


def order(nodes: Mapping[str, Any]) -> list[str]:
    """The nodes as ComfyUI runs them, from what is saved backwards; fails for a circle, and for nodes of no use."""
    done: list[str] = []

    def visit(number: str, above: tuple[str, ...]) -> None:
        assert number not in above, "a circle"
        if number in done:
            return
        for value in nodes[number]["inputs"].values():
            if isinstance(value, list):
                visit(value[0], (*above, number))
        done.append(number)

    for number, node in nodes.items():
        if node["class_type"] in OUTPUTS:
            visit(number, ())
    assert set(done) == set(nodes), "nodes that nothing comes of"
    return done


def from_window(document: Mapping[str, Any]) -> dict[str, Any]:
    """What ComfyUI's window sends to its server of a workflow that it opened."""
    assert document["version"] == 0.4
    nodes = {node["id"]: node for node in document["nodes"]}
    assert document["last_node_id"] == max(nodes) and document["last_link_id"] == len(document["links"])
    links = {row[0]: row for row in document["links"]}
    assert len(links) == len(document["links"])
    sent: dict[str, Any] = {}
    for number, node in nodes.items():
        inputs, outputs = NODES[node["type"]]
        fields = [name for name, kind in inputs.items() if kind not in LINKS]
        values = list(node["widgets_values"])
        if node["type"] == "KSampler":
            assert values.pop(1) in ("fixed", "increment", "decrement", "randomize")
        if node["type"] == "LoadImage":
            assert values.pop() == "image"
        told = dict(zip(fields, values, strict=True))
        for slot, given in enumerate(node["inputs"]):
            _, source, output, target, into, kind = links[given["link"]]
            assert (target, into, kind) == (number, slot, given["type"])
            assert given["link"] in nodes[source]["outputs"][output]["links"]
            told[given["name"]] = [str(source), output]
        assert [one["type"] for one in node["outputs"]] == list(outputs)
        sent[str(number)] = {"class_type": node["type"], "inputs": told}
    listed = sorted(link for node in nodes.values() for one in node["outputs"] for link in one["links"])
    assert listed == sorted(links)
    return sent


def said(text: str) -> list[tuple[str, float]]:
    """A prompt as pieces with weights: plain words, and embeddings as "embedding:name"."""
    pieces: list[tuple[str, float]] = []
    for piece, weight in _weighted(text.replace(r"\(", "\0\1").replace(r"\)", "\0\2"), 1.0):
        piece = piece.replace("\0\1", "(").replace("\0\2", ")").replace("\n", " ")
        first, *rest = re.split(r" (?=embedding:)", f" {piece}" if piece.startswith("embedding:") else piece)
        words = [first] if first else []
        for one in rest:
            name, _, more = one.partition(" ")
            words += [name, *([more] if more else [])]
        pieces += [(word.strip(), weight) for word in words if word.strip()]
    return pieces


def _weighted(text: str, weight: float) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for segment in _brackets(text):
        inner = weight
        if len(segment) >= 2 and segment[0] == "(" and segment[-1] == ")":
            segment, inner = segment[1:-1], weight * 1.1
            at = segment.rfind(":")
            if at > 0:
                with contextlib.suppress(ValueError):
                    inner, segment = float(segment[at + 1 :]), segment[:at]
            found += _weighted(segment, inner)
        else:
            found.append((segment, weight))
    return found


def _brackets(text: str) -> list[str]:
    segments, now, depth = [], "", 0
    for letter in text:
        if letter == "(":
            if depth == 0 and now:
                segments.append(now)
                now = ""
            depth += 1
        now += letter
        if letter == ")":
            depth -= 1
            if depth == 0:
                segments.append(now)
                now = ""
    return [*segments, now] if now else segments
