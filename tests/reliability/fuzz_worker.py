"""One long-lived process of :mod:`tests.reliability.fuzz`: numbers in, a line of JSON out for each.

``python -m tests.reliability.fuzz_worker WORLD SEED [make]``. Trials run in this process, through the command line's
own ``main`` and the window's own classes, as if each were a program of its own: with a home, a folder, standard
output.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import io
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from engine.core.errors import UserError
from tests.reliability.inputs import Trial, World, make_trial, make_world

STACKS: Final = "stacks.txt"
"""Where a trial that hangs says where it is, in its own folder."""


def main(folder: Path, seed: int) -> None:
    """Run the trials whose numbers are read, until the input ends."""
    world = World(folder)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever native code prints is no answer
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    import torch

    for module in ("engine.handlers", "engine.collage.assemble", "tests.reliability.window_trial"):
        importlib.import_module(module)  # not while a trial runs
    torch.set_num_threads(1)
    print(json.dumps({"ready": os.getpid()}), file=answers, flush=True)
    before = _stamps(folder)
    for line in sys.stdin:
        place = folder.parent / f"trial {int(line)}"
        answer = _answer(world, place, int(line), seed)
        after = _stamps(folder)
        if changed := before.items() ^ after.items():
            answer["fault"] = f"{answer['fault']} changed {sorted({Path(path).name for path, _ in changed})}".strip()
            before = after
        shutil.rmtree(place, ignore_errors=True)
        print(json.dumps(answer), file=answers, flush=True)


def _answer(world: World, place: Path, number: int, seed: int) -> dict[str, Any]:
    trial = make_trial(world, place, number, seed)
    os.environ["PARTCRAFT_HOME"] = str(place / "home")
    os.chdir(place)
    held = _peak(anew=True)
    began = time.monotonic()
    with (place / STACKS).open("w") as stacks, _streams() as (out, err):
        faulthandler.register(signal.SIGUSR1, stacks)
        try:
            code = _run(trial)
        except BaseException:  # noqa: BLE001 - what comes out of the app is what is looked for
            code, _ = 99, traceback.print_exc()
        faulthandler.unregister(signal.SIGUSR1)
    seconds, peak = time.monotonic() - began, _peak()
    said = err()
    fault = ""
    if "Traceback (most recent call last)" in said:
        fault = "a traceback"
    elif code not in (0, 1, 2):
        fault = f"exit code {code}"
    elif code == 1 and trial.way == "cli" and not said.strip() and not out().strip():
        fault = "failed without a word"
    elif outside := [path.name for path in place.parent.iterdir() if path.name.startswith("outside")]:
        fault = f"wrote {outside} outside its folder"
    os.chdir(place.parent)
    return {
        "number": number, "kind": trial.kind, "way": trial.way, "words": trial.words, "code": code, "fault": fault,
        "seconds": seconds, "peak": peak, "rise": max(0, peak - held), "said": said[-6000:],
    }  # fmt: skip


def _run(trial: Trial) -> int:
    """The exit code of a trial."""
    if trial.way == "cli":
        from engine.__main__ import main as command_line

        return command_line([*trial.words, "--debug"])
    if trial.way == "window":
        from tests.reliability.window_trial import open_window

        open_window()
        return 0
    try:
        _open(Path(trial.words[0])) if trial.way == "open" else _survey(trial.words[0])
    except UserError as error:
        print(f"partcraft: {error.message}\n  {error.hint}", file=sys.stderr)
        return 1
    return 0


def _open(path: Path) -> None:
    """A picture as the window reads it: in full, its size, its thumbnail, its recipe, as a label map."""
    from engine.core.image_files import note_on, open_picture, picture_size, read_label_map
    from engine.core.png_metadata import read_creation
    from partcraft_desktop.widgets.images import read_levels
    from partcraft_desktop.widgets.thumbnails import _read_small

    wrong: list[UserError] = []
    readers = (lambda: note_on(open_picture(path)), lambda: read_levels(str(path)), lambda: _read_small(str(path), 64))
    for read in (*readers, lambda: read_creation(path), lambda: read_label_map(path)):
        try:
            read()
        except UserError as error:
            wrong.append(error)
    with contextlib.suppress(OSError, ValueError, SyntaxError):  # it raises as Pillow does, says its docstring
        picture_size(path)
    if wrong:
        raise wrong[0]


def _survey(folder: str) -> None:
    from engine.segmentation.image_folder import survey
    from engine.worker.jobs import Survey

    survey(None, Survey(folder), lambda news: None)


@contextlib.contextmanager
def _streams() -> Iterator[tuple[Any, Any]]:
    """Standard output and error as files; functions that read them."""
    kept = sys.stdout, sys.stderr
    buffers = io.BytesIO(), io.BytesIO()
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(buffer, "utf-8", "backslashreplace", write_through=True) for buffer in buffers
    )
    streams = sys.stdout, sys.stderr

    def reader(index: int) -> Any:
        return lambda: (streams[index].flush(), buffers[index].getvalue().decode("utf-8", "replace"))[1]

    try:
        yield reader(0), reader(1)
    finally:
        sys.stdout, sys.stderr = kept


def _peak(anew: bool = False) -> int:
    """The most memory this process has held, in bytes, since it was last measured ``anew`` (Linux; else 0)."""
    if not sys.platform.startswith("linux"):
        return 0
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """What a world is made of, to see that no trial changes it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): ((status := path.stat()).st_size, status.st_mtime_ns) for path in files}


if __name__ == "__main__":
    if sys.argv[3:] == ["make"]:
        make_world(Path(sys.argv[1]))
    else:
        main(Path(sys.argv[1]), int(sys.argv[2]))
