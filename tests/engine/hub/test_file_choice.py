"""Of a model's files, those are fetched that are loaded: in half precision, in one format, whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.core.errors import UserError
from engine.core.model_places import PIPELINES
from engine.hub.catalogue import CATALOGUE, catalogue_model, pinned_revision
from engine.hub.file_choice import choose_files
from engine.hub.repository import HubFile, Repository
from engine.models.base_models import components_of, is_text_to_image

GB = 10**9


def repository(sizes: dict[str, int], pipeline: str = "") -> Repository:
    files = tuple(HubFile(name, size, "a" * 64) for name, size in sizes.items())
    return Repository("somebody/model", "a" * 40, files, pipeline=pipeline)


def chosen(sizes: dict[str, int], pipeline: str = "") -> set[str]:
    return {file.path for file in choose_files(repository(sizes, pipeline))}


def refused(sizes: dict[str, int], pipeline: str = "") -> UserError:
    with pytest.raises(UserError) as caught:
        choose_files(repository(sizes, pipeline))
    assert caught.value.hint
    return caught.value


def weights(place: str, stem: str, full: int, *endings: str) -> dict[str, int]:
    """A component's weights in the formats of the hub, the half ones half as large."""
    return {f"{place}/{stem}{ending}": full // 2 if "fp16" in ending else full for ending in endings}


ALL = (".safetensors", ".fp16.safetensors", ".bin", ".fp16.bin", ".non_ema.safetensors", ".non_ema.bin")
TOKENIZER = {"tokenizer/vocab.json": 10**6, "tokenizer/merges.txt": 5 * 10**5, "tokenizer/tokenizer_config.json": 800,
             "tokenizer/special_tokens_map.json": 400}  # fmt: skip
SD15 = {
    "README.md": 10**4, "model_index.json": 500, "LICENSE": 10**4, "v1-inference.yaml": 2000,
    "v1-5-pruned.safetensors": 77 * GB // 10, "v1-5-pruned-emaonly.ckpt": 43 * GB // 10,
    "scheduler/scheduler_config.json": 300, "feature_extractor/preprocessor_config.json": 300,
    "safety_checker/config.json": 5000, "safety_checker/model.safetensors": 12 * GB // 10,
    "unet/config.json": 700, "vae/config.json": 500, "text_encoder/config.json": 600,
    **weights("unet", "diffusion_pytorch_model", 344 * GB // 100, *ALL),
    **weights("vae", "diffusion_pytorch_model", 334_600_000, *ALL[:4]),
    **weights("text_encoder", "model", 492_000_000, ".safetensors", ".fp16.safetensors"),
    "text_encoder/pytorch_model.bin": 492_000_000, **TOKENIZER,
}  # fmt: skip


def test_stable_diffusion_is_2_gb_not_4() -> None:
    files = choose_files(repository(SD15, "StableDiffusionPipeline"))
    assert {file.path for file in files if file.path.endswith(".safetensors")} == {
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/model.fp16.safetensors",
    }
    names = {file.path for file in files}
    assert {*TOKENIZER, "model_index.json", "scheduler/scheduler_config.json", "unet/config.json", "LICENSE"} <= names
    assert not [name for name in names if name.startswith(("safety", "feature")) or name.endswith((".bin", ".ckpt"))]
    assert 2.1 * GB < sum(file.size for file in files) < 2.2 * GB


def test_sdxl_without_its_second_vae_and_single_files() -> None:
    sizes = {
        "model_index.json": 600, "sd_xl_base_1.0.safetensors": 7 * GB, "sd_xl_offset_lora.safetensors": 5 * 10**7,
        "unet/config.json": 1700, "unet/model.onnx": 7 * 10**6, "unet/openvino_model.bin": 10 * GB,
        **weights("unet", "diffusion_pytorch_model", 1027 * GB // 100, *ALL[:2]),
        **{f"{place}/config.json": 600 for place in ("vae", "vae_1_0", "text_encoder", "text_encoder_2")},
        **weights("vae", "diffusion_pytorch_model", 334_600_000, *ALL[:2]),
        **weights("vae_1_0", "diffusion_pytorch_model", 334_600_000, *ALL[:2]),
        "vae_decoder/model.onnx": 2 * 10**8, "text_encoder/flax_model.msgpack": 492_000_000,
        **weights("text_encoder", "model", 492_000_000, *ALL[:2]),
        **weights("text_encoder_2", "model", 278 * GB // 100, *ALL[:2]),
        **TOKENIZER, **{name.replace("tokenizer/", "tokenizer_2/"): size for name, size in TOKENIZER.items()},
    }  # fmt: skip
    for pipeline in ("StableDiffusionXLPipeline", ""):
        files = choose_files(repository(sizes, pipeline))
        names = {file.path for file in files}
        assert sum(name.endswith(".safetensors") for name in names) == 4 and "tokenizer_2/vocab.json" in names
        assert not [name for name in names if name.startswith(("vae_", "sd_"))]
        assert 6.9 * GB < sum(file.size for file in files) < 7 * GB


def test_half_precision_for_some_components_only() -> None:
    sizes = {name: size for name, size in SD15.items() if name != "text_encoder/model.fp16.safetensors"}
    names = chosen(sizes)
    assert "text_encoder/model.safetensors" in names and "unet/diffusion_pytorch_model.fp16.safetensors" in names
    assert "unet/diffusion_pytorch_model.safetensors" not in names


def test_only_half_precision() -> None:
    sizes = {name: size for name, size in SD15.items() if not name.endswith("model.safetensors")}
    assert sum(name.endswith(".fp16.safetensors") for name in chosen(sizes)) == 3


def shards(stem: str, count: int, present: int) -> dict[str, int]:
    return {f"unet/{stem}-{number:05}-of-{count:05}.safetensors": GB for number in range(1, present + 1)}


def test_shards_come_with_their_index_and_all_of_them() -> None:
    unsharded = {name: size for name, size in SD15.items() if not name.startswith("unet/diff")}
    full = {"unet/diffusion_pytorch_model.safetensors.index.json": 10**5, **shards("diffusion_pytorch_model", 3, 3)}
    half = {"unet/diffusion_pytorch_model.safetensors.index.fp16.json": 10**5}
    half_name = "diffusion_pytorch_model.fp16"
    assert {name for name in chosen(unsharded | full) if name.startswith("unet/diff")} == set(full)
    both = unsharded | full | half | shards(half_name, 2, 2)
    assert {name for name in chosen(both) if name.startswith("unet/diff")} == {*half, *shards(half_name, 2, 2)}
    lacking = unsharded | full | half | shards(half_name, 2, 1)
    assert {name for name in chosen(lacking) if name.startswith("unet/diff")} == set(full), "those are whole"
    assert "lacks the weights unet/" in refused(unsharded | half | shards(half_name, 2, 1)).message


def test_weights_that_can_hold_programs_are_told_not_left_out() -> None:
    sizes = {name: size for name, size in SD15.items() if not (name.startswith("unet/") and "safetensors" in name)}
    error = refused(sizes)
    assert "can hold programs (unet/diffusion_pytorch_model.bin)" in error.message and ".safetensors" in error.hint


OTHERS = ["FluxPipeline", "StableDiffusion3Pipeline", "PixArtAlphaPipeline", "StableDiffusionInpaintPipeline",
          "StableDiffusionXLImg2ImgPipeline"]  # fmt: skip


@pytest.mark.parametrize("pipeline", OTHERS)
def test_a_pipeline_of_another_kind_is_refused_before_it_is_fetched(pipeline: str) -> None:
    assert f"is a {pipeline}, that cannot be used here" in refused(SD15, pipeline).message


def test_a_pipeline_whose_kind_the_hub_does_not_say() -> None:
    flux = {"model_index.json": 500, "flux1-dev.safetensors": 24 * GB, "transformer/config.json": 400}
    assert "of a kind that cannot be used here" in refused(flux).message


def test_eyes() -> None:
    sizes = {"config.json": 500, "preprocessor_config.json": 400, "model.safetensors": 88 * 10**6,
             "pytorch_model.bin": 88 * 10**6, "README.md": 3000, ".gitattributes": 1500}  # fmt: skip
    assert chosen(sizes) == {"config.json", "preprocessor_config.json", "model.safetensors"}
    del sizes["model.safetensors"]
    assert "can hold programs (pytorch_model.bin)" in refused(sizes).message


def test_a_tiny_autoencoder_and_a_lora() -> None:
    tiny = {"config.json": 500, "diffusion_pytorch_model.safetensors": 10**7, "taesd_decoder.safetensors": 5 * 10**6,
            "diffusion_pytorch_model.bin": 10**7}  # fmt: skip
    assert chosen(tiny) == {"config.json", "diffusion_pytorch_model.safetensors"}
    lora = {"README.md": 7000, "image.png": 4 * 10**5, "pytorch_lora_weights.safetensors": 135 * 10**6}
    assert chosen(lora) == {"pytorch_lora_weights.safetensors"}


def test_an_original_checkpoint() -> None:
    files = ("pytorch_model.bin", "pytorch_model_1.bin")
    sizes = {f"checkpoint-{step}/{name}": 10**7 for step in (9000, 74900) for name in (*files, "optimizer.bin")}
    assert chosen({"README.md": 100, **sizes}) == {f"checkpoint-74900/{name}" for name in files}


def test_a_single_file_and_nothing_at_all_are_told() -> None:
    error = refused({"README.md": 100, "dreamshaper_8.safetensors": 2 * GB})
    assert "only single files (dreamshaper_8.safetensors, 2.0 GB)" in error.message
    assert "no model that can be used here" in refused({"README.md": 100, "data.parquet": GB}).message


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_what_is_fetched_is_what_is_opened(pipeline: str, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": pipeline}))
    assert is_text_to_image(tmp_path) and components_of(tmp_path) == PIPELINES[pipeline]


def test_the_catalogue_names_exact_revisions() -> None:
    assert len({model.id for model in CATALOGUE}) == len(CATALOGUE) == 13
    for model in CATALOGUE:
        assert len(model.revision) == 40 and int(model.revision, 16) and model.license and model.gives.endswith(".")
        assert pinned_revision(model.id) == model.revision and catalogue_model(model.id) is model
    assert catalogue_model("somebody/else") is None and pinned_revision("somebody/else") == ""
