"""The recipe: every change of it, and the last one of each pack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from engine.collage.arrangement import arrangement_of, with_arrangement
from engine.core import prompt
from engine.core.errors import UserError
from engine.core.recipe import Creation, Recipe
from engine.core.vocabulary import ABSENT, Choice
from engine.packs.pack import Pack
from partcraft_desktop.app import recipe_edits
from partcraft_desktop.app.history import History
from partcraft_desktop.app.recipe_edits import code_name, part_name
from partcraft_desktop.app.store import Store

SETTING_LABELS: Final = {
    "negative": "negative prompt", "count": "number of pictures", "tries": "how often to try", "rest": "the rest",
}  # fmt: skip


class RecipeControl:
    """Changes ``state.recipe`` and remembers what it was. A recipe of another pack than the one on show leads to that
    pack: ``show_pack`` is called with it. ``save_soon`` says that something is to be kept."""

    def __init__(self, store: Store, show_pack: Callable[[Pack], None], save_soon: Callable[[], None]) -> None:
        self._store = store
        self._show_pack = show_pack
        self._save_soon = save_soon
        self.history = History(store.state.recipe)
        self.last_recipes: dict[str, Recipe] = {}
        """The last recipe of each pack, by the pack's id."""

    def bring_back(self, last_recipes: Mapping[str, Recipe]) -> None:
        """Take the recipes that were kept, before any pack is shown."""
        self.last_recipes = dict(last_recipes)

    def begin_with(self, pack: Pack) -> None:
        """Show a pack's last recipe in the place of that of no pack, or of one that is gone: no step of undo."""
        self.history.amend(self._recipe_for(pack))
        self.show()

    def switch_to(self, pack: Pack) -> None:
        """Go on with a pack's last recipe: one step of undo."""
        self._set(self._recipe_for(pack), label=f"switch to {pack.title}")

    def forget(self, packs: Iterable[Pack]) -> None:
        """Drop the steps that lead to packs that are gone and that no undo brings back, with one sentence."""
        forgotten = [pack.title for pack in packs if self.history.forget(pack.id)]
        self._store.update_state(**self.history.fields())
        if forgotten:
            names = " and ".join(f"“{title}”" for title in forgotten)
            self._store.say(
                f"{names} is gone: undo no longer leads to it."
                if len(forgotten) == 1
                else f"{names} are gone: undo no longer leads to them.",
                "",
                "warning",
            )

    def choose(self, part: int, code: int, source: str = "") -> bool:
        """Put a part into the recipe, at strength 1. False if there is no such part to take."""
        pack = self._store.state.pack
        if pack is None or code == ABSENT:
            return False
        choice, recipe = Choice(part, code, 1.0, source), self._store.state.recipe
        if recipe.choice_of(part) is None:  # what was once there, until it was taken out of the prompt's words
            recipe = _without_changes(recipe, part)
        label = f"{self._part_name(part)} {code_name(pack, part, code)}"
        self._set(recipe.with_choice(choice, pack.vocabulary.noun), label=label)
        return True

    def remove(self, part: int) -> None:
        """Take a part out of the recipe, and what was changed about it by hand."""
        recipe = _without_changes(self._store.state.recipe.without(part), part)
        self._set(recipe, label=f"remove {self._part_name(part)}")

    def set_strength(self, part: int, value: float) -> None:
        """How strongly a chosen part is meant: moved into 0..2. One drag is one step of undo."""
        recipe = self._store.state.recipe
        choice = recipe.choice_of(part)
        if choice is not None:
            changed = replace(choice, strength=min(max(float(value), 0.0), 2.0))
            self._set(recipe.with_choice(changed), f"strength {part}", f"strength of {self._part_name(part)}")

    def random_mix(self) -> None:
        """Fill every slot with a part of a random reference (or a random code, in a pack without references)."""
        state = self._store.state
        if state.pack is not None:
            self._set(recipe_edits.random_recipe(state.recipe, state.pack), label="random mix")

    def set_prompt_text(self, text: str) -> str | None:
        """Replace the prompt by a line of text. Returns what is wrong with it, in words, or None."""
        state = self._store.state
        if state.pack is None:
            return "Open a pack first."
        try:
            pieces = prompt.parse(text, state.pack.vocabulary, like=state.recipe.prompt)
        except UserError as error:
            return str(error)
        self._set(replace(state.recipe, prompt=pieces), "prompt", "prompt")
        return None

    def set_setting(self, name: str, value: str | float) -> None:
        """Set ``negative``, ``rest`` or one of :data:`engine.core.recipe.LIMITS`; setting the seed locks it."""
        state = self._store.state
        self._set(
            recipe_edits.with_setting(state.recipe, name, value, state.sizes), name, SETTING_LABELS.get(name, name)
        )
        if name == "seed":
            self.lock_seed(True)

    def lock_seed(self, locked: bool) -> None:
        """Keep the seed for the next renders, or take a new one each time."""
        if locked != self._store.state.seed_locked:
            self._store.update_state(seed_locked=locked)
            self._save_soon()

    def draw_seed(self) -> None:
        """Take a new seed, unless it is locked: no step of undo."""
        if not self._store.state.seed_locked:
            self.history.amend(replace(self._store.state.recipe, seed=recipe_edits.random_seed()))
            self.show()

    def use(self, creation: Creation) -> None:
        """Take a creation's recipe, its pack and its seed, so that Render makes it again."""
        recipe = creation.recipe
        pack = next((pack for pack in self._store.state.packs if pack.id == recipe.pack), None)
        if pack is not None:
            self._set(recipe, label="use a recipe")
            self.lock_seed(True)
            if told := pack.repaints_otherwise(creation):
                self._store.say(told)
        else:
            missing = f"This was made with the pack “{recipe.pack}”, which is not here."
            self._store.say(missing, "Import that pack, then try again.", "warning")

    def _set(self, recipe: Recipe, gesture: str = "", label: str = "") -> None:
        if self.history.go_on(recipe, gesture, label):
            self.show()

    def change(self, recipe: Recipe, gesture: str = "", label: str = "") -> None:
        """Go on with another recipe of the same pack: one step of undo for all changes of a gesture."""
        self._set(recipe, gesture, label)

    def show(self) -> None:
        """Show the recipe of now, and its pack."""
        recipe = self.history.now
        self.last_recipes[recipe.pack] = recipe
        self._store.update_state(recipe=recipe, tried=None, **self.history.fields())
        shown_pack = self._store.state.pack
        pack = next((p for p in self._store.state.packs if p.id == recipe.pack), None)
        if pack is not None and (shown_pack is None or pack.id != shown_pack.id):
            self._show_pack(pack)
        self._save_soon()

    def _recipe_for(self, pack: Pack) -> Recipe:
        return self.last_recipes.get(pack.id) or recipe_edits.empty_recipe(pack)

    def _part_name(self, part: int) -> str:
        return part_name(self._store.state.pack, part)


def _without_changes(recipe: Recipe, part: int) -> Recipe:
    return with_arrangement(recipe, arrangement_of(recipe).without_part(part))
