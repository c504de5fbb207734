"""The headless front door: ``python -m engine`` (and ``partcraft`` with words).

``--json`` prints one JSON document on stdout and nothing else there; progress goes to stderr. Exit codes: 0 done,
1 failed (one sentence and a hint on stderr), 2 wrong words, 130 interrupted (what was finished is kept).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

HANDLERS: Final = "engine.handlers:HANDLERS"


def main(argv: Sequence[str] | None = None, handlers: str = HANDLERS) -> int:
    """Run one command; its exit code. ``argv`` is without the program's name. ``handlers`` is for tests."""
    argv = list(sys.argv[1:] if argv is None else argv)
    from engine.worker.hosts import HOST_WORD

    for library in ("TRANSFORMERS", "DIFFUSERS"):  # read when they are imported, which is later and not always
        os.environ.setdefault(f"{library}_VERBOSITY", "error")
    if len(argv) == 2 and argv[0] == HOST_WORD:
        from engine.worker.child_process import serve

        return serve(argv[1])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names are of any script, whatever the system's code page
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        words = _parser().parse_args(["--help"] if argv == ["help"] else argv)
    except SystemExit as left:  # argparse has said why, or has given help
        return left.code if isinstance(left.code, int) else 2
    return _run(words, handlers)


def _run(words: argparse.Namespace, handlers: str) -> int:
    from engine.cli import commands, doctor
    from engine.cli.console import INTERRUPTED, Interrupted, tell, tell_error
    from engine.core.errors import UserError
    from engine.worker.dispatch import explain

    command: Callable[[argparse.Namespace, str], Any] = getattr(
        doctor if words.command == "doctor" else commands, words.command
    )
    try:
        with contextlib.redirect_stdout(sys.stderr):  # whatever a library prints must not spoil the answer
            answer = command(words, handlers)
        return tell(answer, words.json)
    except UserError as error:
        return tell_error(error, words.json, words.debug)
    except (Interrupted, KeyboardInterrupt):
        if words.json:
            print(json.dumps({"interrupted": True}))
        print("partcraft: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last fence: people get a sentence, the traceback with --debug
        failed = explain(error)
        told = UserError(failed.message, failed.hint)
        told.__dict__["details"] = failed.details
        return tell_error(told, words.json, words.debug)


def _parser() -> argparse.ArgumentParser:
    from engine.cli.pack_commands import import_words
    from engine.runs.run import RUN_WORD

    parser = argparse.ArgumentParser("partcraft", description="Make new creatures by parts. Without words: the app.")
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, help: str, to: str = "", under: Any = commands) -> argparse.ArgumentParser:
        one = under.add_parser(name, help=help, description=help)
        one.set_defaults(command=to or name)
        one.add_argument("--json", action="store_true", help="print one JSON document on stdout")
        one.add_argument("--debug", action="store_true", help="show the traceback of a failure")
        return one

    def pack(one: argparse.ArgumentParser) -> None:
        one.add_argument("--pack", default="", metavar="P", help="a pack's id, title or folder (default: the starter)")

    one = command("segment", "find the parts of pictures")
    one.add_argument("images", nargs="+", metavar="IMAGE", help="a picture, or a folder of them")
    pack(one)
    one.add_argument("--out", required=True, metavar="DIR")

    one = command("render", "make creations of a prompt or a recipe")
    one.add_argument("prompt", nargs="?", default="", help='such as "a photo of a <head:Cardinal> <wing:3> bird"')
    pack(one)
    one.add_argument("--recipe", metavar="F", help="a recipe's JSON file, or a PNG that remembers one")
    one.add_argument("--negative", metavar="TEXT")
    one.add_argument("--seed", type=_number(0, 2**63 - 1), metavar="N")
    one.add_argument("--count", type=_number(1, 1024), metavar="N")
    one.add_argument("--steps", type=_number(1, 1000), metavar="N")
    one.add_argument("--guidance", type=_guidance, metavar="G")
    one.add_argument("--size", type=_number(0, 8192), metavar="PIXELS")
    one.add_argument("--legacy", choices=("bare", "bracketed", "app"), help="a form of the original PartCraft")
    one.add_argument("--out", default="", metavar="DIR", help="default: PartCraft's own folder of creations")

    one = command("discover", "find a vocabulary in a folder of pictures")
    one.add_argument("folder", metavar="FOLDER")
    one.add_argument("--parts", type=_number(0, 64), default=0, metavar="M", help="default 0: as many as fit")
    one.add_argument(
        "--codes", type=_number(1, 4096), default=8, metavar="K", help="unless pictures are sorted by kind"
    )
    one.add_argument("--out", required=True, metavar="PACK", help="the folder of the new pack")
    one.add_argument("--noun", default="thing", help="what the pictures show, such as bird")
    one.add_argument("--names", default="", metavar="A,B,...", help="names of the parts")
    one.add_argument("--merge", dest="merged", type=_numbers, action="append", metavar="I,J", help="parts that are one")
    one.add_argument("--drop", dest="dropped", type=_numbers, metavar="I,J", help="parts that are background")
    one.add_argument("--flip-background", action="store_true", help="take the other side for the background")
    one.add_argument("--extends", default="", metavar="P", help="add to a pack: its parts, its codes and new ones")
    one.add_argument("--codes-from", choices=("kinds", "clusters"), help="what codes of sorted pictures are")
    one.add_argument("--references", type=_number(0, 100_000), metavar="N", help="how many pictures to pick from")
    one.add_argument("--title")
    one.add_argument("--image-size", type=_number(16, 4096), metavar="PIXELS", help="how large the eyes see pictures")
    one.add_argument("--feature-layer", metavar="L", help="last_hidden_state, or a layer's number")
    one.add_argument("--sees", choices=("drawings", "photos"), help="what the eyes were made for")
    one.add_argument("--eyes", default="", metavar="MODEL", help="the Dinov2 model to look with")
    one.add_argument("--base-model", default="", metavar="MODEL")
    one.add_argument("--seed", type=_number(0, 2**31 - 1), default=0, metavar="N")

    one = command("train", "learn the tokens of a pack")
    what = one.add_mutually_exclusive_group(required=True)
    what.add_argument("plan", nargs="?", metavar="PLAN_OR_FOLDER", help="a plan.json, a run, a pack, or pictures")
    what.add_argument("--resume", metavar="RUN", help="go on with a run")
    one.add_argument("--pictures", metavar="FOLDER", help="for a pack: what to learn from (default: its references)")
    one.add_argument("--steps", type=_number(1, 10**7), metavar="N")
    one.add_argument("--batch", type=_number(1, 1024), metavar="N")
    one.add_argument("--seed", type=_number(0, 2**31 - 1), metavar="N")
    one.add_argument("--recipe", choices=("ours", "paper"))
    one.add_argument("--noun", default="", help="for pictures: what they show, such as bird")
    one.add_argument("--detach", action="store_true", help="learn in a process of its own, and come back at once")
    one.add_argument(RUN_WORD, dest="background", action="store_true", help=argparse.SUPPRESS)

    one = command("evaluate", "count which parts arrive in mixes of references")
    pack(one)
    one.add_argument("--mix", type=_number(1, 64), default=4, metavar="N", help="references a picture mixes (4)")
    one.add_argument("--count", type=_number(1, 100_000), default=64, metavar="N", help="pictures (64)")
    one.add_argument("--seed", type=_number(0, 2**31 - 1), default=0, metavar="N")
    one.add_argument("--out", required=True, metavar="DIR")

    runs = commands.add_parser("runs", help="list, pause, stop, discard, export trainings")
    under = runs.add_subparsers(required=True, metavar="VERB")
    command("list", "list the trainings", "runs_list", under)
    for verb, help in (
        ("pause", "keep a checkpoint and end the process"),
        ("stop", "stop, and keep what was learned as a pack"),
        ("discard", "move a training to the trash"),
    ):
        command(verb, help, f"runs_{verb}", under).add_argument("run", metavar="RUN", help="a run's folder or name")
    one = command("export", "copy a training for another machine", "runs_export", under)
    one.add_argument("run", metavar="RUN", help="a run's folder or name")
    one.add_argument("folder", metavar="FOLDER", help="where to put the copy")

    packs = commands.add_parser("packs", help="list, show, check, import, export packs")
    under = packs.add_subparsers(required=True, metavar="VERB")
    command("list", "list the packs at hand", "packs_list", under)
    one = command("show", "say what a pack holds", "packs_show", under)
    one.add_argument("pack", metavar="P", nargs="?", default="", help="default: the starter")
    one = command("check", "read everything a pack holds", "packs_check", under)
    one.add_argument("pack", metavar="P", nargs="?", default="", help="default: all")
    import_words(command("import", "take a .partpack, or an original checkpoint", "packs_import", under))
    one = command("export", "write a .partpack file", "packs_export", under)
    one.add_argument("pack", metavar="P")
    one.add_argument("file", metavar="FILE", help="the file to write; with --plain, a folder")
    one.add_argument("--plain", action="store_true", help="a LoRA and textual inversions, for other programs")

    models = commands.add_parser("models", help="list, check, download models")
    under = models.add_subparsers(required=True, metavar="VERB")
    command("list", "list the models on this computer", "models_list", under)
    one = command("check", "see that models are here and whole", "models_check", under)
    one.add_argument("model", metavar="ID", nargs="?", default="", help="default: all that the packs need")
    one = command("download", "fetch a model from the Hugging Face hub", "models_download", under)
    one.add_argument("model", metavar="ID")

    command("doctor", "say what this computer has and lacks")
    return parser


def _number(low: int, high: int) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not between {low} and {high}")
        return value

    return whole_number


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",")]


def _guidance(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{value} is not between 0 and 100")
    return value


def _version() -> str:
    try:
        return importlib.metadata.version("partcraft-desktop")
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        return "0 (not installed)"


if __name__ == "__main__":
    sys.exit(main())
