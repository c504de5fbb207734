"""The published vocabularies: what each lacks is fetched with one consent, then it is imported and opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from engine.core.errors import UserError
from engine.hub.published import PUBLISHED, missing_models, published_pack, source_of
from engine.packs.pack import Pack
from engine.worker.jobs import Failed, Finished, ImportCheckpoint, Job, News
from partcraft_desktop.app.model_shelf import ModelShelf, fault_of
from partcraft_desktop.app.model_state import ModelFault
from partcraft_desktop.app.store import LatestRequest, Store
from partcraft_desktop.app.vocabulary_state import VocabulariesState, VocabularyStatus

if TYPE_CHECKING:
    from engine.hub.fetch import Offer


class VocabularyControl(QObject):
    """Owns ``state.vocabularies``. ``show(folder)`` opens the pack that a checkpoint became."""

    def __init__(
        self,
        store: Store,
        models: ModelShelf,
        submit: Callable[[Job, Callable[[News], None]], int | None],
        show: Callable[[str], None],
    ) -> None:
        super().__init__(store)
        self._store = store
        self._models = models
        self._submit = submit
        self._show = show
        self._requests = LatestRequest()
        self._looks = LatestRequest()
        self._offers: dict[str, Offer] = {}
        models.looked.connect(self.read)
        models.ended.connect(self._fetched)

    @property
    def now(self) -> VocabulariesState:
        """What the page shows."""
        return self._store.state.vocabularies

    def read(self) -> None:
        """See what each vocabulary lacks now."""
        newest, packs = self._looks.begin(), self._store.state.packs

        def landed(known: tuple[VocabularyStatus, ...]) -> None:
            if newest():
                self._change(known=known)

        self._store.ask(lambda: _look(packs), landed, "The published vocabularies cannot be listed.")

    def get(self, name: str) -> None:
        """Ask the hub what getting a vocabulary takes; one of which all is here is imported at once."""
        published = published_pack(name)
        if published is None or self.now.importing or self.now.fetching:
            return
        still_wanted = self._requests.begin()
        self._models.clear_answers()
        self._change(asking=name, offered="", offers=())

        def work() -> tuple[Offer, ...] | ModelFault:
            missing = missing_models(published)
            if not missing:
                return ()
            from engine.hub.fetch import offer, require_room  # brings the hub's library

            offers = []
            for id in missing:
                try:
                    offers.append(offer(id))
                except UserError as error:
                    return fault_of(id, error)
            try:
                require_room(offers, published.title)
            except UserError as error:
                return fault_of(published.id, error)
            return tuple(offers)

        def landed(answer: tuple[Offer, ...] | ModelFault) -> None:
            if not still_wanted():
                return
            self._change(asking="")
            if isinstance(answer, ModelFault):
                self._models.show_fault(answer)
            elif answer:
                self._change(offered=name, offers=answer)
            else:
                self._import(ImportCheckpoint("", name))

        self._store.ask(work, landed, "The hub cannot be asked.", lambda _: self._change(asking=""))

    def decline(self) -> None:
        """Fetch nothing of what was offered."""
        self._requests.begin()
        self._change(asking="", offered="", offers=())

    def agree(self) -> None:
        """Fetch what was offered, one after another, then import it."""
        offers = self.now.offers
        if not offers:
            return
        self._offers = {offer.repository.id: offer for offer in offers}
        self._change(fetching=self.now.offered, waiting=tuple(self._offers), offered="", offers=())
        self._fetch_next()

    def import_found(self, folder: str, published: str = "", title: str = "") -> None:
        """Import a checkpoint that somebody brought."""
        self._import(ImportCheckpoint(folder, published, title=title))

    def open(self, name: str) -> None:
        """Show the pack that a vocabulary became."""
        status = self.now.of(name)
        pack = next((pack for pack in self._store.state.packs if status and pack.id == status.pack), None)
        if pack is not None:
            self._show(str(pack.path))

    def _fetch_next(self) -> None:
        waiting = self.now.waiting
        if waiting:
            self._models.fetch(self._offers[waiting[0]])
            return
        name = self.now.fetching
        self._change(fetching="")
        self._import(ImportCheckpoint("", name))

    def _fetched(self, id: str, whole: bool) -> None:
        """A fetch has ended: go on with the next, or, where it was paused or failed, leave off."""
        if not self.now.fetching or self.now.waiting[:1] != (id,):
            return
        if whole:
            self._change(waiting=self.now.waiting[1:])
            self._fetch_next()
        else:
            self._change(fetching="", waiting=())

    def _import(self, job: ImportCheckpoint) -> None:
        if self.now.importing:
            return

        def listen(news: News) -> None:
            if not isinstance(news, Failed | Finished):
                return
            self._change(importing="")
            if isinstance(news, Failed):
                self._store.message.emit(self._store.message_of(news))
            else:
                self._store.say("The vocabulary is here. Its reference pictures are painted while the engine rests.")
                self._show(news.result)
            self._models.read()

        if self._submit(job, listen) is not None:
            self._change(importing=job.published or job.folder)

    def _change(self, **changes: Any) -> None:
        if not self._store.closed:
            self._store.update_state(vocabularies=replace(self.now, **changes))


def _look(packs: tuple[Pack, ...]) -> tuple[VocabularyStatus, ...]:
    by_source = {source_of(pack): pack.id for pack in packs}
    return tuple(VocabularyStatus(one, missing_models(one), by_source.get(one.id, "")) for one in PUBLISHED)
