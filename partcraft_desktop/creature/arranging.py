"""Arranging bound to the session: canvas and bar show the recipe's arrangement, and what is done there changes it."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QColor

from engine.collage.arrangement import Adjustment, Arrangement, Ground, PartKey, arrangement_of
from engine.core.part_looks import part_sign
from engine.packs.pack import Pack
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.start_control import kept_parts
from partcraft_desktop.app.state import Creature, State
from partcraft_desktop.creature.arrange_bar import ArrangeBar, BarValue, PartValue, PoseValue
from partcraft_desktop.creature.arrange_canvas import ArrangeCanvas
from partcraft_desktop.creature.placed_layers import PlacedLayer, placed_layers


class Arranging(QObject):
    """Lets a person arrange the session's creature on a canvas and in the bar below it."""

    def __init__(self, session: Session, canvas: ArrangeCanvas, bar: ArrangeBar) -> None:
        super().__init__(canvas)
        self._session = session
        self._canvas = canvas
        self._bar = bar
        self._shown: tuple[Creature, Arrangement, frozenset[int]] | None = None
        self._placed: tuple[PlacedLayer, ...] = ()
        session.changed.connect(self._refresh)
        canvas.selected_changed.connect(self._refresh_bar)
        canvas.adjusted.connect(self._adjust)
        canvas.asked.connect(self._do)
        canvas.arrangeable_changed.connect(self._refresh_bar)
        bar.asked.connect(self._do_selected)
        bar.left.connect(lambda: canvas.setFocus(Qt.FocusReason.OtherFocusReason))
        bar.shown_again.connect(self._show_again)
        bar.reset_asked.connect(session.arrangement.reset_arrangement)
        bar.pose_chosen.connect(session.arrangement.set_pose)
        bar.ground_chosen.connect(self._set_ground)
        self._refresh()

    # Showing the session

    def _refresh(self) -> None:
        state = self._session.state
        wanted = arrangement_of(state.recipe)
        # What was taken out is gone at once, before the collage without it is there.
        chosen = frozenset(choice.part for choice in (*state.recipe.choices, state.tried) if choice is not None)
        shown = (state.creature, wanted, chosen)
        if self._shown is None or self._shown[0] is not shown[0] or self._shown[1:] != shown[1:]:
            self._shown = shown
            collage = state.creature.collage
            placed = () if collage is None else placed_layers(collage, state.creature.arrangement, wanted)
            self._placed = tuple(one for one in placed if one.layer.part in chosen)
            self._canvas.arrange(self._placed, {one.key: _title(state, one.layer.source) for one in self._placed})
        self._canvas.mark_kept(kept_parts(state.recipe))
        self._refresh_bar()

    def _refresh_bar(self) -> None:
        state = self._session.state
        collage, pack = state.creature.collage, state.pack
        if collage is None or pack is None or not self._canvas.is_arrangeable:
            self._bar.show_value(None)
            return
        arrangement = arrangement_of(state.recipe)
        selected = self._canvas.selected
        self._bar.show_value(
            BarValue(
                None if selected is None else self._part_value(selected, pack, arrangement),
                tuple((one.key, one.layer.name) for one in self._placed if one.wanted.hidden),
                arrangement.pose,
                _title(state, collage.pose),
                self._poses(state, pack),
                arrangement.ground,
                bool(arrangement.adjustments or arrangement.order),
            )
        )

    def _part_value(self, placed: PlacedLayer, pack: Pack, arrangement: Arrangement) -> PartValue:
        part = pack.vocabulary.parts[placed.layer.part]
        seen = [one.key for one in self._placed if not one.wanted.hidden]
        at = seen.index(placed.key) if placed.key in seen else 0
        changed = placed.wanted != Adjustment(placed.key[0], nth=placed.key[1]) or placed.key in arrangement.order
        title = _title(self._session.state, placed.layer.source)
        sign = part_sign(pack.vocabulary, part.index)
        return PartValue(
            part.index, placed.layer.name, QColor(part.colour), sign, title, at + 1 < len(seen), at > 0, changed,
            part.index in kept_parts(self._session.state.recipe), self._session.state.creature.is_whole,
        )  # fmt: skip

    def _poses(self, state: State, pack: Pack) -> tuple[PoseValue, ...]:
        """The pictures that parts are from, and the one that is open."""
        open_id = state.reference.id if state.reference is not None else ""
        ids = [*(one.layer.source for one in reversed(self._placed)), arrangement_of(state.recipe).pose, open_id]
        images = {reference.id: reference.thumbnail for reference in pack.references}
        images |= {picture.id: picture.image for picture in state.own if picture.segmentation is not None}
        return tuple(
            PoseValue(id, _title(state, id), images[id], id == open_id) for id in dict.fromkeys(ids) if id in images
        )

    # What a person does

    def _adjust(self, key: PartKey, adjustment: Adjustment, gesture: str) -> None:
        self._session.arrangement.adjust_part(
            *key, move=adjustment.move, scale=adjustment.scale, turn=adjustment.turn, gesture=gesture
        )

    def _do_selected(self, command: str) -> None:
        selected = self._canvas.selected
        if selected is not None:
            self._do(command, selected.key)

    def _do(self, command: str, key: PartKey) -> None:
        verbs, name = self._session.arrangement, next((one.layer.name for one in self._placed if one.key == key), "")
        if command == "mirror":
            verbs.mirror_part(*key)
        elif command in ("forward", "back"):
            verbs.reorder_part(*key, 1 if command == "forward" else -1)
        elif command == "reset":
            verbs.reset_part(*key)
        elif command == "anew":
            if self._session.state.creature.is_whole:
                self._session.starts.render_anew([key[0]])
        elif command == "keep":
            self._keep(key[0], name)
        elif command == "hide":
            verbs.hide_part(*key)
            self._canvas.say(f"{name} hidden")
        elif command == "remove":
            self._session.remove(key[0])
            self._canvas.say(f"{name} taken out")

    def _keep(self, part: int, name: str) -> None:
        kept = part not in kept_parts(self._session.state.recipe)
        self._session.starts.keep_part(part, kept)
        self._canvas.say(f"{name} kept as it is in renders" if kept else f"{name} rendered with the others")

    def _show_again(self, key: PartKey) -> None:
        self._session.arrangement.hide_part(*key, hidden=False)
        self._canvas.select(key)

    def _set_ground(self, ground: Ground) -> None:
        self._session.arrangement.set_ground(ground)


def _title(state: State, source: str) -> str:
    """What a picture is called, by its id."""
    reference = state.pack.reference(source) if state.pack is not None else None
    if reference is not None:
        return reference.title
    return next((picture.title for picture in state.own if picture.id == source), "")
