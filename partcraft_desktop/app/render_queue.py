"""The queue of renders: what waits, in which order, what comes next when one ends, and what is kept for the next start.

The window's own: one render at a time goes to the engine, so that what waits can be moved, taken off and kept.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from engine.core.recipe import Recipe
from engine.packs.pack import Pack
from partcraft_desktop.app.history import UndoCommand
from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.recipe_edits import code_name
from partcraft_desktop.app.render_control import RenderControl, RenderEnd
from partcraft_desktop.app.state import QueuedRender, RenderStatus
from partcraft_desktop.app.store import Store
from partcraft_desktop.app.undo_control import GONE_HINT, UndoControl

GO_ON_HINT = "The others are rendered all the same."


class QueueClearing(UndoCommand):
    """Renders that were taken off the queue, each with the place it had. ``tell``: with a sentence that offers to undo
    it."""

    def __init__(self, owner: RenderQueue, taken: Sequence[tuple[int, QueuedRender]], tell: bool) -> None:
        self._owner = owner
        self.tell = tell
        self.take(taken)

    def take(self, taken: Sequence[tuple[int, QueuedRender]]) -> None:
        """Say which they are: when it is done again, some may have been rendered meanwhile."""
        self.taken = tuple(taken)
        count = len(self.taken)
        self.label = f"take {self.taken[0][1].title if count == 1 else f'{count} renders'} off the queue"

    def redo(self) -> None:
        self._owner.take_off(self)

    def undo(self) -> None:
        self._owner.put_back(self)


class RenderQueue:
    """Owns ``state.queue``, and ``state.render`` coming and going. ``out`` says where creations are kept; ``save_soon``
    is told when there is something else to keep."""

    def __init__(
        self,
        store: Store,
        control: RenderControl,
        out: Callable[[], Path],
        save_soon: Callable[[], None],
        undo: UndoControl,
    ) -> None:
        self._store = store
        self._undo = undo
        self._control = control
        self._out = out
        self._save_soon = save_soon
        self._ids = itertools.count(1)
        self._failures = 0
        """Renders that failed since the queue last came to rest."""

    # What a person does

    def add(self, pack: Pack, recipe: Recipe) -> None:
        """Render a recipe when its turn comes: at once if nothing else is rendered."""
        self._go_on_with((*self._store.state.queue, self._item(pack, recipe)))

    def add_all(self, pack: Pack, recipes: Iterable[Recipe]) -> None:
        """Render several recipes one after another, behind what waits already."""
        self._go_on_with((*self._store.state.queue, *(self._item(pack, recipe) for recipe in recipes)))

    def cancel(self, id: int) -> None:
        """Take a render off the queue, or stop it if it is the running one."""
        render = self._store.state.render
        if render is not None and render.item is not None and render.item.id == id:
            self._control.cancel()
        else:
            self._take(lambda item: item.id == id)

    def cancel_all(self) -> None:
        """Stop the running render and take all others off the queue; they can be brought back."""
        self._take(lambda _: True, tell=True)
        self._control.cancel()

    def clear_held(self) -> None:
        """Take off what waits for "Go on"; it can be brought back."""
        self._take(lambda item: item.held, tell=True)

    def go_on(self) -> None:
        """Render what waited for this."""
        self._go_on_with(tuple(replace(item, held=False) for item in self._store.state.queue))

    def retry(self, id: int) -> None:
        """Render once more what failed."""
        self._go_on_with(tuple(replace(q, failed="") if q.id == id else q for q in self._store.state.queue))

    def move(self, id: int, index: int) -> None:
        """Put a waiting render at another place of the queue, 0 for the first."""
        queue = self._store.state.queue
        moved = next((item for item in queue if item.id == id), None)
        if moved is not None:
            others = [item for item in queue if item is not moved]
            others.insert(min(max(index, 0), len(others)), moved)
            if tuple(others) != queue:
                self._put(tuple(others))

    # Kept from one start to the next

    def kept(self) -> tuple[Recipe, ...]:
        """What is not rendered yet, the running one first, without its pictures that are whole."""
        render = self._store.state.render
        recipes = [item.recipe for item in self._store.state.queue]
        if render is not None and render.item is not None and not render.cancelling:
            recipes = [*_rest(render.item.recipe, render.whole), *recipes]
        return tuple(recipes)

    def bring_back(self, recipes: Sequence[Recipe], packs: Iterable[Pack]) -> None:
        """Show what waited when the app ended; nothing is rendered until a person says so. What was meant for packs
        that are gone is dropped, with one sentence."""
        by_id = {pack.id: pack for pack in packs}
        items = [replace(self._item(by_id[r.pack], r), held=True) for r in recipes if r.pack in by_id]
        gone = [recipe.pack for recipe in recipes if recipe.pack not in by_id]
        if items:
            self._store.update_state(queue=(*items, *self._store.state.queue))
        if gone:
            number = "A render that waited was" if len(gone) == 1 else f"{len(gone)} renders that waited were"
            names = " and ".join(f"“{name}”" for name in dict.fromkeys(gone))
            self._store.say(f"{number} taken off the queue: the pack {names} is not here.", "", "warning")

    # How it goes on

    def _item(self, pack: Pack, recipe: Recipe) -> QueuedRender:
        return QueuedRender(next(self._ids), recipe, pack.id, title_of(recipe, pack))

    def _put(self, queue: tuple[QueuedRender, ...]) -> None:
        self._store.update_state(queue=queue)
        self._save_soon()

    def _take(self, which: Callable[[QueuedRender], bool], tell: bool = False) -> None:
        taken = self._places(which)
        if taken:
            self._undo.do(QueueClearing(self, taken, tell))

    def _places(self, which: Callable[[QueuedRender], bool]) -> list[tuple[int, QueuedRender]]:
        return [(index, item) for index, item in enumerate(self._store.state.queue) if which(item)]

    def take_off(self, clearing: QueueClearing) -> None:
        """Take the renders of a clearing off the queue, those that still wait."""
        ids = {item.id for _, item in clearing.taken}
        taken = self._places(lambda item: item.id in ids)
        if not taken:
            self._undo.drop(clearing)
            self._store.say("Nothing of that waits any more.", GONE_HINT)
            return
        clearing.take(taken)
        self._put(tuple(item for item in self._store.state.queue if item.id not in ids))
        if clearing.tell:
            number = "One render was" if len(taken) == 1 else f"{len(taken)} renders were"
            self._undo.offer(clearing, f"{number} taken off the queue.")

    def put_back(self, clearing: QueueClearing) -> None:
        """Put the renders of a clearing back to their places; they are rendered when their turn comes."""
        queue = list(self._store.state.queue)
        for index, item in clearing.taken:
            queue.insert(index, item)
        self._go_on_with(tuple(queue))

    def _go_on_with(self, queue: tuple[QueuedRender, ...]) -> None:
        if self._store.state.render is None:
            self._begin(queue)
        else:
            self._put(queue)

    def _begin(self, queue: tuple[QueuedRender, ...]) -> None:
        """Keep a queue and begin with its first that waits, in the place of the running render. One change of the
        state, so that nobody sees the queue at rest between two renders."""
        packs = {pack.id: pack for pack in self._store.state.packs}
        lost = [item for item in queue if item.waits and item.pack not in packs]
        queue = tuple(replace(q, failed=f"The pack “{q.pack}” is not here.") if q in lost else q for q in queue)
        item = next((item for item in queue if item.waits), None)
        queue = tuple(other for other in queue if other is not item)
        render = None
        if item is not None:
            render = RenderStatus(started=time.monotonic(), count=item.recipe.count, item=item)
        else:
            self._failures = 0
        self._store.update_state(render=render, queue=queue)
        self._save_soon()
        if lost:
            self._store.say(f"The pack “{lost[0].pack}” is not here.", "Import it, then try again.", "warning")
        if item is not None:
            self._control.render(packs[item.pack], item.recipe, self._out(), self._ended)

    def _ended(self, end: RenderEnd) -> None:
        render, queue = self._store.state.render, self._store.state.queue
        message = end.message
        if end.outcome == "unusable" and queue:
            # It would be the same for all of them: they wait until there is a folder.
            items = (*self._unfinished(render), *queue)
            queue = tuple(replace(item, held=True) if item.waits else item for item in items)
        elif end.outcome == "failed" and message is not None:
            self._failures += 1
            goes_on = any(item.waits for item in queue)
            if queue:  # alone, it is one press of Render away
                queue = (*(replace(item, failed=message.text) for item in self._unfinished(render)), *queue)
            message = self._failure(message, goes_on)
        self._begin(queue)
        if message is not None:
            self._store.message.emit(message)

    def _unfinished(self, render: RenderStatus | None) -> list[QueuedRender]:
        """What a render that ended early has left to do, as one that can wait again."""
        if render is None or render.item is None:
            return []
        item = render.item
        pack = next((pack for pack in self._store.state.packs if pack.id == item.pack), None)
        return [
            replace(item, recipe=recipe, title=title_of(recipe, pack) if pack is not None else item.title)
            for recipe in _rest(item.recipe, render.whole)
        ]

    def _failure(self, message: Message, goes_on: bool) -> Message | None:
        """What is said of a failure: the first is told with its hint, further ones once all is over."""
        if self._failures == 1:
            return replace(message, hint=f"{message.hint} {GO_ON_HINT}".strip()) if goes_on else message
        if goes_on:
            return None
        return replace(message, text=f"{self._failures} renders failed. {message.text}")


def title_of(recipe: Recipe, pack: Pack) -> str:
    """A render in a few words: "head Cardinal, wing Toucan", or what its prompt says; "head anew: ..." where a part is
    rendered into what is there."""
    words = pack.vocabulary
    names: list[str] = []
    for choice in recipe.choices:
        if 0 <= choice.part < len(words.parts):
            names.append(f"{words.parts[choice.part].name} {code_name(pack, choice.part, choice.code)}")
    start = recipe.start
    anew = [words.parts[part].name for part in (start.only if start else ()) if part < len(words.parts)]
    text = ", ".join(names) or " ".join("".join(p for p in recipe.prompt if isinstance(p, str)).split())
    if anew:
        text = f"{' and '.join(anew)} anew: {text or words.noun}"
    return f"{text or words.noun} × {recipe.count}" if recipe.count > 1 else text or words.noun


def _rest(recipe: Recipe, whole: int) -> list[Recipe]:
    """The pictures of a recipe that are not whole yet, as a recipe; empty if all are."""
    left = recipe.count - whole
    return [replace(recipe, seed=(recipe.seed + whole) % 2**63, count=left)] if left > 0 else []
