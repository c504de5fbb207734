"""What import-linter's contracts (pyproject.toml, ``make lint``) cannot see: what a fresh interpreter really loads, how
long files are, and that Pillow opens pictures in one place only."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from tests.conftest import REPOSITORY

HEAVY = ("torch", "diffusers", "transformers", "peft", "sklearn", "accelerate")


def loaded_after(statement: str) -> set[str]:
    """Top-level modules a fresh interpreter has loaded after a statement."""
    code = f"{statement}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def python_files(*folders: str) -> list[Path]:
    files = sorted(path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))
    assert files, f"no files in {folders}"
    return files


@pytest.mark.parametrize("wing", ["core", "packs", "worker", "runs", "hub"])
def test_the_front_of_house_is_quick_to_import(wing: str) -> None:
    modules = [f"engine.{wing}.{path.stem}" for path in python_files(f"engine/{wing}") if path.stem != "__init__"]
    assert not loaded_after(f"import {', '.join(modules)}") & {*HEAVY, "PySide6", "scipy"}


def test_the_window_starts_without_torch() -> None:
    statement = "import partcraft_desktop.__main__, partcraft_desktop.window.main_window"
    assert not loaded_after(statement) & {*HEAVY, "scipy"}


def test_every_wing_says_what_it_is_for() -> None:
    for top in ("engine", "partcraft_desktop"):
        for folder in {path.parent for path in python_files(top)}:
            document = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8")))
            assert document, f"{folder} has no line that says what it is for"


def test_no_file_is_longer_than_450_lines() -> None:
    long = {str(path): count for path in python_files("engine", "partcraft_desktop")
            if (count := len(path.read_text("utf-8").splitlines())) > 450}  # fmt: skip
    assert not long


def test_nothing_is_imported_under_its_own_name_again() -> None:
    doors = [
        f"{path.name}: {alias.name}"
        for path in python_files("engine", "partcraft_desktop")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    ]
    assert not doors


def test_pictures_are_opened_in_one_place() -> None:
    """Anywhere else, Pillow might be asked without a list of formats, and hand a file to Ghostscript."""
    others = [
        f"{path}:{node.lineno}"
        for path in python_files("engine", "partcraft_desktop")
        if path.name != "image_files.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Image.open", "PIL.Image.open")
    ]
    assert not others


def test_no_imports_go_in_a_circle() -> None:
    """Also inside a wing, where layers do not look; imports inside functions count."""
    graph = grimp.build_graph("engine", "partcraft_desktop", cache_dir=None)
    order: dict[str, int] = {}
    for _ in range(len(graph.modules)):  # every round settles what imports only what is settled
        ready = [module for module in graph.modules - order.keys()
                 if graph.find_modules_directly_imported_by(module) <= order.keys()]  # fmt: skip
        if not ready:
            break
        order |= dict.fromkeys(ready, len(order))
    assert not graph.modules - order.keys()


QUESTIONS = ("is_file", "is_dir", "exists", "is_symlink", "is_mount", "is_fifo", "stat", "lstat", "iterdir", "glob",
             "rglob", "walk", "samefile", "owner",
             "isfile", "isdir", "lexists", "islink", "getsize", "getmtime", "scandir", "listdir")  # fmt: skip
ASKED_IN = {
    "engine/core/on_disk.py": "it is the helper",
    "engine/core/atomic_files.py": "reading and writing tell the system's reason",
    "engine/core/paths.py": "names that are free: os.path.lexists answers no by itself",
    "partcraft_desktop/app/creation_files.py": "a folder of creations that cannot be read is told, not taken for empty",
}
"""Where the file system is asked directly, and why it may be."""


def test_the_file_system_is_asked_in_one_place() -> None:
    """``Path.is_file()`` and its kin raise for folders that may not be entered and names too long, and whoever asked
    of a saved path never opened a window again."""
    asked = {
        f"{name}:{node.lineno} {ast.unparse(node.func)}"
        for path in python_files("engine", "partcraft_desktop")
        if (name := path.relative_to(REPOSITORY).as_posix()) not in ASKED_IN and "/aviary/" not in name
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in QUESTIONS
    }
    not_of_files = ("member.is_dir", "ast.walk", "self.walk")  # a zip's member, a widget's next part
    assert not {call for call in asked if not call.endswith(not_of_files)}
