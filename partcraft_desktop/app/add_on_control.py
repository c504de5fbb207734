"""Add-ons: LoRAs and embeddings of others beside the pack, put into the recipe, weighed, found again, taken off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from engine.core.add_on import EMBEDDING, FEW_STEPS, LORA, AddOn, bounded, is_few_step, with_add_on
from engine.core.add_on_file import look_at_add_on, require_fit
from engine.core.add_on_places import add_on_of, find_add_on, missing_add_on
from engine.core.errors import UserError
from engine.core.recipe import Recipe
from partcraft_desktop.app.state import AddOnFault
from partcraft_desktop.app.store import LatestRequest, Store

SUFFIX: Final = ".safetensors"


class AddOnControl:
    """Changes the add-ons that ``state.recipe`` keeps; ``change(recipe, gesture, label)`` makes it a step of undo. What
    is wrong with one is looked for off the Qt thread whenever others are shown (``state.add_on_faults``)."""

    def __init__(self, store: Store, change: Callable[[Recipe, str, str], None]) -> None:
        self._store = store
        self._change = change
        self._looked: tuple[tuple[AddOn, ...], tuple[int, ...]] = ((), ())
        self._requests = LatestRequest()
        store.changed.connect(self._look)

    def add(self, paths: Sequence[str | Path]) -> None:
        """Take files into the recipe, at full weight. One that cannot be used is told, and changes nothing."""
        files, widths = [Path(path) for path in paths], self._widths()
        if self._store.state.pack is None:
            self._store.say("There is no pack to add this to.", "Open a pack first.", "warning")
            return

        def added(found: list[AddOn]) -> None:
            recipe = self._store.state.recipe
            others = [one for one in recipe.add_ons if one.sha256 not in [add_on.sha256 for add_on in found]]
            for add_on in found:
                recipe = replace(recipe, add_ons=with_add_on(recipe.add_ons, add_on))
            if few := [add_on for add_on in found if add_on.kind == LORA and is_few_step(Path(add_on.path))]:
                recipe = replace(recipe, steps=FEW_STEPS, guidance=1.0)
            self._change(recipe, "", f"add {found[0].word}" if len(found) == 1 else f"add {len(found)} add-ons")
            replaced = [one for one in others if one not in recipe.add_ons]
            spoken = [add_on for add_on in found if add_on.kind == EMBEDDING]
            if few:
                told = f"With “{few[0].word}” {FEW_STEPS} steps are enough, without guidance: both are set so."
                self._store.say(told, "They are under More; undo brings back what was there.")
            elif replaced:
                self._store.say(f"“{replaced[0].word}” takes the place of another file of that name.")
            elif spoken:
                words = " and ".join(f"“{add_on.word}”" for add_on in spoken)
                self._store.say(f"Write {words} where it is meant, in the prompt or under Without.", _UNSAID)

        if files:
            self._store.ask(lambda: [_usable(file, widths) for file in files], added, "The file cannot be read.")

    def set_weight(self, add_on: AddOn, weight: float, gesture: str = "") -> None:
        """How strongly an add-on is meant: moved into -2..2. One gesture is one step of undo."""
        changed = replace(add_on, weight=round(bounded(weight), 2))
        self._put(add_on, (changed,), gesture or f"add-on {add_on.word}", f"weight of {add_on.word}")

    def remove(self, add_on: AddOn) -> None:
        """Take an add-on off the recipe. The file stays as it is."""
        self._put(add_on, (), "", f"take off {add_on.word}")

    def find(self, add_on: AddOn, path: str | Path) -> None:
        """Say where the file of an add-on is; another file takes its place, and that is said."""
        widths = self._widths()

        def found(new: AddOn) -> None:
            is_it = new.sha256 == add_on.sha256 or not add_on.sha256
            self._looked = ((), ())
            self._put(add_on, (replace(new, weight=add_on.weight),), "", f"find {add_on.word}")
            if not is_it:
                told = f"“{new.name}” is another file than this recipe was made with; it is used instead."
                self._store.say(told, "", "warning")
            self._look()

        self._store.ask(lambda: _usable(Path(path), widths), found, "The file cannot be read.")

    def _put(self, old: AddOn, new: tuple[AddOn, ...], gesture: str, label: str) -> None:
        recipe = self._store.state.recipe
        add_ons: list[AddOn] = []
        for add_on in recipe.add_ons:
            add_ons += new if add_on.is_same_file(old) else [add_on]
        self._change(replace(recipe, add_ons=tuple(add_ons)), gesture, label)

    def _widths(self) -> tuple[int, ...]:
        pack = self._store.state.pack
        return pack.base_model.widths if pack else ()

    def _look(self) -> None:
        """See whether the add-ons on show are there, and fit the pack."""
        add_ons, widths = self._store.state.recipe.add_ons, self._widths()
        shown = tuple(replace(add_on, weight=1.0) for add_on in add_ons)
        if (shown, widths) == self._looked:
            return
        self._looked = (shown, widths)
        still_wanted = self._requests.begin()

        def looked(faults: tuple[AddOnFault, ...]) -> None:
            if still_wanted() and faults != self._store.state.add_on_faults:
                self._store.update_state(add_on_faults=faults)

        if shown:
            self._store.ask(lambda: _faults(shown, widths), looked, "The add-ons cannot be looked at.")
        elif self._store.state.add_on_faults:
            self._store.update_state(add_on_faults=())


_UNSAID: Final = "Where it is written nowhere, it is said at the end; with a weight below 0 it is kept out."


def _usable(file: Path, widths: tuple[int, ...]) -> AddOn:
    require_fit(file.name, look_at_add_on(file), widths)
    return add_on_of(file)


def _faults(add_ons: tuple[AddOn, ...], widths: tuple[int, ...]) -> tuple[AddOnFault, ...]:
    faults = []
    for add_on in add_ons:
        try:
            path = find_add_on(add_on)
            if path is None:
                raise missing_add_on(add_on)
            require_fit(path.name, look_at_add_on(path), widths)
        except UserError as error:
            faults.append(AddOnFault(add_on, error.message))
    return tuple(faults)
