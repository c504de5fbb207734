"""Running one job with the table of handlers, and turning whatever happens into its one ending."""

from __future__ import annotations

import errno
import importlib
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from engine.core.errors import JobCancelled, UserError, kind_of
from engine.worker.jobs import Cancelled, Ending, Failed, Finished, Job, News, Report

Handler = Callable[[Any, Any, Report], Any]


class Handlers:
    """The table of handlers named by "module:NAME", and the models they share; imported when first needed.

    The module's ``open_models(spare_core)``, if it has one, gives the models; ``spare_core`` says to leave a core to a
    window that is open beside.
    """

    def __init__(self, spec: str, spare_core: bool = False) -> None:
        self._spec = spec
        self._spare_core = spare_core
        self._table: Mapping[type, Handler] | None = None
        self._models: Any = None

    def load(self) -> None:
        """Import the table and open the models once."""
        if self._table is None:
            module_name, _, name = self._spec.partition(":")
            module = importlib.import_module(module_name)
            open_models = getattr(module, "open_models", None)
            self._models = open_models(self._spare_core) if open_models else None
            self._table = getattr(module, name or "HANDLERS")

    def run(
        self, job: Job, send: Report, cancelled: threading.Event, begin: Callable[[], None] = lambda: None
    ) -> Ending:
        """Run one job; whatever its handler does, there is exactly one ending. ``begin`` is called when everything is
        loaded and the handler is about to start."""

        def report(news: News) -> None:
            if cancelled.is_set():
                raise JobCancelled
            send(news)

        try:
            self.load()
            assert self._table is not None
            if cancelled.is_set():
                return Cancelled()
            begin()
            handler = self._table.get(type(job))
            if handler is None:
                return Failed(f"This engine cannot {type(job).__name__.lower()} yet.", "Update PartCraft.")
            return Finished(handler(self._models, job, report))
        except JobCancelled:
            return Cancelled()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the last fence: every failure is told as an ending
            return failure_of(error)


def failure_of(error: BaseException) -> Failed:
    """Any exception as a sentence and a next step; the traceback goes to ``details`` unless it is a UserError."""
    kind = kind_of(error)
    if isinstance(error, UserError):
        return Failed(error.message, error.hint, kind=kind, model=error.model)
    details = "".join(traceback.format_exception(error))
    if kind == "memory":
        return Failed(
            "There is not enough memory for this.",
            "Make fewer or smaller pictures at once, or close other programs, then try again.",
            details,
            kind,
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failed("The disk is full.", "Make room on the disk, then try again.", details)
    if isinstance(error, ImportError):
        return Failed(
            f"The engine lacks something it needs: {error.name or error}.",
            "Install PartCraft again.",
            details,
        )
    return Failed(
        "Something went wrong in the engine.", "Try again; if it stays, report it with the details.", details, kind
    )
