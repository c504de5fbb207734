"""The pages of the wizard as one table: what each is called, when it can be shown, and what leads on from it.

A page is added in two steps: a row in :data:`PAGES`, at its place among the steps, and its widget in ``WIDGETS`` of
:mod:`partcraft_desktop.wizard.wizard`. The step bar, Back and Next, the keys that a draft may keep and
:meth:`LearningState.reached` follow from the row. Two things only where a page needs them: a fact that the state does
not tell yet becomes a property of :class:`PageFacts` and of ``LearningState``; work that begins when the page is
entered, or when Next is pressed on it, is named in ``LearningController``.

Keys are stored in users' drafts and stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

PageKey = str
"""A key of :data:`PAGES`."""


class PageFacts(Protocol):
    """What the pages ask of the wizard's state."""

    @property
    def surveyed_empty(self) -> bool: ...
    @property
    def has_pictures(self) -> bool: ...
    @property
    def sorted(self) -> bool: ...
    @property
    def all_dropped(self) -> bool: ...
    @property
    def base_fits(self) -> bool: ...
    @property
    def starting(self) -> bool: ...
    @property
    def run(self) -> object | None: ...
    @property
    def pack_written(self) -> bool: ...


def _nothing(_: PageFacts) -> str:
    return ""


@dataclass(frozen=True)
class PageSpec:
    """A page without its widget.

    ``title``: its name in the step bar. ``reached``: what the page needs is there, so that it can be shown.
    ``next_text``: what the Next button says, empty where there is none. ``complete``: whether Next can be pressed;
    None: when the page after it is reached. ``why_incomplete``: why not, in words, where that is not plain to see.
    """

    key: PageKey
    title: str
    reached: Callable[[PageFacts], bool]
    next_text: str = ""
    complete: Callable[[PageFacts], bool] | None = None
    why_incomplete: Callable[[PageFacts], str] = _nothing


PAGES: Final[tuple[PageSpec, ...]] = (
    PageSpec(
        "pictures",
        "Pictures",
        reached=lambda state: True,
        next_text="Find parts",
        why_incomplete=lambda state: "No picture here can be used." if state.surveyed_empty else "",
    ),
    PageSpec(
        "parts",
        "Parts",
        reached=lambda state: state.has_pictures,
        next_text="Train…",
        why_incomplete=lambda state: "Keep one part at least." if state.all_dropped else "",
    ),
    PageSpec(
        "plan",
        "Plan",
        reached=lambda state: state.has_pictures and state.sorted,
        next_text="Start learning",
        complete=lambda state: state.has_pictures and state.sorted and state.base_fits and not state.starting,
    ),
    PageSpec("learning", "Learning", reached=lambda state: state.run is not None, next_text="Done"),
    PageSpec("done", "Done", reached=lambda state: state.pack_written),
)
"""The pages in the order of the steps; the first is where everybody begins."""


def page_keys() -> tuple[PageKey, ...]:
    """The keys of all pages, in order."""
    return tuple(spec.key for spec in PAGES)


def page_of(key: PageKey) -> PageSpec:
    """The page of a key. Raises ``KeyError``."""
    return {spec.key: spec for spec in PAGES}[key]


def page_before(key: PageKey) -> PageSpec | None:
    """The page before, None for the first."""
    at = page_keys().index(key)
    return PAGES[at - 1] if at > 0 else None


def page_after(key: PageKey) -> PageSpec | None:
    """The page after, None for the last."""
    at = page_keys().index(key)
    return PAGES[at + 1] if at + 1 < len(PAGES) else None


def can_go_on(state: PageFacts, key: PageKey) -> bool:
    """Whether Next can be pressed on a page."""
    complete, after = page_of(key).complete, page_after(key)
    return complete(state) if complete is not None else after is not None and after.reached(state)
