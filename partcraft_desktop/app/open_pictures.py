"""The pictures parts are taken from: the pack's references and a person's own pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from engine.core.errors import UserError
from engine.core.image_files import read_label_map
from engine.core.on_disk import is_file
from engine.core.png_metadata import read_creation
from engine.core.recipe import Creation
from engine.core.segmentation import Segmentation
from engine.packs.pack import Pack
from engine.worker.jobs import Cancelled, Failed, Finished, Job, News, Segment, Segmented
from partcraft_desktop.app.decoded_pictures import keep_decoded
from partcraft_desktop.app.history import UndoCommand
from partcraft_desktop.app.render_queue import title_of
from partcraft_desktop.app.state import OpenPicture
from partcraft_desktop.app.store import LatestRequest, Store
from partcraft_desktop.app.undo_control import GONE_HINT, UndoControl

OWN_LIMIT: Final = 12
"""How many of a person's own pictures stay on the wall."""

MOST_CLOSED: Final = 60
"""How many pictures that were taken off the wall are remembered."""


FoundPicture = tuple[str, Creation | None]
"""The path of a picture, and the creation that it is, if it is one."""

_LONGEST_TITLE: Final = 60


def find_again(paths: Iterable[str]) -> list[FoundPicture]:
    """Those of some paths that are still files. Reads them: not on the Qt thread."""
    return [(path, creation_in(path)) for path in paths if is_file(path)]


def creation_in(path: str) -> Creation | None:
    """The creation that a picture is, if it is one. Reads it: not on the Qt thread."""
    try:
        return read_creation(path)
    except UserError:  # most pictures are no creations
        return None


def title_of_file(path: str) -> str:
    """What a picture is called after its file: without its ending, not too long."""
    title = " ".join(Path(path).stem.split())
    return title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1].rstrip()}…"


def differ_in_pictures(pack: Pack, other: Pack) -> bool:
    """Whether two states of a pack differ, and in its reference pictures alone: it paints its own."""
    return pack != other and _but_pictures(pack) == _but_pictures(other)


def _but_pictures(pack: Pack) -> Pack:
    return replace(pack, references=(), blind=False)


class PictureClosing(UndoCommand):
    """A person's own picture that was taken off the wall."""

    def __init__(self, owner: OpenPictures, picture: OpenPicture) -> None:
        self._owner = owner
        self.label = f"take “{picture.title}” off the wall"
        # Its parts are found again when it comes back: a label map a step would be too much to keep.
        self.picture = replace(picture, segmentation=None)
        self.index = 0
        self.was_shown = False
        self.is_closed = False

    def redo(self) -> None:
        self._owner.take_off(self)

    def undo(self) -> None:
        self._owner.put_back(self)


class OpenPictures:
    """Opens pictures and takes them off the wall; ``state.reference`` and ``state.own`` are its own.

    ``submit`` hands a job to the engine; ``save_soon`` says that something is to be kept.
    """

    def __init__(
        self,
        store: Store,
        submit: Callable[[Job, Callable[[News], None]], object],
        save_soon: Callable[[], None],
        undo: UndoControl,
    ) -> None:
        self._store = store
        self._undo = undo
        self._submit = submit
        self._save_soon = save_soon
        self.requests = LatestRequest()
        self.closed: dict[str, float] = {}
        """Paths of pictures that were taken off the wall, and when, in seconds since 1970."""

    def bring_back(self, found: list[FoundPicture]) -> None:
        """Put pictures that were on the wall last time behind those that are there already."""
        before = self._store.state.own
        known_ids = {picture.id for picture in before}
        back = tuple(
            OpenPicture(path, self._title(path, creation), path) for path, creation in found if path not in known_ids
        )
        self._store.update_state(own=(*before, *back)[:OWN_LIMIT])

    def _title(self, path: str, creation: Creation | None = None) -> str:
        state = self._store.state
        creation = creation or next((one for one in state.creations if one.path == path), None)
        pack = next((pack for pack in state.packs if creation and pack.id == creation.recipe.pack), None)
        if creation is None:
            return title_of_file(path)
        return title_of(replace(creation.recipe, count=1), pack) if pack else "Creation"

    def open_first(self, id_or_path: str) -> None:
        """Open the picture with this id or path, or else the pack's first: what the app does by itself, so a picture
        that a person asks for meanwhile is shown instead."""
        pack = self._store.state.pack
        if pack is None:
            return
        if pack.reference(id_or_path) is not None or not id_or_path:
            self._show_reference(id_or_path)
            return
        still_wanted = self.requests.current()

        def is_unasked_for() -> bool:
            # A person's picture that was asked for before this may have landed meanwhile: it stays.
            return still_wanted() and self._store.state.reference is None

        def landed(is_there: bool) -> None:
            if is_unasked_for() and is_there:
                self.open_image(id_or_path, is_unasked_for)
            elif is_unasked_for():
                self._show_reference("")

        self._store.ask(lambda: is_file(id_or_path), landed, f"“{Path(id_or_path).name}” cannot be opened.")

    def show_repainted(self, pack: Pack) -> None:
        """Take in the pack on show with other reference pictures; one that is open and was painted is shown anew."""
        shown = self._store.state.reference
        self._store.update_state(pack=pack)
        reference = pack.reference(shown.id) if shown is not None else None
        if shown is not None and reference is not None and reference.image != shown.image:
            self._show_reference(reference.id)

    def open_reference(self, reference_id: str) -> None:
        """Show one of the pack's references; its parts come from the pack, without the engine."""
        pack = self._store.state.pack
        if pack is not None and pack.reference(reference_id) is not None:
            self.requests.begin()
            self._show_reference(reference_id)

    def _show_reference(self, reference_id: str) -> None:
        """Show a reference, the first one for an empty id."""
        pack = self._store.state.pack
        references = pack.references if pack else ()
        reference = next((candidate for candidate in references if reference_id in ("", candidate.id)), None)
        if pack is None or reference is None:
            return
        self._show(OpenPicture(reference.id, reference.title, reference.image, busy=True))
        self._store.ask(
            lambda: Segmentation(read_label_map(reference.labels), reference.codes),
            lambda segmentation: self._change(pack, reference.id, segmentation=segmentation, busy=False),
            f"The parts of “{reference.title}” cannot be read.",
            lambda message: self._change(pack, reference.id, busy=False, note=message.text),
        )

    def open_image(
        self,
        path: str | Path,
        still_wanted: Callable[[], bool] | None = None,
        is_creation: Callable[[Creation], None] = lambda _: None,
    ) -> None:
        """Open a person's own picture and find its parts. One that cannot be read changes nothing.

        ``still_wanted`` tells whether the request it belongs to is the newest, if it is not a new one: a picture that
        is no longer wanted in the middle comes to the wall only. ``is_creation`` is told of a creation that is opened.
        """
        is_wanted = still_wanted or self.requests.begin()
        image = str(Path(path).expanduser().absolute())
        pack = self._store.state.pack
        reference = next((r for r in pack.references if r.image == image), None) if pack else None
        if reference is None:

            def landed(creation: Creation | None) -> None:
                self._add_own(image, is_wanted(), title=self._title(image, creation))
                if creation is not None:
                    is_creation(creation)

            def read() -> Creation | None:
                keep_decoded(image)
                return creation_in(image)

            self._store.ask(read, landed, f"“{Path(image).name}” cannot be opened.")
        elif is_wanted():
            self._show_reference(reference.id)

    def close_image(self, path: str) -> None:
        """Take a person's own picture off the wall: one step of undo. The file stays where it is."""
        closed = next((picture for picture in self._store.state.own if picture.id == path), None)
        if closed is not None:
            self._undo.do(PictureClosing(self, closed))

    def take_off(self, closing: PictureClosing) -> None:
        """Take the picture of a closing off the wall."""
        before, path = self._store.state, closing.picture.id
        closing.is_closed = True
        closing.index = next((index for index, picture in enumerate(before.own) if picture.id == path), 0)
        closing.was_shown = before.reference is not None and before.reference.id == path
        self.closed = dict(sorted({**self.closed, path: time.time()}.items(), key=lambda item: -item[1])[:MOST_CLOSED])
        self._store.update_state(own=tuple(picture for picture in before.own if picture.id != path))
        if closing.was_shown:
            self.requests.begin()
            self._show_reference("")
        self._save_soon()
        self._undo.offer(closing, f"“{closing.picture.title}” was taken off the wall.")

    def put_back(self, closing: PictureClosing) -> None:
        """Put the picture of a closing back to its place, if its file is still there."""
        path = closing.picture.id
        closing.is_closed = False

        def landed(is_there: bool) -> None:
            if closing.is_closed:
                return
            if is_there:
                if closing.was_shown:
                    self.requests.begin()
                self._add_own(path, closing.was_shown, closing.index, closing.picture.title)
            else:
                self._undo.drop(closing)
                self.forget_closed([path])
                self._store.say(
                    f"The file of “{closing.picture.title}” is gone: it cannot come back.", GONE_HINT, "warning"
                )

        self._store.ask(lambda: is_file(path), landed, f"“{closing.picture.title}” cannot be opened.")

    def restore_closed(self, path: str) -> None:
        """Put a picture back on the wall, whatever took it off: a step that would do so has nothing left to do."""
        self._add_own(path, show=False)
        self._settle(path)

    def forget_closed(self, paths: Iterable[str]) -> None:
        """Offer no longer to bring back some pictures; their files stay."""
        gone = set(paths)
        self.closed = {path: when for path, when in self.closed.items() if path not in gone}
        for path in gone:
            self._settle(path)
        self._save_soon()

    def _settle(self, path: str) -> None:
        for command in self._undo.commands:
            if isinstance(command, PictureClosing) and command.is_closed and command.picture.id == path:
                self._undo.drop(command)

    def _add_own(self, image: str, show: bool, index: int = 0, title: str = "") -> None:
        """Put a picture on the wall and have its parts found, unless that is done; ``show`` it in the middle too."""
        self.closed.pop(image, None)
        own, pack = self._store.state.own, self._store.state.pack
        existing = next((picture for picture in own if picture.id == image), None)
        if existing is not None and (existing.segmentation is not None or existing.busy):
            if show:
                self._show(existing)
            return
        picture = OpenPicture(image, title or self._title(image), image, busy=pack is not None)
        if pack is None:
            picture = replace(picture, note="Open a pack to find the parts of this picture.")
        again = tuple(picture if other.id == image else other for other in own)
        self._store.update_state(own=again if existing else (*own[:index], picture, *own[index:])[:OWN_LIMIT])
        if show:
            self._show(picture)
        self._save_soon()
        if pack is not None:
            self._submit(Segment(str(pack.path), image), lambda news: self._segmenting(pack, image, news))

    def show_parts_anyway(self, path: str) -> None:
        """Have the parts found of a picture that the pack's eyes cannot see well."""
        pack = self._store.state.pack
        picture = next((picture for picture in self._store.state.own if picture.id == path), None)
        if pack is None or picture is None or picture.busy:
            return
        self._change(pack, path, busy=True, unseen=False, note="")
        self._submit(Segment(str(pack.path), path, anyway=True), lambda news: self._segmenting(pack, path, news))

    def _show(self, picture: OpenPicture) -> None:
        self._store.update_state(reference=picture)
        self._save_soon()

    def _segmenting(self, pack: Pack, image: str, news: News) -> None:
        if not self._is_on_show(pack):
            return  # What another pack's eyes saw, or could not see because it was removed, is of no use now.
        match news:
            case Finished(result=Segmented() as result):
                changes = {"segmentation": result.segmentation, "note": result.note, "unseen": result.unseen}
                self._change(pack, image, **changes, busy=False)
            case Failed():
                # Said once, below the picture; the strip has the rest for a report, if there is more.
                self._change(pack, image, busy=False, note=f"{news.message} {news.hint}".strip())
                if news.details or news.model:
                    self._store.message.emit(self._store.message_of(news))
            case Finished() | Cancelled():
                self._change(pack, image, busy=False)
            case _:
                pass

    def _change(self, pack: Pack, picture_id: str, **changes: Any) -> None:
        """Change a picture where it is shown, on the wall and in the middle: if it still is, and with that pack."""
        state = self._store.state
        if not self._is_on_show(pack):
            return
        own = tuple(replace(p, **changes) if p.id == picture_id else p for p in state.own)
        reference = state.reference
        if reference is not None and reference.id == picture_id:
            reference = replace(reference, **changes)
        self._store.update_state(own=own, reference=reference)

    def _is_on_show(self, pack: Pack) -> bool:
        shown_pack = self._store.state.pack
        # By value: a pack that was written anew has other parts, but for its pictures.
        return shown_pack is not None and _but_pictures(shown_pack) == _but_pictures(pack)
