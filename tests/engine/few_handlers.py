"""Handlers that misbehave, for the tests of the worker."""

from __future__ import annotations

import sys
import threading
from typing import Any

from engine.core.errors import UserError
from engine.worker.jobs import Discover, Evaluate, Measure, Prepare, Segment

opened = 0


def open_models(spare_core: bool) -> str:
    """Counts how often it is called, and says whether it was to leave a core to a window."""
    global opened
    opened += 1
    return f"models, opened {opened} times" + (" with a core to spare" if spare_core else "")


def prepare(models: Any, job: Prepare, report: Any) -> Any:
    """Prints, and returns the models."""
    print("printed by a handler")
    return models


def discover(models: Any, job: Discover, report: Any) -> Any:
    """Leaves, as some libraries do."""
    sys.exit(3)


def evaluate(models: Any, job: Evaluate, report: Any) -> Any:
    """Returns what cannot be pickled."""
    return threading.Lock()


def segment(models: Any, job: Segment, report: Any) -> Any:
    """Runs out of memory."""
    raise MemoryError


def measure(models: Any, job: Measure, report: Any) -> Any:
    """Fails in words that nobody else uses; ``pack`` is the kind."""
    raise UserError("Whatever this says.", "", job.pack)  # pyright: ignore[reportArgumentType]


HANDLERS = {Prepare: prepare, Discover: discover, Evaluate: evaluate, Segment: segment, Measure: measure}
