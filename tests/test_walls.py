"""The walls of the house: who may import whom (design: the engine never sees Qt, the window never sees torch)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

FRONT = (
    "core.vocabulary", "core.prompt", "packs.codebook", "core.recipe", "packs.pack", "worker.jobs", "worker.engine",
    "runs.run", "runs.plan",
)  # fmt: skip
WIDGETS = ("library", "reference_view", "composer", "gallery", "status_bar", "help_dialogs", "wizard")
HEAVY = ("torch", "diffusers", "transformers", "peft", "sklearn", "accelerate")


def imported(path: Path) -> set[str]:
    """Full names of the modules a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def loaded_after(statement: str) -> set[str]:
    """Top-level modules a fresh interpreter has loaded after a statement."""
    code = f"{statement}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def python_files(folder: str) -> list[Path]:
    files = sorted((REPOSITORY / folder).rglob("*.py"))
    assert files, f"no files in {folder}"
    return files


def test_the_engine_never_names_qt_or_the_window() -> None:
    for path in python_files("engine"):
        outside = {name for name in imported(path) if name.split(".")[0] in ("PySide6", "qasync", "partcraft_desktop")}
        assert not outside, f"{path.name} imports {outside}"


def test_the_window_never_names_torch_or_the_back_of_house() -> None:
    front = {"engine.core", "engine.packs", "engine.runs", "engine.worker"}
    for path in python_files("partcraft_desktop"):
        names = imported(path)
        assert not {name for name in names if name.split(".")[0] in HEAVY}, path.name
        modules = {".".join(name.split(".")[:2]) for name in names if name.startswith("engine.")}
        allowed = front | {"engine.__main__"} if path.name == "__main__.py" else front
        assert modules <= allowed, f"{path.name} imports {modules - allowed}"


def test_only_the_session_talks_to_the_engine() -> None:
    for path in python_files("partcraft_desktop"):
        # The engine room is the session's own; nobody else goes in.
        if path.name not in ("session.py", "engine_client.py", "__main__.py"):
            assert not {"engine.worker.engine", "partcraft_desktop.app.engine_client"} & imported(path), path.name


def test_widgets_never_import_each_other() -> None:
    for path in python_files("partcraft_desktop"):
        if path.stem in WIDGETS:
            others = {name for name in imported(path) if name.rpartition(".")[2] in WIDGETS}
            assert not {name for name in others if name.rpartition(".")[2] != path.parent.name}, path.name


@pytest.mark.parametrize("module", FRONT)
def test_the_front_of_house_is_quick_to_import(module: str) -> None:
    assert not loaded_after(f"import engine.{module}") & {*HEAVY, "PySide6", "scipy"}


def test_the_window_starts_without_torch() -> None:
    assert not loaded_after("import partcraft_desktop.__main__, partcraft_desktop.window.main_window") & set(HEAVY)
