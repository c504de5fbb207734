"""What was dropped, named when starting, or handed over by a second copy: each thing goes where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.recipe import Creation
from engine.hub.dropped import Dropped, look_at_dropped
from engine.hub.pack_needs import terms_of
from engine.packs.about import AboutPack, about_pack
from partcraft_desktop.app.add_on_control import SUFFIX, AddOnControl
from partcraft_desktop.app.messages import Action
from partcraft_desktop.app.open_pictures import OpenPictures
from partcraft_desktop.app.store import Store

if TYPE_CHECKING:
    from partcraft_desktop.app.learning.controller import LearningController


@dataclass(frozen=True)
class OfferedPack:
    """A pack that is not installed yet, and what to know of it, as names and values."""

    about: AboutPack
    terms: tuple[tuple[str, str], ...]


class DroppedPaths:
    """Opens paths of any kind. ``store.pack_offered``, ``checkpoint_offered`` and ``model_wanted`` ask the window."""

    def __init__(
        self,
        store: Store,
        pictures: OpenPictures,
        learning: Callable[[], LearningController],
        add_ons: AddOnControl,
        use_recipe: Callable[[Creation], None],
    ) -> None:
        self._store = store
        self._pictures = pictures
        self._learning = learning
        self._add_ons = add_ons
        self._use_recipe = use_recipe

    def open(self, paths: Sequence[str | Path]) -> None:
        """Open several: a folder of pictures, a picture, a creation (its recipe is offered), a pack, a checkpoint of
        the original PartCraft, a model's folder, a LoRA or embedding."""
        files = [Path(path) for path in paths]
        still_wanted = self._pictures.requests.begin()

        def landed(dropped: list[Dropped]) -> None:
            for one in dropped:
                self._open(one, still_wanted)

        if files:
            self._store.ask(
                lambda: [look_at_dropped(file) for file in files], landed, f"“{files[0].name}” cannot be opened."
            )

    def offer_pack(self, path: str | Path) -> None:
        """Say what is in a pack's file or folder, and ask whether to add it."""
        file = Path(path)

        def look() -> OfferedPack:
            about = about_pack(file)
            return OfferedPack(about, terms_of(about))

        self._store.ask(look, self._store.pack_offered.emit, f"“{file.name}” cannot be opened.")

    def _open(self, dropped: Dropped, still_wanted: Callable[[], bool]) -> None:
        if dropped.kind == "folder":
            self._learning().open_folder(dropped.path)
            return
        if still_wanted():
            self._learning().hide()  # what is opened is shown where it is mixed
        if dropped.kind == "pack":
            self.offer_pack(dropped.path)
        elif dropped.kind == "checkpoint":
            self._store.checkpoint_offered.emit(dropped)
        elif dropped.kind == "model":
            self._store.model_wanted.emit(str(dropped.path))
        elif dropped.path.suffix.lower() == SUFFIX:
            self._add_ons.add([dropped.path])
        else:
            self._pictures.open_image(dropped.path, still_wanted, self._offer_recipe)

    def _offer_recipe(self, creation: Creation) -> None:
        action = Action("Use this recipe", lambda: self._use_recipe(creation))
        self._store.say("This picture remembers its recipe.", action=action)
