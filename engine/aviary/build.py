"""Make the whole starter again from seeds: python -m engine.aviary build.

Two lanes of processes, one thread each: the base model in one, the autoencoder and the judge in the other; then the
decoder, which learns from what the base makes, and the reader, which sees pictures through it, beside the eyes. Every
stage leaves a log and checkpoints in ``<out>/work`` and goes on from them when the build is started again; a finished
stage is not repeated. A stage ends with the build that started it. With a graphics card, the stages of both lanes share
it, and all cores draw.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

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
from engine.aviary.training.base_model import UNET_WIDTHS
from engine.aviary.training.decoder import ADVERSARY_FROM
from engine.aviary.training.devices import CPU
from engine.aviary.training.judge import NAMES, WIDTH
from engine.core.errors import UserError
from engine.core.reentry import own_command, own_environment
from engine.packs.codebook import Codebook
from engine.packs.pack import READER, Pack


@dataclass(frozen=True)
class BuildPlan:
    """How large everything is. Every stage uses one thread, and a graphics card if it is given one.

    Numbers are steps of a training, or pictures. ``judged`` are the species that the judge knows; ``prompt`` is the
    longest prompt in tokens; ``adversary_from`` is a share of the decoder's training.
    """

    names: tuple[str, ...] = PACK_SPECIES
    judged: tuple[str, ...] = NAMES
    random_share: float = 0.25
    liveliness: float = 0.5
    pool: int = 64_000
    base: int = 8000
    base_widths: tuple[int, int, int] = UNET_WIDTHS
    base_rate: float = 8e-4
    prompt: int = 77
    autoencoder: int = 2500
    decoder: int = 4500
    adversary_from: float = ADVERSARY_FROM
    rehearsed: int = 960
    judge: int = 800
    judge_pictures: int = 12_000
    judge_width: int = WIDTH
    judge_shown_where: float = 0.0
    eyes: int = 650
    mixes: int = 600
    looks: int = 1500
    practised: int = 32
    examined: int = 256
    reader: int = 1000
    reader_pictures: int = 3000

    @property
    def flock(self) -> BirdDataset:
        return BirdDataset(0, self.names, self.random_share, self.liveliness)


_FEW = ("Canary", "Cardinal", "Flamingo", "Jay", "Puffin", "Raven")
#: Every stage in a few minutes, by a smaller world: six species, no random parts, birds that hardly move, short
#: prompts, a UNet a quarter as large, and a judge that has to know only these six.
QUICK = BuildPlan(
    names=_FEW,
    judged=_FEW,
    random_share=0.0,
    liveliness=0.15,
    pool=3000,
    base=1000,
    base_widths=(32, 64, 96),
    base_rate=2e-3,
    prompt=32,
    autoencoder=150,
    decoder=320,
    adversary_from=0.9,
    rehearsed=0,
    judge=300,
    judge_pictures=2500,
    judge_width=32,
    judge_shown_where=0.5,
    eyes=160,
    mixes=60,
    looks=60,
    practised=4,
    examined=48,
    reader=60,
    reader_pictures=240,
)
#: Every network at its full size for a few steps: whether each stage hands over to the next, not what they learn.
TRIAL = BuildPlan(
    pool=600,
    base=6,
    autoencoder=6,
    decoder=6,
    rehearsed=18,
    judge=4,
    judge_pictures=64,
    eyes=4,
    mixes=72,
    looks=24,
    practised=1,
    examined=8,
    reader=4,
    reader_pictures=64,
)
FULL: Final = "full"
PLANS: Final = {FULL: BuildPlan(), "quick": QUICK, "trial": TRIAL}
"""The builds that can be asked for, by name."""

#: Saves about 15% of the time on a CPU: memory is kept instead of being given back at every step.
ENVIRONMENT = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "268435456",
    "OMP_WAIT_POLICY": "passive",
    "OMP_NUM_THREADS": "1",
}

LANES = ((("base",), ("autoencoder", "judge")), (("decoder", "reader"), ("eyes",)))
#: Without a rehearsal nothing waits for the base.
LANES_WITHOUT_REHEARSAL = ((("base", "eyes"), ("autoencoder", "judge", "decoder", "reader")),)

Log = Callable[[str], None]
Running = dict[tuple[str, ...], tuple[str, subprocess.Popen[bytes]]]
_DRAWING_PROCESSES: Final = 2


def build(out: Path, name: str = FULL, device: torch.device = CPU) -> dict[str, Any]:
    """Everything into ``out``: base, eyes, judge, pack, practice, and report.json. ``name`` is one of :data:`PLANS`.
    Returns the report. Raises :class:`UserError` where a stage fails."""
    plan = PLANS[name]
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()

    def log(text: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {time.monotonic() - started:7.0f} s  {text}"
        print(line, file=sys.stderr, flush=True)
        with (work / "build.log").open("a") as file:
            file.write(line + "\n")

    prepare_data(work, plan, log, _DRAWING_PROCESSES if device.type == "cpu" else os.cpu_count() or 1)
    drawing = processor_seconds()
    phases = LANES if plan.rehearsed else LANES_WITHOUT_REHEARSAL
    for lanes in phases:
        run_trainings(out, lanes, name, device, log)
    before = processor_seconds()
    assemble_starter(out, plan, log, device)
    report = evaluate_starter(out, plan, log, device)
    finishing = processor_seconds() - before
    stages = {stage: stage_seconds(work, stage) for lanes in phases for lane in lanes for stage in lane}
    longest = sum(max(sum(stages[stage] for stage in lane) for lane in lanes) for lanes in phases)
    said = ", ".join(f"{stage} {seconds:.0f}" for stage, seconds in stages.items())
    log(
        f"CPU s: pictures {drawing:.0f}, {said}, pack and examination {finishing:.0f}; "
        f"one after the other where they have to be, {drawing + longest + finishing:.0f}"
    )
    log(f"done: same species {report['same']['emr']}, mixes of four {report['mixed']['emr']}")
    return report


def prepare_data(work: Path, plan: BuildPlan, log: Log, processes: int = _DRAWING_PROCESSES) -> None:
    """Pool of pictures, drawn by so many processes, PCA, tokenizer."""
    from engine.aviary.captions import make_tokenizer

    images, _ = make_pool(work / "pool", plan.pool, plan.flock, processes, log)
    if not (work / "pca.safetensors").exists():
        PatchPCA.fit(np.array(images[:1500])).save(work / "pca.safetensors")
    if not (work / "tokenizer" / "tokenizer.json").exists():
        make_tokenizer(work / "tokenizer", plan.prompt)
    log("pictures, PCA and tokenizer are ready")


def run_trainings(out: Path, lanes: Sequence[tuple[str, ...]], name: str, device: torch.device, log: Log) -> None:
    """Trainings as processes, one of each lane at a time. Raises :class:`UserError` with the last words of one that
    failed; the others are ended."""
    running: Running = {}
    try:
        _run_lanes(out, lanes, name, device, log, running)
    finally:
        for _, process in running.values():
            process.terminate()
            process.wait()


def _run_lanes(
    out: Path, lanes: Sequence[tuple[str, ...]], name: str, device: torch.device, log: Log, running: Running
) -> None:
    work = out / "work"
    waiting = {lane: list(lane) for lane in lanes}
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
            words = ("stage", stage, "--out", str(out), "--device", str(device), "--of-a-build")
            command = own_command(*words, *([] if name == FULL else [f"--{name}"]), module="engine.aviary")
            with (work / f"{stage}.log").open("ab") as file:
                process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=file, stderr=file, env={**own_environment(), **ENVIRONMENT}
                )
            running[lane] = (stage, process)
            log(f"{stage}: started, see {stage}.log")
        for lane, (stage, process) in list(running.items()):
            code = process.poll()
            if code is None:
                continue
            del running[lane]
            if code:
                told = (work / f"{stage}.log").read_text(errors="replace").strip().splitlines()
                raise UserError(
                    f"The stage {stage} failed: {told[-1] if told else 'it said nothing'}",
                    f"See {work / (stage + '.log')}; started again, the build goes on from there.",
                )
            log(f"{stage}: done, CPU s {stage_seconds(work, stage):.0f}")
        time.sleep(1)


def stage_seconds(work: Path, stage: str) -> float:
    """CPU seconds of a finished stage, since it was last started; 0 for one that did not say."""
    return float((work / stage / "done").read_text() or 0)


def processor_seconds() -> float:
    """CPU seconds of this process and of the processes that it waited for."""
    return sum(os.times()[:4])


def end_with_the_build() -> None:
    """End this process as soon as the one that started it is gone: two of one stage would write the same files."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)  # not through Python's buffer, whose lock would be held at the end
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def run_stage(stage: str, out: Path, name: str = FULL, device: torch.device = CPU) -> None:
    """One training, in this process."""
    from engine.aviary.training.autoencoder import encode_pool, train_autoencoder

    torch.set_num_threads(1)
    plan, work = PLANS[name], out / "work"
    images, labels = make_pool(work / "pool", plan.pool, plan.flock)
    pca = PatchPCA.load(work / "pca.safetensors")
    if stage == "autoencoder":
        train_autoencoder(work / stage, images, pca, plan.autoencoder, device=device)
    elif stage == "base":
        from engine.aviary.training.base_model import train_base

        latents, masks = encode_pool(images, labels, pca, device=device)
        tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
        train_base(
            work / stage, latents, masks, tokenizer, plan.flock, plan.base,
            rate=plan.base_rate, widths=plan.base_widths, device=device,
        )  # fmt: skip
    elif stage == "decoder":
        train_on_renders(work, plan, pca, device)
    elif stage == "judge":
        from engine.aviary.training.judge import train_judge

        train_judge(
            work / stage, pca, plan.judge, plan.judge_pictures,
            names=plan.judged, width=plan.judge_width, shown_where=plan.judge_shown_where,
            device=device,
        )  # fmt: skip
    elif stage == "eyes":
        from engine.aviary.training.dino import train_dino

        train_dino(work / stage, images, labels, plan.flock, plan.eyes, device=device)
    elif stage == "reader":
        from engine.aviary.training.reader import train_starter_reader

        (work / stage).mkdir(exist_ok=True)
        reader, scores = train_starter_reader(
            work / stage, work / "decoder" / "model", plan.names, plan.reader_pictures, plan.reader, device=device
        )
        reader.save(work / stage / READER)
        print(json.dumps(scores.to_metrics()))
    else:
        raise ValueError(f"no stage {stage!r}")
    (work / stage / "done").write_text(f"{time.process_time():.1f}\n")


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


def train_on_renders(work: Path, plan: BuildPlan, pca: PatchPCA, device: torch.device = CPU) -> None:
    """The decoder for 256 pixels, on drawings and, with a rehearsal, on latents that the trained base makes."""
    from diffusers import AutoencoderTiny, StableDiffusionPipeline

    from engine.aviary import starter_pack as starter
    from engine.aviary.rehearsal import rehearse
    from engine.aviary.training.decoder import train_decoder
    from engine.rendering.painter import Painter

    folder, small, rehearsal = work / "decoder", work / "autoencoder" / "model", None
    if plan.rehearsed:
        export, base = work / "base" / "export", folder / "base"
        starter.assemble_base(export / "unet", export / "text_encoder", work / "tokenizer", small, base)
        pipeline: Any = StableDiffusionPipeline.from_pretrained(base, dtype=torch.float32)
        species = starter.learned_tokens(export)["species"]
        tokens = starter.around_words(species, pipeline.text_encoder, pipeline.tokenizer)
        pipeline.to(device)
        flock = BirdDataset(12, plan.names, 0.0)
        rehearsal = rehearse(folder, Painter(pipeline, tokens), flock, pca, plan.rehearsed, plan.rehearsed // 3)
    started: AutoencoderTiny = AutoencoderTiny.from_pretrained(small).float()
    birds = BirdDataset(9, plan.names, 0.4 if plan.random_share else 0.0, plan.liveliness)
    train_decoder(
        folder, birds, pca, plan.decoder, start=started, rehearsal=rehearsal, adversary_from=plan.adversary_from,
        device=device,
    )  # fmt: skip


def assemble_starter(out: Path, plan: BuildPlan, log: Log, device: torch.device = CPU) -> None:
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
    look = starter.open_starter_dino(out / "eyes", device=device)
    codebook = starter.fit_starter_codebook(look, plan.names, plan.mixes)
    tokens = starter.learned_tokens(export)
    beginnings = starter.fit_beginnings(look, codebook, plan.flock, tokens["sample"][:, : plan.looks], SAMPLED_FROM)
    species = tokens["species"]
    starter.write_starter_pack(out / "pack", plan.names, species, out / "base", codebook, provenance(plan), beginnings)
    shutil.copy(work / "reader" / READER, out / "pack" / READER)
    starter.write_practice(out / "practice", plan.practised)
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


def evaluate_starter(out: Path, plan: BuildPlan, log: Log, device: torch.device = CPU) -> dict[str, Any]:
    """Examine the starter in ``out``, in the steps that its base wants: figures into report.json and the pack, contact
    sheets beside them."""
    from diffusers import StableDiffusionPipeline

    from engine.aviary import starter_pack as starter
    from engine.aviary.training.judge import Judge, accuracy, rejection
    from engine.models.part_tokens import PartTokens
    from engine.rendering.painter import Painter

    judge, base = Judge.open(out / "judge").to(device), Pack.open(out / "pack").base_model
    pipeline: Any = StableDiffusionPipeline.from_pretrained(out / "base", torch_dtype=torch.float32).to(device)
    pipeline.set_progress_bar_config(disable=True)
    painter = Painter(pipeline, PartTokens.load(out / "pack" / "tokens.safetensors"))
    report: dict[str, Any] = {"plan": asdict(plan)}
    for kind, different in (("same", 1), ("mixed", 4)):
        birds = requested_birds(plan.names, plan.examined, different, seed=77 + different)
        began = time.monotonic()
        pictures = render_birds(painter, plan.names, birds, 1000 * different, base.steps, base.guidance)
        result = judge_pictures(judge, birds, pictures)
        ceiling = judge_pictures(judge, birds, through_autoencoder(pipeline.vae, birds, seed=99))
        report[kind] = {
            **result.to_document(),
            "steps": base.steps,
            "ceiling": round(ceiling.emr, 4),
            "ceiling_parts": [round(rate, 4) for rate in ceiling.parts],
            "seconds_per_picture": round((time.monotonic() - began) / len(birds), 3),
        }
        picture_sheet(pictures[:48]).save(out / f"sheet-{kind}.png", optimize=True)
        log(f"{kind}: {json.dumps(report[kind])}")
    report["judge"] = {
        "accuracy": accuracy(judge, 400, plan.judged),
        "rejects_negatives": rejection(judge, names=plan.judged),
    }
    look = starter.open_starter_dino(out / "eyes", device=device)
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
