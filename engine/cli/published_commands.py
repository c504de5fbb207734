"""The commands ``packs import-published`` and ``packs paint``: the authors' checkpoints, and their pictures."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from engine.cli.console import DONE, FAILED, Answer, JobRunner
from engine.cli.fetch_terminal import agreed, fetch_offered, terms
from engine.cli.pack_summary import pack_summary
from engine.core.byte_sizes import byte_size
from engine.core.errors import UserError
from engine.hub.pack_needs import what_is_lacking
from engine.hub.published import (
    PUBLISHED,
    PublishedPack,
    checkpoint_folder,
    missing_models,
    published_pack,
    source_of,
)
from engine.packs.library import PackLibrary
from engine.packs.pack import Pack
from engine.packs.stand_ins import codes_to_paint
from engine.worker.jobs import ImportCheckpoint, PaintReference

if TYPE_CHECKING:
    from engine.hub.fetch import Offer


def add_published_arguments(parser: ArgumentParser) -> None:
    """The arguments of ``packs import-published``."""
    names = ", ".join(f"{one.name} ({one.title})" for one in PUBLISHED)
    parser.add_argument("name", metavar="NAME", help=names)
    parser.add_argument(
        "--base-model", default="", metavar="MODEL", help="default: Stable Diffusion 1.5, which is fetched"
    )
    parser.add_argument("--without-eyes", action="store_true", help="do not fetch the eyes that find parts in pictures")
    parser.add_argument("--dry-run", action="store_true", help="only say what it would take")
    parser.add_argument("--yes", action="store_true", help="do not ask first")


def published_row(published: PublishedPack) -> dict[str, Any]:
    """What the list of models says of a published checkpoint."""
    pack = next((pack for pack in PackLibrary().packs() if source_of(pack) == published.id), None)
    missing = missing_models(published)
    state = f"here as the pack {pack.id}" if pack else "to import" if published.id not in missing else "to fetch"
    needs = f"; needs {', '.join(missing)}" if missing else ""
    license = published.license or "no licence stated"
    return {
        "name": published.name,
        "title": published.title,
        "id": published.id,
        "size": published.size,
        "license": published.license,
        "missing": list(missing),
        "pack": pack.id if pack else "",
        "text": f"{byte_size(published.size)}, {license}  {published.id}  {state}{needs}",
    }


def import_published(arguments: Namespace, handlers: str) -> Answer:
    """Fetch what a published checkpoint needs, as far as it is not here, and make a pack of it."""
    published = published_pack(arguments.name)
    if published is None:
        names = ", ".join(f"{one.name} ({one.title})" for one in PUBLISHED)
        raise UserError(f"No checkpoint called “{arguments.name}” was published.", f"There are: {names}.")
    missing = [id for id in missing_models(published) if not _needless(id, published, arguments)]
    offers = _offers(missing, published.title)
    for asked in offers:
        print(terms(asked), file=sys.stderr)
    if arguments.dry_run:
        sizes = {asked.repository.id: asked.size for asked in offers}
        return Answer({"name": published.name, "missing": missing, "sizes": sizes}, "")
    terminal = sys.stdin.isatty() and sys.stderr.isatty()
    if offers and terminal and not arguments.yes and not agreed("Fetch all of it?"):
        return Answer({"name": published.name, "missing": missing}, "Nothing was fetched.", FAILED)
    for asked in offers:
        fetch_offered(asked)
    folder = checkpoint_folder(published)
    job = ImportCheckpoint(str(folder) if folder else "", published.name, arguments.base_model)
    with JobRunner(handlers) as desk:
        pack = Pack.open(desk.run(job))
    lacking = what_is_lacking(pack)
    paint = [f"partcraft packs paint {pack.id}"] if codes_to_paint(pack) else []
    lines = [f"{pack.title} is here, as {pack.id}.", *lacking, *(f"Paint them with: {words}" for words in paint)]
    return Answer(pack_summary(pack) | {"lacks": list(lacking)}, "\n".join(lines))


def paint_references(arguments: Namespace, handlers: str) -> Answer:
    """Paint the reference pictures that a pack still lacks, one after another; stopped, it goes on from there."""
    pack = PackLibrary().find(arguments.pack)
    codes = codes_to_paint(pack)[: arguments.count or None]
    with JobRunner(handlers) as desk:
        for number, code in enumerate(codes, 1):
            title = next(part.index for part in pack.vocabulary.visible_parts)
            print(f"{number} of {len(codes)}: {pack.vocabulary.code_name(title, code)}", file=sys.stderr)
            desk.run(PaintReference(str(pack.path), code))
    left = len(codes_to_paint(Pack.open(pack.path)))
    text = f"{len(codes)} {'picture was' if len(codes) == 1 else 'pictures were'} painted; {left} are left."
    return Answer({"id": pack.id, "painted": len(codes), "left": left}, text, DONE)


def _needless(id: str, published: PublishedPack, arguments: Namespace) -> bool:
    return (bool(arguments.base_model) and id == published.base_models[0]) or (
        arguments.without_eyes and id == published.eyes
    )


def _offers(ids: list[str], title: str) -> list[Offer]:
    if not ids:
        return []
    from engine.hub.fetch import offer, require_room  # asks for httpx and the hub's library

    offers = []
    for id in ids:
        print(f"Asking the hub for {id}", file=sys.stderr)
        offers.append(offer(id))
    require_room(offers, title)
    return offers
