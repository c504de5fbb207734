"""One of several processes that learn and evaluate together: started by torchrun in training/test_distributed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from engine.models.distributed import join_world
from engine.models.loader import Models
from engine.rendering.evaluation import evaluate
from engine.training.train import train
from engine.worker.jobs import Evaluate, Train


def main(run: str, pack: str, out: str) -> None:
    """Train the run, evaluate the pack, and leave what this process saw in ``out``."""
    torch.set_num_threads(1)
    models = Models(device="cpu")
    train(models, Train(run), lambda news: None)
    evaluated = evaluate(models, Evaluate(pack, out, mixes=(2,), count=3), lambda news: None)
    world = join_world()
    told = [world.most(world.rank), world.gather(world.rank), world.from_first(lambda: world.rank)]
    (Path(out) / f"rank-{world.rank}.json").write_text(json.dumps([evaluated.to_document(), *told]))


if __name__ == "__main__":
    main(*sys.argv[1:])
