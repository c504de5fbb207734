"""Make the whole starter again from seeds: python -m engine.aviary build.

Two lanes of processes, one thread each: the base model in one, the autoencoder and the judge in the other; then the
decoder, which learns from what the base makes, and the reader, which sees pictures through it, beside the eyes. Every
stage leaves a log and checkpoints in ``<out>/work`` and goes on from them when the build is started again; a finished
stage is not repeated.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import CLIPTokenizer

from engine.aviary.dataset import BirdDataset, make_pool
from engine.aviary.drawing.species import PACK_SPECIES
from engine.aviary.evaluation import (
    judge_pictures,
    render_birds,
    requested_birds,
    segmentation_quality,
    through_autoencoder,
)
from engine.aviary.training.autoencoder import PatchPCA
from engine.core.reentry import own_command, own_environment
from engine.packs.codebook import Codebook
from engine.packs.pack import READER


@dataclass(frozen=True)
class BuildPlan:
    """How large everything is. Every stage uses one thread."""

    names: tuple[str, ...] = PACK_SPECIES
    random_share: float = 0.25
    pool: int = 48_000
    base: int = 4200
    autoencoder: int = 2500
    decoder: int = 4500
    rehearsed: int = 960
    judge: int = 800
    judge_pictures: int = 12_000
    eyes: int = 650
    mixes: int = 600
    looks: int = 1500
    examined: int = 256
    reader: int = 1000
    reader_pictures: int = 3000

    @property
    def flock(self) -> BirdDataset:
        return BirdDataset(0, self.names, self.random_share)


#: Every stage in a few minutes: fewer species, no random parts, everything shorter. Too short for good pictures.
QUICK = BuildPlan(
    names=("Canary", "Cardinal", "Flamingo", "Jay", "Puffin", "Raven"),
    random_share=0.0,
    pool=6000,
    base=280,
    autoencoder=200,
    decoder=100,
    rehearsed=48,
    judge=200,
    judge_pictures=2500,
    eyes=80,
    mixes=60,
    looks=60,
    examined=24,
    reader=120,
    reader_pictures=1200,
)

#: Saves about 15% of the time on a CPU: memory is kept instead of being given back at every step.
ENVIRONMENT = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "268435456",
    "OMP_WAIT_POLICY": "passive",
    "OMP_NUM_THREADS": "1",
}

LANES = ((("base",), ("autoencoder", "judge")), (("decoder", "reader"), ("eyes",)))

Log = Callable[[str], None]


def build(out: Path, quick: bool = False) -> dict[str, Any]:
    """Everything into ``out``: base, eyes, judge, pack, practice, and report.json. Returns the report."""
    plan = QUICK if quick else BuildPlan()
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()

    def log(text: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {time.monotonic() - started:7.0f} s  {text}"
        print(line, file=sys.stderr, flush=True)
        with (work / "build.log").open("a") as file:
            file.write(line + "\n")

    prepare_data(work, plan, log)
    for lanes in LANES:
        run_trainings(out, lanes, quick, log)
    assemble_starter(out, plan, log)
    report = evaluate_starter(out, plan, log)
    log(f"done: same species {report['same']['emr']}, mixes of four {report['mixed']['emr']}")
    return report


def prepare_data(work: Path, plan: BuildPlan, log: Log) -> None:
    """Pool of pictures, PCA, tokenizer."""
    from engine.aviary.captions import make_tokenizer

    images, _ = make_pool(work / "pool", plan.pool, plan.flock, log=log)
    if not (work / "pca.safetensors").exists():
        PatchPCA.fit(np.array(images[:1500])).save(work / "pca.safetensors")
    if not (work / "tokenizer" / "tokenizer.json").exists():
        make_tokenizer(work / "tokenizer")
    log("pictures, PCA and tokenizer are ready")


def run_trainings(out: Path, lanes: Sequence[tuple[str, ...]], quick: bool, log: Log) -> None:
    """Trainings as processes, one of each lane at a time. RuntimeError names the log of one that failed."""
    work = out / "work"
    waiting = {lane: list(lane) for lane in lanes}
    running: dict[tuple[str, ...], tuple[str, subprocess.Popen[bytes]]] = {}
    while waiting or running:
        for lane in list(waiting):
            if lane in running:
                continue
            stages = waiting[lane]
            while stages and (work / stages[0] / "done").exists():
                log(f"{stages.pop(0)}: done before")
            if not stages:
                del waiting[lane]
                continue
            stage = stages.pop(0)
            command = own_command("stage", stage, "--out", str(out), module="engine.aviary")
            command += ["--quick"] if quick else []
            with (work / f"{stage}.log").open("ab") as file:
                process = subprocess.Popen(command, stdout=file, stderr=file, env={**own_environment(), **ENVIRONMENT})
            running[lane] = (stage, process)
            log(f"{stage}: started, see {stage}.log")
        for lane, (stage, process) in list(running.items()):
            code = process.poll()
            if code is None:
                continue
            del running[lane]
            if code:
                for _, other in running.values():
                    other.terminate()
                raise RuntimeError(f"the stage {stage} failed; see {work / (stage + '.log')}")
            log(f"{stage}: done")
        time.sleep(1)


def run_stage(stage: str, out: Path, quick: bool) -> None:
    """One training, in this process."""
    from engine.aviary.training.autoencoder import encode_pool, train_autoencoder

    torch.set_num_threads(1)
    plan, work = QUICK if quick else BuildPlan(), out / "work"
    images, labels = make_pool(work / "pool", plan.pool, plan.flock)
    pca = PatchPCA.load(work / "pca.safetensors")
    if stage == "autoencoder":
        train_autoencoder(work / stage, images, pca, plan.autoencoder)
    elif stage == "base":
        from engine.aviary.training.base_model import train_base

        latents, masks = encode_pool(images, labels, pca)
        tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
        train_base(work / stage, latents, masks, tokenizer, plan.flock, plan.base)
    elif stage == "decoder":
        train_on_renders(work, plan, pca)
    elif stage == "judge":
        from engine.aviary.training.judge import train_judge

        train_judge(work / stage, pca, plan.judge, plan.judge_pictures)
    elif stage == "eyes":
        from engine.aviary.training.dino import train_dino

        train_dino(work / stage, images, labels, plan.flock, plan.eyes)
    elif stage == "reader":
        from engine.aviary.training.reader import train_starter_reader

        (work / stage).mkdir(exist_ok=True)
        reader, scores = train_starter_reader(
            work / stage, work / "decoder" / "model", plan.names, plan.reader_pictures, plan.reader
        )
        reader.save(work / stage / READER)
        print(json.dumps(scores.to_metrics()))
    else:
        raise ValueError(f"no stage {stage!r}")
    (work / stage / "done").touch()


def train_reader_alone(starter: Path, out: Path, steps: int = 0) -> None:
    """A reader for a starter that is whole, of its own autoencoder's pictures, into ``out/reader.safetensors``; goes
    on where it was stopped."""
    from engine.aviary.training.reader import train_starter_reader

    plan = BuildPlan()
    out.mkdir(parents=True, exist_ok=True)
    reader, scores = train_starter_reader(
        out, starter / "base" / "vae", plan.names, plan.reader_pictures, steps or plan.reader
    )
    reader.save(out / READER)
    print(json.dumps(scores.to_metrics()))


def train_on_renders(work: Path, plan: BuildPlan, pca: PatchPCA) -> None:
    """The decoder for 256 pixels, on drawings and on latents that the trained base makes."""
    from diffusers import AutoencoderTiny, StableDiffusionPipeline

    from engine.aviary import starter_pack as starter
    from engine.aviary.rehearsal import rehearse
    from engine.aviary.training.decoder import train_decoder
    from engine.rendering.painter import Painter

    folder, export, small = work / "decoder", work / "base" / "export", work / "autoencoder" / "model"
    base = folder / "base"
    starter.assemble_base(export / "unet", export / "text_encoder", work / "tokenizer", small, base)
    pipeline: Any = StableDiffusionPipeline.from_pretrained(base, dtype=torch.float32)
    tokens = starter.around_words(starter.learned_tokens(export)["species"], pipeline.text_encoder, pipeline.tokenizer)
    flock = BirdDataset(12, plan.names, 0.0)
    rehearsal = rehearse(folder, Painter(pipeline, tokens), flock, pca, plan.rehearsed, plan.rehearsed // 3)
    started: AutoencoderTiny = AutoencoderTiny.from_pretrained(small).float()
    birds = BirdDataset(9, plan.names, 0.4 if plan.random_share else 0.0)
    train_decoder(folder, birds, pca, plan.decoder, start=started, rehearsal=rehearsal)


def assemble_starter(out: Path, plan: BuildPlan, log: Log) -> None:
    """Half-precision folders, the pack with tokens trained together with the base, and the practice folders."""
    from engine.aviary import starter_pack as starter
    from engine.aviary.training.base_model import SAMPLED_FROM

    work = out / "work"
    export = work / "base" / "export"
    starter.assemble_base(
        export / "unet", export / "text_encoder", work / "tokenizer", work / "decoder" / "model", out / "base"
    )
    starter.assemble_dino(work / "eyes" / "model", out / "eyes")
    shutil.copytree(work / "judge" / "model", out / "judge", dirs_exist_ok=True)
    look = starter.open_starter_dino(out / "eyes")
    codebook = starter.fit_starter_codebook(look, plan.names, plan.mixes)
    tokens = starter.learned_tokens(export)
    beginnings = starter.fit_beginnings(look, codebook, plan.flock, tokens["sample"][:, : plan.looks], SAMPLED_FROM)
    species = tokens["species"]
    starter.write_starter_pack(out / "pack", plan.names, species, out / "base", codebook, provenance(plan), beginnings)
    shutil.copy(work / "reader" / READER, out / "pack" / READER)
    starter.write_practice(out / "practice")
    log("models, pack and practice folders are written")


def provenance(plan: BuildPlan) -> str:
    """Where the pack comes from, in sentences for people."""
    share = round(100 * plan.random_share)
    return (
        f"Drawn and trained from seeds by engine.aviary. Tokens were trained together with the base model, whose "
        f"pictures were mixtures: {100 - share}% of their parts came from these {len(plan.names)} species, {share}% "
        f"had random attributes (fewer towards the end). Centroids of the codebook are means over drawings whose parts "
        f"are known. Six further species were kept out of everything but the judge."
    )


def evaluate_starter(out: Path, plan: BuildPlan, log: Log) -> dict[str, Any]:
    """Examine the starter in ``out``: figures into report.json and the pack, contact sheets beside them."""
    from diffusers import StableDiffusionPipeline

    from engine.aviary import starter_pack as starter
    from engine.aviary.training.judge import Judge, accuracy, rejection
    from engine.models.part_tokens import PartTokens
    from engine.rendering.painter import Painter

    judge = Judge.open(out / "judge")
    pipeline: Any = StableDiffusionPipeline.from_pretrained(out / "base", torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    painter = Painter(pipeline, PartTokens.load(out / "pack" / "tokens.safetensors"))
    report: dict[str, Any] = {"plan": asdict(plan)}
    for kind, different in (("same", 1), ("mixed", 4)):
        birds = requested_birds(plan.names, plan.examined, different, seed=77 + different)
        began = time.monotonic()
        pictures = render_birds(painter, plan.names, birds, seed=1000 * different)
        result = judge_pictures(judge, birds, pictures)
        ceiling = judge_pictures(judge, birds, through_autoencoder(pipeline.vae, birds, seed=99))
        report[kind] = {
            **result.to_document(),
            "ceiling": round(ceiling.emr, 4),
            "ceiling_parts": [round(rate, 4) for rate in ceiling.parts],
            "seconds_per_picture": round((time.monotonic() - began) / len(birds), 3),
        }
        picture_sheet(pictures[:48]).save(out / f"sheet-{kind}.png", optimize=True)
        log(f"{kind}: {json.dumps(report[kind])}")
    report["judge"] = {"accuracy": accuracy(judge, 400), "rejects_negatives": rejection(judge)}
    look = starter.open_starter_dino(out / "eyes")
    codebook = Codebook.load(out / "pack" / "codebook.safetensors")
    report["segmentation"] = segmentation_quality(look.features, codebook, plan.names, 100, seed=55)
    log(f"judge {report['judge']}; segmentation {report['segmentation']}")
    starter.add_metrics(out / "pack", {name: report[name] for name in ("same", "mixed", "judge", "segmentation")})
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


def picture_sheet(pictures: np.ndarray, columns: int = 8) -> Image.Image:
    """uint8 (N, H, W, 3) as rows of ``columns``."""
    rows = [np.concatenate(list(pictures[i : i + columns]), 1) for i in range(0, len(pictures), columns)]
    whole = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, whole - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    return Image.fromarray(np.concatenate(padded, 0))
