"""Time left: what is under way and how long yet, in a few words. All from what was measured; nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping

from engine.core.durations import duration
from engine.packs.pack import Pack
from partcraft_desktop.app.state import LoadStatus, QueuedRender, RenderStatus, State
from partcraft_desktop.app.timings import pace_key, steps_of


def doing_text(state: State, now: float) -> str:
    """What the engine does for the person, empty if nothing; ``now`` is ``time.monotonic()``."""
    render = state.render
    load = current_load(state)
    if load is not None:
        return load_text(load, now)
    return "" if render is None else render_text(render, now)


def current_load(state: State) -> LoadStatus | None:
    """The load that is waited for: the render's own, or the pack's."""
    render = state.render
    if render is None:
        return state.load
    if render.cancelling:
        return None
    return render.load or (None if render.stage else state.load)


def load_text(load: LoadStatus, now: float) -> str:
    """That models load, and how long yet if that was ever measured and is not over."""
    left = load.expected - (now - load.started)
    return f"Loading the model, about {duration(left)}" if left > 0.5 else "Loading the model…"


def load_share(load: LoadStatus, now: float) -> float | None:
    """How far a load is, 0 to 1; None where it was never measured, or takes longer than last time."""
    share = (now - load.started) / load.expected if load.expected else 1.0
    return share if share < 1 else None


def render_text(render: RenderStatus, now: float) -> str:
    """What a render does and how long it will yet take; ``now`` is ``time.monotonic()``."""
    if render.cancelling:
        return "Stopping…"
    text = render.stage or "Starting"
    if render.count > 1:
        tries = render.item is not None and render.item.recipe.tries > 1
        text += f"{', picture' if tries else ''} {min(render.whole + 1, render.count)} of {render.count}"
    seconds = _steps_left(render, now)
    return text if seconds is None else f"{text}, {duration(seconds)} left"


def queue_text(state: State, now: float) -> str:
    """How many pictures are to come and how long they take: "3 pictures, about 12 s"; without a time where anything
    of it was never measured."""
    waiting = [item for item in state.queue if item.waits]
    render = state.render
    count = sum(item.recipe.count for item in waiting)
    count += render.count - render.whole if render is not None and not render.cancelling else 0
    text = "1 picture" if count == 1 else f"{count} pictures"
    seconds = queue_seconds(state, now)
    return text if seconds is None else f"{text}, about {duration(seconds)}"


def queue_seconds(state: State, now: float) -> float | None:
    """Seconds until all that waits is rendered; None if that cannot be told."""
    packs = {pack.id: pack for pack in state.packs}
    render, total, loaded = state.render, 0.0, ""
    if render is not None and render.item is not None:
        pack = packs.get(render.item.pack)
        seconds = _render_seconds(state, render, pack, now)
        if seconds is None:
            return None
        total, loaded = seconds, render.item.pack
    for item in state.queue:
        if not item.waits:
            continue
        pack = packs.get(item.pack)
        seconds = state.timings.seconds_of(item.recipe, pack) if pack is not None else 0.0
        seconds = seconds or _like_running(item, render, packs, now)
        if pack is None or not seconds:
            return None
        total += seconds + (state.timings.load_of(pack) if loaded not in ("", item.pack) else 0.0)
        loaded = item.pack
    return total


def _like_running(item: QueuedRender, render: RenderStatus | None, packs: Mapping[str, Pack], now: float) -> float:
    """Seconds a render takes if it goes as the running one does; 0 where it is of another kind, or nothing is known."""
    pace = _pace(render, render.updated or now) if render is not None else None
    if pace is None or render is None or render.item is None or item.recipe.tries > 1:
        return 0.0
    one, other = packs.get(item.pack), packs.get(render.item.pack)
    if one is None or other is None or pace_key(item.recipe, one) != pace_key(render.item.recipe, other):
        return 0.0
    return pace * steps_of(item.recipe)


def _render_seconds(state: State, render: RenderStatus, pack: Pack | None, now: float) -> float | None:
    """Seconds the running render will yet take."""
    if render.cancelling:
        return 0.0
    if render.item is not None and render.item.recipe.tries > 1:
        return None  # it may be the last try
    left = _steps_left(render, now)
    if left is not None or pack is None or render.item is None:
        return left
    seconds = state.timings.seconds_of(render.item.recipe, pack)
    load = current_load(state)
    if load is None or not seconds:
        return seconds or None
    left = load.expected - (now - load.started)
    return seconds + left if left > 0 else None


def _steps_left(render: RenderStatus, now: float) -> float | None:
    told = render.updated or now
    pace = _pace(render, told)
    # Between two steps the clock goes on.
    return None if pace is None else max(0.0, pace * (render.total - render.done) - (now - told))


def _pace(render: RenderStatus, told: float) -> float | None:
    """Seconds a step takes; None before the second."""
    steps = render.done - render.first
    return (told - render.started) / steps if render.total and steps > 0 else None
