"""Fetching on a terminal: what it takes, the question, how far it is."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from engine.core.byte_sizes import byte_size
from engine.core.durations import duration
from engine.hub.catalogue import catalogue_model

if TYPE_CHECKING:
    from engine.hub.fetch import Fetching, Offer


def terms(asked: Offer) -> str:
    """What a person agrees to: size, licence, folder, and the room that is left."""
    known = catalogue_model(asked.repository.id)
    lines = [f"{known.title if known else asked.repository.id}: {byte_size(asked.size)}"]
    if asked.here:
        lines[0] += f", of which {byte_size(asked.here)} are here"
    lines.append(f"  licence: {asked.repository.license or 'none is named'}; revision {asked.repository.revision[:12]}")
    lines.append(f"  goes to {asked.folder}, where {byte_size(asked.free)} are free")
    return "\n".join(lines)


def agreed(question: str = "Fetch it?") -> bool:
    """Ask on the terminal; whether the answer was yes."""
    print(f"{question} [Y/n] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")


def fetch_offered(asked: Offer) -> Path:
    """Fetch what was offered, and show how far it is; the model's folder. Raises :class:`UserError`."""
    from engine.hub.fetch import fetch
    from engine.hub.records import unfinished_in

    printer = FetchPrinter()
    try:
        return fetch(asked, printer)
    except KeyboardInterrupt:
        printer.close()
        half = unfinished_in(asked.folder)
        kept = "What was fetched is kept: the same command goes on from there."
        print(f"Stopped. {kept if half and half.here else 'Nothing was fetched yet.'}", file=sys.stderr)
        raise
    finally:
        printer.close()


@dataclass
class FetchPrinter:
    """How far a fetch is, on stderr: one line that changes on a terminal, a line a tenth elsewhere."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    _tenth: int = -1
    _open: bool = False

    def __call__(self, far: Fetching) -> None:
        """Show how far it is."""
        text = f"{byte_size(far.done)} of {byte_size(far.total)}"
        if far.resting:
            text += ", waiting for the hub"
        elif far.speed:
            text += f", {byte_size(far.speed)}/s"
        if not far.resting and far.left is not None and far.done < far.total:
            text += f", {duration(far.left)} left"
        if self.stream.isatty():
            self.stream.write(f"\r\x1b[K{text}  {far.file}")
            self.stream.flush()
            self._open = True
        elif (tenth := 10 * far.done // max(1, far.total)) != self._tenth:
            self._tenth = tenth
            print(text, file=self.stream, flush=True)

    def close(self) -> None:
        """Leave the changing line behind."""
        if self._open:
            print(file=self.stream, flush=True)
            self._open = False
