"""The check: the engine looks at the collage and says which parts it shows, and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject

from engine.core.recipe import Receipt
from engine.worker.collage_jobs import Examine, Examined
from engine.worker.jobs import Cancelled, Failed, Finished, Job, News, Progress
from partcraft_desktop.app.state import CollageCheck
from partcraft_desktop.app.store import Store

MOST: Final = 16
"""So many receipts of collages are remembered."""

Contents = tuple[object, ...]


class CheckControl(QObject):
    """Owns ``state.check``. ``contents()`` says what is seen of the recipe's collage, None where there is none; equal
    ones are the same picture, so that one which comes back (undo, a part that was only tried) has its receipt still."""

    def __init__(
        self,
        store: Store,
        contents: Callable[[], Contents | None],
        submit: Callable[[Job, Callable[[News], None]], int | None],
        cancel: Callable[[int], None],
    ) -> None:
        super().__init__(store)
        self._store = store
        self._contents = contents
        self._submit = submit
        self._cancel = cancel
        self._of: Contents | None = None  # the collage that state.check is about
        self._job: int | None = None
        self._receipts: list[tuple[Contents, Receipt]] = []
        store.changed.connect(self._refresh)

    def start(self) -> None:
        """Have the collage looked at, unless that is done or under way."""
        state, contents = self._store.state, self._contents()
        if state.pack is None or contents is None or state.check is not None:
            return
        self._of = contents
        self._store.update_state(check=CollageCheck())
        self._job = self._submit(Examine(str(state.pack.path), state.recipe), lambda news: self._take(contents, news))

    def _refresh(self) -> None:
        if self._of is None and not self._receipts:
            return
        contents = self._contents()
        if contents == self._of:
            return
        if self._job is not None:
            self._cancel(self._job)
        self._job = None
        known = next((receipt for seen, receipt in self._receipts if seen == contents), None)
        self._of = contents if known is not None else None
        check = None if known is None else CollageCheck(known, done=True)
        if check != self._store.state.check:
            self._store.update_state(check=check)

    def _take(self, contents: Contents, news: News) -> None:
        if contents is not self._of:
            return  # it was of another collage
        match news:
            case Progress():
                self._store.update_state(check=CollageCheck(looks=True))
            case Finished(Examined() as examined) if examined.receipt:
                self._job = None
                self._receipts = [(contents, examined.receipt), *self._receipts][:MOST]
                self._store.update_state(check=CollageCheck(examined.receipt, done=True))
            case Finished():
                self._end()
                eyes = self._store.state.pack.backbone.id if self._store.state.pack is not None else ""
                self._store.say(
                    "The collage cannot be checked: the eyes of this pack are not on this computer.",
                    f"They are {eyes}." if eyes else "",
                    "warning",
                    self._store.way_to(eyes),
                )
            case Failed():
                self._end()
                self._store.message.emit(self._store.message_of(news))
            case Cancelled():
                self._end()
            case _:
                pass

    def _end(self) -> None:
        self._of = self._job = None
        self._store.update_state(check=None)
