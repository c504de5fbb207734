"""Handlers that take longer to import than a cancelled job is given, for the tests of the worker."""

from __future__ import annotations

import os
import time
from typing import Any

from engine.worker.jobs import Prepare

time.sleep(float(os.environ.get("PARTCRAFT_TEST_LOADING", "1.5")))


def prepare(models: Any, job: Prepare, report: Any) -> str:
    """Is done at once."""
    return "done"


HANDLERS = {Prepare: prepare}
