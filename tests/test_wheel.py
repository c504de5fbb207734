"""What `pip install .` makes is the whole app, not only its code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from engine.core.png_metadata import read_creation
from tests.conftest import REPOSITORY

_RENDER = """
import sys
import engine.__main__
from partcraft_desktop.widgets.theme import _style_sheet_file
assert engine.__file__.startswith(sys.argv[1]), engine.__file__
assert sys.argv[1] in _style_sheet_file()
words = ["render", "a photo of a <head:Cardinal> <wing:Jay> bird", "--steps", "2", "--count", "1", "--out", "."]
sys.exit(engine.__main__.main(words))
"""


def _files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.slow
def test_an_installed_wheel_renders_from_another_folder(tmp_path: Path) -> None:
    source = tmp_path / "source"  # building writes beside the sources
    for name in ("engine", "partcraft_desktop", "resources"):
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "models"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(REPOSITORY / name, source)
    fetched = source / "resources" / "models" / "somebody" / "eyes"
    fetched.mkdir(parents=True)
    (fetched / "config.json").write_text("{}")

    def python(where: Path, *words: object, **variables: str) -> str:
        environment = {**os.environ, **variables}
        done = subprocess.run([sys.executable, *map(str, words)], cwd=where, env=environment, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    offline = ("--no-deps", "--no-index", "-q", "--disable-pip-version-check")
    python(source, "-m", "pip", "wheel", ".", *offline, "--no-build-isolation", "-w", tmp_path / "wheels")
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    held = zipfile.ZipFile(wheel).namelist()
    carried = {name.removeprefix("partcraft_desktop/resources/") for name in held if "/resources/" in name}
    assert carried == {name for name in _files(source / "resources") if not name.startswith("models/")}
    assert not [name for name in held if not name.startswith(("engine/", "partcraft_desktop"))]

    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    python(source, "-m", "pip", "install", *offline, "--no-compile", "--target", site, wheel)
    elsewhere.mkdir()
    python(elsewhere, "-c", _RENDER, site, PYTHONPATH=str(site), QT_QPA_PLATFORM="offscreen")
    (picture,) = elsewhere.glob("*.png")
    assert read_creation(picture).recipe.pack == "starter"
