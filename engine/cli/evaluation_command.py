"""``partcraft evaluate``: its arguments and what it says."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from engine.cli.console import INTERRUPTED, Answer, Interrupted, JobRunner
from engine.cli.number_arguments import whole_number, whole_numbers
from engine.core.atomic_files import make_folder
from engine.core.recipe import LIMITS, MOST_SEED
from engine.packs.library import PackLibrary
from engine.worker.evaluated import Evaluated, Judgement
from engine.worker.jobs import Evaluate, Evaluating, News

MOST_SOURCES: Final = 64


def add_arguments(subparser: argparse.ArgumentParser, pack: Callable[[argparse.ArgumentParser], None]) -> None:
    """What the command takes; ``pack`` adds the choice of a pack."""
    pack(subparser)
    subparser.add_argument(
        "--mix", type=_mixes, default=(1, 2, 3, 4), metavar="N,N,...", help="references a picture mixes (1,2,3,4)"
    )
    subparser.add_argument(
        "--count", type=whole_number(1, 100_000), default=64, metavar="N", help="pictures in all (64)"
    )
    subparser.add_argument("--seed", type=whole_number(0, MOST_SEED), default=0, metavar="N")
    subparser.add_argument(
        "--steps", type=whole_number(*LIMITS["steps"]), default=0, metavar="N", help="default: as the pack renders"
    )
    subparser.add_argument(
        "--out", required=True, metavar="DIR", help="the report and the pictures; what is there already goes on"
    )


def _mixes(text: str) -> tuple[int, ...]:
    numbers = sorted(set(whole_numbers(text)))
    if not all(1 <= number <= MOST_SOURCES for number in numbers):
        raise argparse.ArgumentTypeError(f"“{text}” has a number that is not between 1 and {MOST_SOURCES}")
    return tuple(numbers)


def evaluate_pack(arguments: argparse.Namespace, handlers: str) -> Answer:
    """How many of the asked parts arrive in mixes of references."""
    pack = PackLibrary().find(arguments.pack)
    out = make_folder(Path(arguments.out)).absolute()
    job = Evaluate(str(pack.path), str(out), arguments.mix, arguments.count, arguments.seed, arguments.steps)
    kept = 0

    def hear(news: News) -> None:
        nonlocal kept
        if isinstance(news, Evaluating):
            kept = len(news.pictures)

    with JobRunner(handlers) as desk:
        try:
            evaluated: Evaluated = desk.run(job, hear)
        except Interrupted:
            words = f"Stopped. What was rendered is kept in {out}; the same command goes on from there."
            return Answer({"out": str(out), "interrupted": True, "count": kept}, words, INTERRUPTED)
    report = out / "report.html"
    document = {"out": str(out), "report": str(report), **evaluated.to_document()}
    return Answer(document, "\n".join([*_said(evaluated), f"report: {report}"]))


def _said(evaluated: Evaluated) -> Iterator[str]:
    for judgement in evaluated.judgements:
        yield f"By {judgement.judge}:"
        yield from _judged(judgement)


def _judged(judgement: Judgement) -> Iterator[str]:
    scores = judgement.scores
    yield f"match rate (emr): {scores.match_rate.words}"
    low, high = scores.emr_interval
    yield f"  95% [{low:.3f}, {high:.3f}], floor {scores.floor:.3f}, all parts right {scores.whole:.3f}"
    low, high = scores.cosim_interval
    yield f"cosim: {scores.cosim:.3f}, 95% [{low:.3f}, {high:.3f}], floor {scores.floor_cosim:.3f}"
    for name, part in scores.parts.items():
        more = f"{part.match_rate.words}, cosim {part.cosim:.3f}, absent {part.absent:.2f}"
        yield f"  {name}: {more if part.asked else 'not asked for'}"
    for mix, group in judgement.sources.items():
        low, high = group.emr_interval
        yield f"  of {mix}: emr {group.emr:.3f} [{low:.3f}, {high:.3f}], {group.pictures} pictures"
    for name, ceiling in judgement.ceilings.items():
        low, high = ceiling.emr_interval
        yield f"  ceiling, {name}: emr {ceiling.emr:.3f} [{low:.3f}, {high:.3f}], {ceiling.pictures} pictures"
