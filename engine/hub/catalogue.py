"""The models that are proposed: what each gives, and exactly which revision of it was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

ModelKind = Literal["base model", "few-step LoRA", "tiny autoencoder", "eyes"]


@dataclass(frozen=True)
class CatalogueModel:
    """A model on the hub: its id, the commit that is fetched, what people call it, what it gives in a sentence, its
    kind, the hub's name of its licence, the bytes to fetch (rounded; the hub is asked before anything is fetched),
    and whether its licence has to be accepted on its page first."""

    id: str
    revision: str
    title: str
    gives: str
    kind: ModelKind
    license: str
    size: int
    gated: bool = False


def _dino(id: str, revision: str, title: str, gives: str, size: int) -> CatalogueModel:
    return CatalogueModel(f"facebook/{id}", revision, title, gives, "eyes", "apache-2.0", size)


_REGISTERS: Final = "with registers: calmer maps, on which parts keep their edges."
_DINOV3: Final = "dinov3-license"

CATALOGUE: Final[tuple[CatalogueModel, ...]] = (
    CatalogueModel(
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
        "Stable Diffusion 1.5",
        "Draws pictures of 512 pixels; most packs of others belong to it. In half precision.",
        "base model",
        "creativeml-openrail-m",
        2_130_000_000,
    ),
    CatalogueModel(
        "stabilityai/stable-diffusion-xl-base-1.0",
        "462165984030d82259a11f4367a4eed129e94a7b",
        "Stable Diffusion XL",
        "Draws pictures of 1024 pixels, and wants a graphics card. In half precision.",
        "base model",
        "openrail++",
        6_940_000_000,
    ),
    CatalogueModel(
        "common-canvas/CommonCanvas-XL-C",
        "5694b26ff0da6c9f1870f48cf1bb7047cea09702",
        "CommonCanvas XL-C",
        "Draws like Stable Diffusion XL, and learned from openly licensed photographs only.",
        "base model",
        "cc-by-sa-4.0",
        6_940_000_000,
    ),
    CatalogueModel(
        "latent-consistency/lcm-lora-sdv1-5",
        "cf2fced511dbe7e26c8d1d397e728fbab875db4b",
        "LCM LoRA for Stable Diffusion 1.5",
        "Lets Stable Diffusion 1.5 draw in 4 to 8 steps, which a laptop can wait for.",
        "few-step LoRA",
        "openrail++",
        135_000_000,
    ),
    CatalogueModel(
        "madebyollin/taesd",
        "614f76814bbe30edbe2e627ace1c2234c81a2c0e",
        "Tiny autoencoder for Stable Diffusion 1.5",
        "Shows what is being drawn at every step, nearly for free.",
        "tiny autoencoder",
        "mit",
        10_000_000,
    ),
    _dino(
        "dinov2-small",
        "ed25f3a31f01632728cabb09d1542f84ab7b0056",
        "DINOv2 small",
        "Eyes for photographs: quick, and enough for most folders.",
        88_000_000,
    ),
    _dino(
        "dinov2-base",
        "f9e44c814b77203eaa57a6bdbbd535f21ede1415",
        "DINOv2 base",
        "Eyes for photographs that tell more kinds apart; the published packs were seen with them.",
        346_000_000,
    ),
    _dino(
        "dinov2-large",
        "47b73eefe95e8d44ec3623f8890bd894b6ea2d6c",
        "DINOv2 large",
        "Eyes for photographs that see most, and take longest.",
        1_218_000_000,
    ),
    _dino(
        "dinov2-with-registers-small",
        "0d9846e56b43a21fa46d7f3f5070f0506a5795a9",
        "DINOv2 small with registers",
        f"DINOv2 small {_REGISTERS}",
        88_000_000,
    ),
    _dino(
        "dinov2-with-registers-base",
        "a1d738ccfa7ae170945f210395d99dde8adb1805",
        "DINOv2 base with registers",
        f"DINOv2 base {_REGISTERS}",
        346_000_000,
    ),
    _dino(
        "dinov2-with-registers-large",
        "e4c89a4e05589de9b3e188688a303d0f3c04d0f3",
        "DINOv2 large with registers",
        f"DINOv2 large {_REGISTERS}",
        1_218_000_000,
    ),
    CatalogueModel(
        "facebook/dinov3-vits16-pretrain-lvd1689m",
        "114c1379950215c8b35dfcd4e90a5c251dde0d32",
        "DINOv3 small",
        "Newer eyes for photographs, with finer maps. Its licence has to be accepted first.",
        "eyes",
        _DINOV3,
        86_000_000,
        gated=True,
    ),
    CatalogueModel(
        "facebook/dinov3-vitb16-pretrain-lvd1689m",
        "3a0fa61ff39414e2d3be4a1d50c7dfbf459aa8b8",
        "DINOv3 base",
        "Newer eyes for photographs that tell more kinds apart. Its licence has to be accepted first.",
        "eyes",
        _DINOV3,
        343_000_000,
        gated=True,
    ),
)


def catalogue_model(id: str) -> CatalogueModel | None:
    """What is known of a model by its id; None of others."""
    return next((model for model in CATALOGUE if model.id == id), None)


def pinned_revision(id: str) -> str:
    """The commit that the catalogue names for a model; empty for others, which means the newest."""
    model = catalogue_model(id)
    return model.revision if model else ""
