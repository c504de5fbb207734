"""Out of the window: the creature, its layers and creations, saved as files and made ready to be copied or carried."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from engine.collage.creature_name import creature_name
from engine.collage.layers import Collage
from engine.core.paths import free_folder, slug
from engine.core.recipe import Creation
from engine.packs.archive import write_archive
from engine.packs.pack import Pack
from engine.worker.jobs import Cancelled, ExportPack, Failed, Finished, Job, News, Progress, Segment, Segmented
from partcraft_desktop.app import layer_files
from partcraft_desktop.app.layer_files import SaveKind
from partcraft_desktop.app.messages import Action
from partcraft_desktop.app.store import Store

Make = Callable[[], Collage]
"""Makes a collage, on any thread but Qt's."""


class SaveControl(QObject):
    """Saves pictures, one file after another; ``state.saving`` has the names of those on their way.
    ``folder_wanted(path)`` asks to show a folder."""

    folder_wanted = Signal(object)

    def __init__(
        self,
        store: Store,
        home: Path,
        creature: Callable[[], Make | None],
        submit: Callable[[Job, Callable[[News], None]], int | None],
    ) -> None:
        """``creature()`` gives what makes the collage of the recipe as it is now, or None where nothing is chosen."""
        super().__init__(store)
        self._store = store
        self._home = home
        self._creature = creature
        self._submit = submit

    def begin(self) -> None:
        """Remove what earlier starts carried out of the window."""
        self._store.ask(
            lambda: layer_files.sweep_dragged(self._home), lambda _: None, "Old files could not be removed."
        )

    # Names

    def creature_name(self) -> str:
        """What a file of the creature may be called, without a suffix."""
        state = self._store.state
        return creature_name(state.recipe.choices, state.pack.vocabulary) if state.pack else "creature"

    def creation_name(self, creation: Creation) -> str:
        """What a file of a creation may be called, without a suffix."""
        pack = self._pack_of(creation)
        return creature_name(creation.recipe.choices, pack.vocabulary) if pack else Path(creation.path).stem

    def _pack_of(self, creation: Creation) -> Pack | None:
        return next((pack for pack in self._store.state.packs if pack.id == creation.recipe.pack), None)

    # Saving

    def save_creature(self, path: Path, chosen: SaveKind) -> None:
        """Save the creature as it is arranged now, at its sources' full resolution."""
        make = self._creature()
        if make is None:
            self._store.say("There is no creature to save yet.", "Choose a part of a picture.", "warning")
            return
        kind = layer_files.kind_of(path, chosen)
        state = self._store.state
        if kind.is_workflow and state.pack is not None:
            recipe, pack = state.recipe, state.pack
            self.write(path, lambda: layer_files.save_workflow(recipe, pack, path, kind, make))
            return

        def save() -> str:
            collage = make()
            layer_files.save_collage(collage, path, kind.with_ground)
            return " ".join(missing.message for missing in collage.missing)

        self.write(path, save)

    def save_part(self, make: Make, path: Path) -> None:
        """Save one layer, or any collage, as a PNG without what is not in it."""
        self.write(path, lambda: layer_files.save_collage(make(), path))

    def save_creation(self, creation: Creation, path: Path, chosen: SaveKind) -> None:
        """Save a creation: as it is, or in layers, for which the engine looks for its parts first."""
        kind = layer_files.kind_of(path, chosen)
        pack = self._pack_of(creation)
        if kind.is_workflow and pack is not None:
            of = pack
            self.write(path, lambda: layer_files.save_workflow(creation.recipe, of, path, kind, None))
            return
        if not kind.in_layers and not kind.is_workflow:
            self.write(path, lambda: layer_files.save_creation(creation, path, kind, None, None))
            return
        if pack is None:
            self._store.say(
                "The pack of this picture is not here, so its parts are not known.",
                "Get the pack again, or save it as PNG with its ground.",
                "error",
            )
            return
        vocabulary = pack.vocabulary
        self._begin(path)

        def hear(news: News) -> None:
            if isinstance(news, Finished):
                found: Segmented = news.result

                def save() -> None:
                    layer_files.save_creation(creation, path, kind, found.segmentation, vocabulary)

                self._end(path)
                self.write(path, save, found.note)
            elif isinstance(news, Failed):
                self._end(path)
                self._store.say(news.message, news.hint, "error", details=news.details)
            elif isinstance(news, Cancelled):
                self._end(path)

        if self._submit(Segment(str(pack.path), creation.path), hear) is None:
            self._end(path)

    def export_pack(self, pack: Pack, parent: Path) -> None:
        """Have the engine write a pack for other programs, into a new folder of its name in ``parent``."""
        name = f"{slug(pack.title, 'pack', lower=False)} for other programs"

        def export(folder: Path) -> None:
            self._begin(folder)
            shown = folder.name

            def hear(news: News) -> None:
                nonlocal shown
                if isinstance(news, Progress) and news.total:
                    told = f"{folder.name}, {news.done} of {news.total}"
                    self._rename(shown, told)
                    shown = told
                elif isinstance(news, Finished):
                    self._rename(shown)
                    show = Action("Show folder", lambda: self.folder_wanted.emit(folder))
                    told = f"“{pack.title}” is written for other programs: {len(news.result)} files."
                    self._store.say(told, "README.md says where each belongs.", action=show)
                elif isinstance(news, Failed):
                    self._rename(shown)
                    self._store.message.emit(self._store.message_of(news))
                elif isinstance(news, Cancelled):
                    self._rename(shown)

            if self._submit(ExportPack(str(pack.path), str(folder)), hear) is None:
                self._rename(shown)

        self._store.ask(lambda: free_folder(parent, name), export, f"Nothing can be written into {parent}.")

    def archive_pack(self, pack: Pack, path: Path) -> None:
        """Save a pack as a .partpack, to be imported elsewhere."""
        path = path if path.suffix == ".partpack" else path.with_name(f"{path.name}.partpack")

        def archive() -> None:
            write_archive(pack, path)

        self.write(path, archive)

    def write(self, path: Path, work: Callable[[], str | None], note: str = "") -> None:
        """Have a file written by ``work`` on a thread, which may return a sentence on what is missing in it; say when
        it is there, or why not."""
        self._begin(path)

        def saved(missing: str | None) -> None:
            self._end(path)
            show = Action("Show in folder", lambda: self.folder_wanted.emit(path.parent))
            self._store.say(f"Saved as “{path.name}”.", " ".join(filter(None, (missing, note))), action=show)

        self._store.ask(work, saved, f"“{path.name}” could not be saved.", lambda _: self._end(path), must_finish=True)

    def _begin(self, path: Path) -> None:
        self._store.update_state(saving=(*self._store.state.saving, path.name))

    def _end(self, path: Path) -> None:
        self._rename(path.name)

    def _rename(self, name: str, other: str = "") -> None:
        """Call a file on its way something else, or nothing any more."""
        names = list(self._store.state.saving)
        at = names.index(name)
        names[at : at + 1] = [other] if other else []
        self._store.update_state(saving=tuple(names))

    # What is copied or carried

    def creature_maker(self, ground: bool = True) -> Make | None:
        """What makes the creature as it is now, for a thread; None where there is none."""
        make = self._creature()
        if make is None or ground:
            return make
        return lambda: layer_files.without_ground(make())

    def write_dragged(self, name: str, make: Make, then: Callable[[Path | None], None]) -> None:
        """Write a picture as a PNG of its own for a drag or the clipboard; ``then(path)``, or None where it failed."""
        self._store.ask(
            lambda: layer_files.write_dragged(self._home, name, make()),
            then,
            "The picture could not be made ready.",
            lambda _: then(None),
        )

    def pictures(self, makes: tuple[Make, ...], longest: int, then: Callable[[list[Any]], None]) -> None:
        """The pictures of some collages, uint8 (H, W, 4) each, at most ``longest`` pixels a side."""
        self._store.ask(
            lambda: [layer_files.picture_of(make(), longest) for make in makes], then, "The layers cannot be shown."
        )
