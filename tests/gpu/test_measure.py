"""The figures of a graphics card can be had: the script runs, on a processor and with small models."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from engine.core.reentry import own_environment
from tests.conftest import REPOSITORY


@pytest.mark.slow
def test_it_runs_on_a_processor_and_both_draw_the_same() -> None:
    command = [sys.executable, "-m", "tests.gpu.measure", "--device", "cpu", "--quick"]
    done = subprocess.run(command, cwd=REPOSITORY, env=own_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "equality with the processor: 0 grey levels" in done.stdout
    for title in ("Stable Diffusion 1.5", "SDXL", "eyes", "k-means"):
        assert f"== {title}" in done.stdout
    assert len(re.findall(r"ratio \d+\.\d{3}", done.stdout)) == 4


@pytest.mark.parametrize("name", ["run.sh", "build.sh"])
def test_the_scripts_for_a_bare_machine_are_right(name: str) -> None:
    script = REPOSITORY / "tests/gpu" / name
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    for named in re.findall(r"tests/[a-z_/]+\.py", script.read_text()):
        assert (REPOSITORY / named).is_file()
