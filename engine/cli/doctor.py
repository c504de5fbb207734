"""What this computer has and lacks for PartCraft, said so that a person can act on it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict, dataclass

from engine.cli.console import DONE, FAILED, Answer
from engine.cli.model_commands import models_check
from engine.core.atomic_files import make_folder
from engine.core.errors import UserError
from engine.core.on_disk import is_folder
from engine.core.paths import data_dir, starter_pack
from engine.packs.library import PackLibrary
from engine.packs.validation import check_pack

_PACKAGES = ("torch", "diffusers", "transformers", "peft", "accelerate", "numpy", "pillow", "PySide6-Essentials")


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ``hint`` says what to do when it is not ``ok``; ``needed`` if nothing works without it."""

    name: str
    ok: bool
    detail: str
    hint: str = ""
    needed: bool = True


def doctor(arguments: Namespace, handlers: str) -> Answer:
    """Look at everything; fails if something that is needed is missing."""
    checks: tuple[Callable[[], Finding], ...] = (
        _system, _libraries, _device, _memory, _folder, _disk, _starter, _packs, _models, _photo_eyes, _screen,
    )  # fmt: skip
    findings = [_finding_of(check) for check in checks]
    lines = []
    for finding in findings:
        lines.append(
            f"{'ok ' if finding.ok else ('NO ' if finding.needed else '-  ')} {finding.name}: {finding.detail}"
        )
        if finding.hint and not finding.ok:
            lines.append(f"     {finding.hint}")
    well = all(finding.ok or not finding.needed for finding in findings)
    return Answer(
        {"ok": well, "findings": [asdict(finding) for finding in findings]}, "\n".join(lines), DONE if well else FAILED
    )


def _finding_of(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except UserError as error:
        return Finding(check.__name__.strip("_"), False, error.message, error.hint)
    except Exception as error:  # noqa: BLE001 - a look that fails is itself a finding
        return Finding(check.__name__.strip("_"), False, f"could not be looked at ({type(error).__name__}: {error})")


def _system() -> Finding:
    supported = (3, 11) <= sys.version_info[:2] < (3, 14)
    detail = f"{platform.platform()}, Python {platform.python_version()}"
    return Finding("system", supported, detail, "Use Python 3.11, 3.12 or 3.13.")


def _libraries() -> Finding:
    versions, lacking = [], []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            lacking.append(name)
    detail = ", ".join(versions) + (f"; missing: {', '.join(lacking)}" if lacking else "")
    return Finding("libraries", not lacking, detail, "Install PartCraft again, or run `make run`.")


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        return Finding("device", True, f"{gpu.name}, {gpu.total_memory >> 30} GB")
    if torch.backends.mps.is_available():
        return Finding("device", True, "Apple GPU")
    return Finding("device", True, f"CPU, {torch.get_num_threads()} threads")


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    free = memory.available / 2**30
    detail = f"{free:.1f} of {memory.total / 2**30:.1f} GB free"
    return Finding("memory", free > 1, detail, "Close other programs.", needed=False)


def _folder() -> Finding:
    folder = make_folder(data_dir(), "PartCraft's folder")
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"whole")
    return Finding("folder", True, str(folder))


def _disk() -> Finding:
    free = shutil.disk_usage(data_dir()).free / 2**30
    return Finding("disk", free > 2, f"{free:.1f} GB free", "Make room: large base models need 5 GB.", needed=False)


def _starter() -> Finding:
    if not is_folder(starter_pack()):
        hint = "Install PartCraft again, or build it: python -m engine.aviary build"
        return Finding("starter", False, "the starter pack is not here", hint, needed=False)
    library = PackLibrary()
    pack = library.find(str(starter_pack()))
    check_pack(pack, thorough=True)
    return Finding("starter", True, f"{pack.title}, {len(pack.references)} references")


def _packs() -> Finding:
    listing = PackLibrary().listing()
    broken = [entry for entry in listing if entry.error]
    detail = f"{len(listing) - len(broken)} whole" + "".join(f"; {entry.error}" for entry in broken)
    return Finding("packs", bool(listing) and not broken, detail, "See: partcraft packs check", needed=False)


def _models() -> Finding:
    answer = models_check(Namespace(model=None), "")
    lacking = [row["message"] for row in answer.document["models"] if not row["ok"]]
    detail = " ".join(lacking) or f"all {len(answer.document['models'])} that the packs need are here"
    return Finding("models", not lacking, detail, "See: partcraft models check", needed=False)


def _photo_eyes() -> Finding:
    from engine.models.dinov2_wheel import EYES
    from engine.models.hub import find_model_folder  # brings torch

    folder = find_model_folder(EYES)
    detail = f"{EYES} is in {folder}" if folder else f"{EYES} is not here, so only drawings can be seen well"
    return Finding("eyes for photographs", folder is not None, detail, "Run: partcraft eyes get", needed=False)


def _screen() -> Finding:
    has_screen = sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    detail = "there is one" if has_screen else "none: the window cannot open, the command line works"
    return Finding("screen", has_screen, detail, "Start PartCraft from a desktop.", needed=False)
