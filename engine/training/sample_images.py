"""Sample pictures on the way: what a training can say so far, as a whole sentence and part by part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from engine.core.atomic_files import make_folder, write_whole
from engine.core.vocabulary import ABSENT, Choice
from engine.packs.pack import BaseModel, Pack
from engine.rendering.painter import Painter
from engine.training.captions import OWN_TEMPLATE, words_around
from engine.training.examples import Examples
from engine.training.learner import Learner
from engine.worker.jobs import Preview, Progress, Report

_STEPS: Final = 12
_GUIDANCE: Final = 3.0


@dataclass
class SamplePainter:
    """Paints one example's own sentence into ``samples/step-N/whole.png``, and the sentence with only part M's token
    into ``samples/step-N/part-M.png``: the same noise each time, so that pictures of different steps compare."""

    learner: Learner
    pack: Pack
    examples: Examples
    run: Path
    report: Report
    base: BaseModel

    def __call__(self, step: int) -> None:
        """Paint and show the samples of a step."""
        plan = self.learner.plan
        samples = [*self.sentences()][: plan.samples]
        if not samples:
            return
        before, after = words_around(OWN_TEMPLATE, self.pack.vocabulary.noun)
        steps, guidance = (self.base.steps, self.base.guidance) if self.base.steps else (_STEPS, _GUIDANCE)
        painter = Painter(self.learner.pipeline, self.learner.tokens)
        folder = make_folder(self.run / "samples" / f"step-{step}", "the sample")
        with self.learner.averaged():
            for done, (name, choices) in enumerate(samples):
                self.report(Progress("Painting samples", done, len(samples)))
                (picture,) = painter.paint(
                    (before, *choices, after), (), [plan.seed], steps=steps, guidance=guidance,
                    size=plan.size,
                )  # fmt: skip
                write_whole(
                    folder / f"{name}.png", lambda beside, image=picture: image.save(beside, "PNG"), "the sample"
                )
                if name == "whole":
                    self.report(Preview(0, np.asarray(picture)))

    def sentences(self) -> Iterator[tuple[str, list[Choice]]]:
        """Each sample's file name and choices: of the first example that shows the most parts."""
        parts = [part.index for part in self.pack.vocabulary.visible_parts]
        codes = self.examples.codes[:, 0].tolist()
        best = max(codes, key=lambda row: sum(row[part] != ABSENT for part in parts))
        choices = [Choice(part, best[part]) for part in parts if best[part] != ABSENT]
        if choices:
            yield "whole", choices
            yield from ((f"part-{choice.part}", [choice]) for choice in choices)
