"""Base models are opened exactly or not at all: nothing is filled at random, no config names code, nothing absurd is
built, and `models check` says whole of what is whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
)
from safetensors.torch import load_file, save_file

from engine.__main__ import main
from engine.core.errors import UserError
from engine.core.paths import models_dir
from engine.hub.records import known_digest
from engine.models.components import drawing_scheduler, sampler_name
from engine.models.hub import check_model, list_models
from engine.models.loader import Models
from engine.models.wholeness import require_whole
from tests.absurd import VALUES
from tests.engine import tiny

WEIGHTS = {
    "unet": "unet/diffusion_pytorch_model.safetensors",
    "vae": "vae/diffusion_pytorch_model.safetensors",
    "text_encoder": "text_encoder/model.safetensors",
}
Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_sd15(tmp_path_factory.mktemp("whole") / "sd15")


@pytest.fixture(scope="module")
def whole_eyes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_eyes(tmp_path_factory.mktemp("whole") / "eyes")


@pytest.fixture
def base(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "base"))


@pytest.fixture
def eyes(whole_eyes: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole_eyes, tmp_path / "eyes"))


def loaded(folder: Path) -> Any:
    return Models(device="cpu").pipeline(str(folder))


def digest(module: Any) -> str:
    rows = [value.float().numpy().tobytes() for _, value in sorted(module.state_dict().items())]
    return hashlib.sha256(b"".join(rows)).hexdigest()


def told(work: Callable[[], object], *words: str) -> None:
    """It is refused by one sentence that has these words, and a hint."""
    with pytest.raises(UserError) as caught:
        work()
    said = caught.value.message
    assert all(word in said for word in words), said
    assert "\n" not in said and len(said) < 600 and caught.value.hint


def edited(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    change(tensors)
    save_file(tensors, file, {"format": "pt"})


def changed(file: Path, **words: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | words))


def names(file: Path) -> list[str]:
    return sorted(load_file(file))


@pytest.mark.parametrize("component", WEIGHTS)
@pytest.mark.parametrize("fault", ["missing", "unexpected", "misshapen", "not a number", "infinite"])
def test_weights_that_do_not_fit_are_named(component: str, fault: str, base: Path) -> None:
    file = base / WEIGHTS[component]
    name = names(file)[3]
    if fault == "missing":
        edited(file, lambda tensors: tensors.pop(name))
    elif fault == "unexpected":
        name = "nobody.knows.this"
        edited(file, lambda tensors: tensors.update({name: torch.zeros(3)}))
    elif fault == "misshapen":
        edited(file, lambda tensors: tensors.update({name: torch.zeros(3, 1, 7)}))
    else:
        value = float("nan" if fault == "not a number" else "-inf")
        edited(file, lambda tensors: tensors[name].view(-1)[-1].fill_(value))
    told(lambda: loaded(base), name.removeprefix("text_model."), component)
    if fault in ("missing", "unexpected", "misshapen"):
        told(lambda: require_whole(check_model(str(base))), name.removeprefix("text_model."))


def test_half_of_the_text_encoder_is_not_filled_at_random(base: Path) -> None:
    file = base / WEIGHTS["text_encoder"]
    half = names(file)[::2]
    edited(file, lambda tensors: [tensors.pop(name) for name in half])
    told(lambda: loaded(base), "is missing", f"and {len(half) - 1} more")


def test_the_same_weights_are_opened_at_each_start(base: Path) -> None:
    torch.manual_seed(1)
    first = loaded(base)
    torch.manual_seed(2)
    second = loaded(base)
    for component in WEIGHTS:
        assert digest(getattr(first, component)) == digest(getattr(second, component))
        saved = load_file(base / WEIGHTS[component])
        assert all(torch.equal(saved[name], value) for name, value in getattr(first, component).state_dict().items())


def test_names_of_earlier_versions_are_read(base: Path) -> None:
    """The text encoder's with a prefix and its counted places, the autoencoder's attention by its former names."""

    def text(tensors: dict[str, Any]) -> None:
        former = {f"text_model.{name}": value for name, value in tensors.items()}
        tensors.clear()
        tensors.update(former | {"text_model.embeddings.position_ids": torch.arange(77)[None]})

    def autoencoder(tensors: dict[str, Any]) -> None:
        for today, former in ((".to_q.", ".query."), (".to_k.", ".key."), (".to_v.", ".value."),
                              (".to_out.0.", ".proj_attn.")):  # fmt: skip
            for name in [name for name in tensors if today in name]:
                tensors[name.replace(today, former)] = tensors.pop(name)

    before = loaded(base)
    edited(base / WEIGHTS["text_encoder"], text)
    edited(base / WEIGHTS["vae"], autoencoder)
    require_whole(check_model(str(base)))
    after = loaded(base)
    assert all(digest(getattr(before, name)) == digest(getattr(after, name)) for name in WEIGHTS)


def words_gone(base: Path) -> None:
    (base / "tokenizer/tokenizer.json").unlink()


def merges_gone(base: Path) -> None:
    words = json.loads((base / "tokenizer/tokenizer.json").read_text())["model"]["vocab"]
    words_gone(base)
    (base / "tokenizer/vocab.json").write_text(json.dumps(words))


@pytest.mark.parametrize("spoil", [words_gone, merges_gone])
def test_a_tokenizer_without_its_vocabulary_is_missing_it(spoil: Spoil, base: Path) -> None:
    spoil(base)
    assert check_model(str(base)).missing == ("tokenizer/vocab.json",)
    told(lambda: loaded(base), "lacks tokenizer/vocab.json")


def test_a_tokenizer_of_two_files_is_whole(base: Path) -> None:
    before = loaded(base).tokenizer("a bird").input_ids
    merges_gone(base)
    (base / "tokenizer/merges.txt").write_text("#version: 0.2\n")
    require_whole(check_model(str(base)))
    assert loaded(base).tokenizer("a bird").input_ids == before


def test_an_empty_vocabulary_is_none(base: Path) -> None:
    words_gone(base)
    (base / "tokenizer/vocab.json").write_text("{}")
    (base / "tokenizer/merges.txt").write_text("#version: 0.2\n")
    told(lambda: loaded(base), "tokenizer")
    told(lambda: require_whole(check_model(str(base))), "tokenizer")


@pytest.mark.parametrize("half", [{"unet"}, {"text_encoder"}, {"vae"}, set(WEIGHTS)])
def test_half_precision_in_any_of_its_pieces(half: set[str], base: Path) -> None:
    for component in half:
        file = base / WEIGHTS[component]
        tensors = {name: tensor.half() for name, tensor in load_file(file).items()}
        save_file(tensors, file.with_suffix(".fp16.safetensors"), {"format": "pt"})
        file.unlink()
    require_whole(check_model(str(base)))
    pipeline = loaded(base)
    assert all(getattr(pipeline, component).dtype == torch.float32 for component in WEIGHTS)


# Whole or not


def replaced_by(data: bytes) -> Spoil:
    return lambda file: file.write_bytes(data)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


def longer(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0" * 10)


def leads_nowhere(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.with_name("gone"))


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3438167536\n"
FAULTS: list[tuple[Spoil, str]] = [
    (cut, "not whole"),
    (longer, "not whole"),
    (replaced_by(b""), "is empty"),
    (replaced_by(b"<!DOCTYPE html>Access denied"), "a web page"),
    (replaced_by(POINTER), "only git's note"),
    (replaced_by(b"\0" * 1000), "not whole"),
    (Path.unlink, "lacks"),
    (leads_nowhere, "lacks"),
    (pipe, "lacks"),
]


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are made otherwise")
@pytest.mark.parametrize("component", [*WEIGHTS, "eyes", "lone unet"])
@pytest.mark.parametrize(("spoil", "said"), FAULTS)
def test_check_never_says_whole_of_what_is_not(
    component: str, spoil: Spoil, said: str, base: Path, eyes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = {"eyes": eyes, "lone unet": base / "unet"}.get(component, base)
    file = {"eyes": eyes / "model.safetensors", "lone unet": base / WEIGHTS["unet"]}.get(component)
    assert main(["models", "check", str(folder)]) == 0 and "whole" in capsys.readouterr().out
    spoil(file or base / WEIGHTS[component])
    assert main(["models", "check", str(folder)]) == 1
    printed = "".join(capsys.readouterr())
    assert said in printed and "whole\n" not in printed.replace("not whole", "")


def sharded(file: Path, wrong: str = "") -> list[Path]:
    tensors = load_file(file)
    stem = file.name.removesuffix(".safetensors")
    shards = [f"{stem}-0000{number}-of-00002.safetensors" for number in (1, 2)]
    places = {name: shards[number % 2] for number, name in enumerate(sorted(tensors))}
    for shard in shards:
        save_file(
            {name: tensors[name].clone() for name in tensors if places[name] == shard},
            file.with_name(shard), {"format": "pt"},
        )  # fmt: skip
    index = {"metadata": {"total_size": 1}, "weight_map": {name: wrong or place for name, place in places.items()}}
    file.with_name(f"{stem}.safetensors.index.json").write_text(json.dumps(index))
    file.unlink()
    return [file.with_name(shard) for shard in shards]


@pytest.mark.parametrize("component", WEIGHTS)
def test_shards_are_all_there_and_whole(component: str, base: Path) -> None:
    before = digest(getattr(loaded(base), component))
    shards = sharded(base / WEIGHTS[component])
    require_whole(check_model(str(base)))
    assert digest(getattr(loaded(base), component)) == before
    cut(shards[0])
    told(lambda: require_whole(check_model(str(base))), shards[0].name, "not whole")
    shards[1].unlink()
    assert check_model(str(base)).missing == (f"{component}/{shards[1].name}",)


@pytest.mark.parametrize("name", ["../../unet.safetensors", "/etc/passwd", "", "a\0b"])
def test_an_index_names_files_beside_it(name: str, base: Path) -> None:
    sharded(base / WEIGHTS["unet"], wrong=name or "..")
    told(lambda: loaded(base), "index.json is damaged")


def test_what_the_hub_said_of_a_file_holds(base: Path, home: Path) -> None:
    folder = Path(shutil.copytree(base, models_dir() / "some/base"))
    file = folder / WEIGHTS["vae"]
    record = folder / ".cache/huggingface/download" / f"{WEIGHTS['vae']}.metadata"
    record.parent.mkdir(parents=True)
    record.write_text(f"{'0' * 40}\n{hashlib.sha256(file.read_bytes()).hexdigest()}\n1.0\n")
    require_whole(check_model("some/base"))
    edited(file, lambda tensors: next(iter(tensors.values())).add_(1))  # whole, of the same shapes, and another
    told(lambda: require_whole(check_model("some/base")), "vae/", "is not what the hub has")


@pytest.mark.skipif(sys.platform == "win32", reason="the hub's cache copies files there")
def test_the_hubs_cache_names_files_by_what_is_in_them(base: Path) -> None:
    file = base / WEIGHTS["unet"]
    sha = hashlib.sha256(file.read_bytes()).hexdigest()
    (base.parent / "blobs").mkdir()
    blob = file.rename(base.parent / "blobs" / sha)
    file.symlink_to(blob)
    assert known_digest(base, WEIGHTS["unet"]) == sha
    require_whole(check_model(str(base)))
    edited(blob, lambda tensors: next(iter(tensors.values())).add_(1))
    told(lambda: require_whole(check_model(str(base))), "is not what the hub has")


# Configs


def test_the_starters_own_configs_can_be(base: Path) -> None:
    """A schedule that clips nothing says minus infinity."""
    changed(base / "scheduler/scheduler_config.json", lambda_min_clipped=float("-inf"))
    require_whole(check_model(str(base)))
    require_whole(check_model("starter/base"))
    require_whole(check_model("starter/eyes"))


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("unet/config.json", "transformer_layers_per_block", 10**9),
        ("unet/config.json", "transformer_layers_per_block", [1, 10**9]),
        ("unet/config.json", "transformer_layers_per_block", [[10**9], 1]),
        ("unet/config.json", "layers_per_block", 10**400),
        ("unet/config.json", "block_out_channels", [10**12, 10**12]),
        ("unet/config.json", "block_out_channels", [32] * 5000),
        ("unet/config.json", "sample_size", 10**9),
        ("unet/config.json", "cross_attention_dim", -1),
        ("unet/config.json", "in_channels", 1e300),
        ("unet/config.json", "attention_head_dim", "many"),
        ("unet/config.json", "anything_else", 10**400),
        ("vae/config.json", "latent_channels", 10**400),
        ("vae/config.json", "layers_per_block", 10**6),
        ("text_encoder/config.json", "hidden_size", 10**400),
        ("text_encoder/config.json", "hidden_size", True),
        ("text_encoder/config.json", "num_hidden_layers", 10**9),
        ("text_encoder/config.json", "vocab_size", 10**15),
        ("text_encoder/config.json", "max_position_embeddings", 10**12),
        ("scheduler/scheduler_config.json", "num_train_timesteps", 10**12),
    ],
)
def test_absurd_numbers_are_refused_before_anything_is_built(file: str, key: str, value: Any, base: Path) -> None:
    changed(base / file, **{key: value})
    told(lambda: loaded(base), f"its {key} is")
    told(lambda: require_whole(check_model(str(base))), f"its {key} is")


def test_a_schedule_of_first_order_stays_one_and_draws_as_ddim(tmp_path: Path) -> None:
    noise = {**tiny.NOISE, "timestep_spacing": "trailing", "prediction_type": "v_prediction"}
    DPMSolverMultistepScheduler(**noise, solver_order=1).save_pretrained(tmp_path / "first")
    PNDMScheduler(**tiny.NOISE).save_pretrained(tmp_path / "other")
    assert drawing_scheduler(tmp_path / "other").config.solver_order == 2
    ours: Any = drawing_scheduler(tmp_path / "first")
    ddim: Any = DDIMScheduler(**noise, clip_sample=False)
    assert sampler_name(ours) == "DDIM"
    ours.set_timesteps(4)
    ddim.set_timesteps(4)
    assert ours.timesteps.tolist() == ddim.timesteps.tolist()
    one = other = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    for timestep in ours.timesteps:
        predicted = torch.sin(one)
        one = ours.step(predicted, timestep, one).prev_sample
        other = ddim.step(predicted, timestep, other).prev_sample
        assert torch.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("kind", ["sd15", "turbo", "lcm"])
def test_a_schedule_can_be_used_or_is_refused(kind: str, tmp_path: Path) -> None:
    """Whatever one value says: what a library finds wrong only at a step is found before anything is drawn."""
    place = tmp_path / "scheduler"
    noise = {**tiny.NOISE, "num_train_timesteps": 60}
    schedulers = {
        "sd15": PNDMScheduler(**noise),
        "turbo": EulerDiscreteScheduler(**noise, timestep_spacing="trailing"),
        "lcm": LCMScheduler(**noise),
    }
    schedulers[kind].save_pretrained(place)
    drawing_scheduler(place)
    document = json.loads((place / "scheduler_config.json").read_text())
    used = refused = 0
    for key in document.keys() - {"_diffusers_version", "num_train_timesteps"}:
        for value in VALUES[::2]:
            (place / "scheduler_config.json").write_text(json.dumps(document | {key: value}))
            try:
                scheduler = drawing_scheduler(place)
            except UserError:
                refused += 1
                continue
            scheduler.set_timesteps(3)
            latents = torch.zeros(1, 4, 8, 8)
            for timestep in scheduler.timesteps:
                latents = scheduler.step(latents, timestep, latents).prev_sample
            used += 1
    assert used > 10 and refused > 10


@pytest.mark.parametrize("text", ["[" * 10_000, '{"a":' * 10_000, '{"a": ' + "9" * 5000 + "}", "\0", "", "[]"])
@pytest.mark.parametrize("file", ["unet/config.json", "model_index.json", "scheduler/scheduler_config.json"])
def test_strange_configs_are_told(file: str, text: str, base: Path) -> None:
    (base / file).write_text(text)
    if text == "[]" and file != "unet/config.json":
        assert loaded(base)  # it says nothing that is needed
    else:
        told(lambda: loaded(base))


@pytest.mark.parametrize(("width", "layers"), [(65_536, 200), (4096, 256)])
def test_what_is_large_and_does_not_fit_takes_no_memory(width: int, layers: int, base: Path) -> None:
    changed(base / "text_encoder/config.json", hidden_size=width, num_hidden_layers=layers, intermediate_size=4 * width)
    changed(base / "unet/config.json", cross_attention_dim=width)
    told(lambda: loaded(base), "do not fit")


@pytest.mark.parametrize("key", ["num_hidden_layers", "hidden_size", "image_size", "patch_size", "num_attention_heads"])
def test_absurd_eyes_are_refused_too(key: str, eyes: Path) -> None:
    changed(eyes / "config.json", **{key: 10**10})
    told(lambda: Models(device="cpu").eyes(str(eyes)), f"its {key} is")


@pytest.mark.parametrize(
    "words",
    [
        {"image_size": 8192, "patch_size": 1},
        {"hidden_size": 65_536, "num_attention_heads": 1024, "num_hidden_layers": 200},
        {"num_hidden_layers": 200},
    ],
)
def test_eyes_that_describe_more_than_they_have_take_no_memory(words: dict[str, int], eyes: Path) -> None:
    changed(eyes / "config.json", **words)
    told(lambda: Models(device="cpu").eyes(str(eyes)), "cannot be used as eyes")


def test_one_bad_model_is_listed_as_bad_and_the_others_as_they_are(base: Path, eyes: Path, home: Path) -> None:
    for name, source in (("a/base", base), ("b/bad", base), ("c/eyes", eyes), ("d/bad", eyes)):
        shutil.copytree(source, models_dir() / name)
    (models_dir() / "b/bad/model_index.json").write_text("{")
    changed(models_dir() / "d/bad/config.json", hidden_size=10**400)
    found = {one.id: one for one in list_models()}
    kinds = {id: (one.kind, bool(one.fault)) for id, one in found.items() if not id.startswith("starter/")}
    assert kinds["a/base"] == ("base model", False) and kinds["b/bad"] == ("base model", True)
    assert kinds["c/eyes"] == ("eyes", False) and kinds["d/bad"] == ("model", True)
    assert main(["models", "list"]) == 0


CODE: dict[str, Any] = {
    "_attn_implementation": "somebody/kernels",
    "attn_implementation": "somebody/kernels",
    "_attn_implementation_internal": "somebody/kernels",
    "auto_map": {"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"},
    "custom_pipeline": "evil",
    "trust_remote_code": True,
}


@pytest.mark.parametrize("key", CODE)
def test_configs_name_no_code(key: str, base: Path, eyes: Path, tmp_path: Path) -> None:
    before = loaded(base)
    files = [*base.rglob("*config.json"), base / "model_index.json", eyes / "config.json"]
    for file in files:
        changed(file, **{key: CODE[key]})
        (file.parent / "evil.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\nclass Evil: pass\n")
    pipeline = loaded(base)
    assert pipeline.text_encoder.config._attn_implementation == before.text_encoder.config._attn_implementation
    seen = Models(device="cpu").eyes(str(eyes))
    assert "somebody" not in str(seen.model.config._attn_implementation)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "entry", [["evil", "Evil"], ["subprocess", "Popen"], ["stable_diffusion", "../evil"], ["diffusers", "DiTPipeline"]]
)
@pytest.mark.parametrize("component", ["unet", "vae", "text_encoder", "tokenizer", "scheduler", "another"])
def test_an_index_names_no_classes(component: str, entry: list[str], base: Path, monkeypatch: Any) -> None:
    (base / "evil.py").write_text("raise SystemExit('it was imported')\n")
    monkeypatch.syspath_prepend(str(base))
    changed(base / "model_index.json", **{component: entry})
    assert type(loaded(base).unet).__name__ == "UNet2DConditionModel"


@pytest.mark.parametrize(
    "name", ["SomeNewScheduler", "UNet2DConditionModel", "StableDiffusionPipeline", "os.system", ""]
)
def test_an_unknown_schedule_is_told(name: str, base: Path) -> None:
    changed(base / "scheduler/scheduler_config.json", _class_name=name)
    told(lambda: loaded(base), "schedule")


def test_an_unknown_autoencoder_is_told(base: Path) -> None:
    changed(base / "vae/config.json", _class_name="VQModel")
    told(lambda: loaded(base), "VQModel")


def test_a_quantised_model_is_told(base: Path) -> None:
    changed(base / "unet/config.json", quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    told(lambda: loaded(base), "quantised")
