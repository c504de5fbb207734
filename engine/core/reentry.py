"""How this program starts itself again: as the host of the engine's handlers, or as a training's own process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from engine.core.paths import data_dir, make_home, package_root

_FOLDERS: Final = {"PARTCRAFT_HOME", "HF_HOME", "HF_HUB_CACHE", "SSL_CERT_FILE", "TMPDIR"}


def own_command(*arguments: str, module: str = "engine") -> list[str]:
    """The command that starts this program with other words; a frozen program is its own interpreter.

    ``-P`` keeps the folder it is started in off the path of modules, so that no ``torch.py`` or ``engine/`` that lies
    there is taken for ours.
    """
    if getattr(sys, "frozen", False):
        return [sys.executable, *arguments]
    return [sys.executable, "-P", "-m", module, *arguments]


def own_environment() -> dict[str, str]:
    """The environment of :func:`own_command`. A checkout that is not installed is found again from any folder; entries
    of ``PYTHONPATH`` that mean the working folder, or a folder below it, are left out."""
    environment = dict(os.environ, PYTHONUNBUFFERED="1")
    for name in _FOLDERS & environment.keys():  # what is relative is meant from the folder that we were started in
        environment[name] = str(Path(environment[name]).expanduser().absolute())
    if not getattr(sys, "frozen", False):
        python_path = environment.get("PYTHONPATH", "").split(os.pathsep)
        absolute = [folder for folder in python_path if Path(folder).is_absolute()]
        environment["PYTHONPATH"] = os.pathsep.join([str(package_root()), *absolute])
    return environment


def neutral_folder() -> Path:
    """A folder to work in that is nobody's: the app's own, made if need be, else the root of the file system."""
    folder = data_dir()
    try:
        make_home()
    except OSError:
        return Path(folder.anchor or os.sep)
    return folder
