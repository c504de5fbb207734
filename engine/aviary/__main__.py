"""python -m engine.aviary build [--quick] [--device cuda] [--out DIR]: draw the birds and train the starter from seeds.

python -m engine.aviary reader [--steps N] [--out DIR]: train the reader of the starter that is shipped anew.

python -m engine.aviary further [--steps N] [--out DIR]: train the base model that is shipped further.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m engine.aviary", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    whole = commands.add_parser("build", help="make the whole starter, or go on where an earlier build stopped")
    stage = commands.add_parser("stage", help="one training of a build (the build calls this)")
    stage.add_argument("name")
    stage.add_argument("--of-a-build", action="store_true", help="end when standard input does")
    more = commands.add_parser("further", help="train the shipped base further, and examine what comes of it")
    more.add_argument("--steps", type=int, default=4000)
    alone = commands.add_parser("reader", help="train the shipped starter's reader anew, of its own autoencoder")
    alone.add_argument("--steps", type=int, default=0)
    for command in (whole, stage, more, alone):
        command.add_argument("--out", type=Path, default=Path("build/aviary"))
    for command in (whole, stage, more):
        command.add_argument("--device", default="cpu", help="where networks learn: cpu, or cuda for a graphics card")
    for command in (whole, stage):
        size = command.add_mutually_exclusive_group()
        for plan, meaning in (
            ("quick", "minutes instead of hours; rough pictures"),
            ("trial", "a few steps of everything, to see that it runs; no pictures to speak of"),
        ):
            size.add_argument(f"--{plan}", dest="plan", action="store_const", const=plan, default="full", help=meaning)
    arguments = parser.parse_args()
    try:
        import skia  # noqa: F401 - only to say early and clearly that it is missing
    except ImportError:
        print("The aviary is drawn with skia-python: pip install skia-python==144.1", file=sys.stderr)
        return 1
    from engine.core.errors import UserError, out_of_memory

    try:
        _run(arguments)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        hint = "Close other programs, then start it again: it goes on from where it was."
        print(f"There is not enough memory on {getattr(arguments, 'device', 'cpu')}. {hint}", file=sys.stderr)
        return 1
    return 0


def _run(arguments: argparse.Namespace) -> None:
    from engine.aviary import build as building
    from engine.aviary.continue_training import continue_training
    from engine.aviary.training.devices import training_device
    from engine.core.paths import resources_dir

    starter = resources_dir() / "starter"
    if arguments.command == "reader":
        building.train_reader_alone(starter, arguments.out, arguments.steps)
        return
    device = training_device(arguments.device)
    if arguments.command == "stage":
        if arguments.of_a_build:
            building.end_with_the_build()
        building.run_stage(arguments.name, arguments.out, arguments.plan, device)
    elif arguments.command == "further":
        continue_training(starter, arguments.out, arguments.steps, device=device)
        print(json.dumps(building.evaluate_starter(arguments.out, building.BuildPlan(), print, device), indent=1))
    else:
        print(json.dumps(building.build(arguments.out, arguments.plan, device), indent=1))


if __name__ == "__main__":
    sys.exit(main())
