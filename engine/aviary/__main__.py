"""python -m engine.aviary build [--quick] [--out DIR]: draw the birds and train the starter, all from seeds.

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
    more = commands.add_parser("further", help="train the shipped base further, and examine what comes of it")
    more.add_argument("--steps", type=int, default=4000)
    alone = commands.add_parser("reader", help="train the shipped starter's reader anew, of its own autoencoder")
    alone.add_argument("--steps", type=int, default=0)
    for command in (whole, stage, more, alone):
        command.add_argument("--out", type=Path, default=Path("build/aviary"))
    for command in (whole, stage):
        command.add_argument("--quick", action="store_true", help="minutes instead of hours; rough pictures")
    arguments = parser.parse_args()
    try:
        import skia  # noqa: F401 - only to say early and clearly that it is missing
    except ImportError:
        print("The aviary is drawn with skia-python: pip install skia-python==144.1", file=sys.stderr)
        return 1
    from engine.aviary.build import BuildPlan, build, evaluate_starter, run_stage, train_reader_alone
    from engine.aviary.continue_training import continue_training
    from engine.core.paths import resources_dir

    if arguments.command == "stage":
        run_stage(arguments.name, arguments.out, arguments.quick)
    elif arguments.command == "reader":
        train_reader_alone(resources_dir() / "starter", arguments.out, arguments.steps)
    elif arguments.command == "further":
        continue_training(resources_dir() / "starter", arguments.out, arguments.steps)
        print(json.dumps(evaluate_starter(arguments.out, BuildPlan(), print), indent=1))
    else:
        print(json.dumps(build(arguments.out, arguments.quick), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
