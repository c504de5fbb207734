"""The job ImportCheckpoint: an original checkpoint becomes a pack of the user's own, a published one with its names."""

from __future__ import annotations

from pathlib import Path

from engine.core.atomic_files import make_folder
from engine.core.errors import UserError
from engine.core.paths import free_folder, slug
from engine.exchange.original_checkpoint import import_original
from engine.hub.published import (
    PUBLISHED,
    PublishedPack,
    base_model_here,
    checkpoint_folder,
    class_names,
    published_pack,
    source_of,
)
from engine.hub.records import license_of, record_of
from engine.models.loader import Models
from engine.packs.library import PackLibrary
from engine.packs.original_files import find_original
from engine.packs.pack import Pack
from engine.worker.jobs import ImportCheckpoint, Progress, Report


def import_checkpoint(models: Models, job: ImportCheckpoint, report: Report) -> str:
    """Read a checkpoint into a pack of the user's own; its folder. The engine's handler of :class:`ImportCheckpoint`.
    Raises :class:`UserError`."""
    report(Progress("Reading the checkpoint", 0, 0))
    published = published_pack(job.published) if job.published else None
    if job.published and published is None:
        names = ", ".join(one.name for one in PUBLISHED)
        raise UserError(f"No checkpoint called “{job.published}” was published.", f"There are: {names}.")
    if published is not None:
        return str(import_published(published, Path(job.folder) if job.folder else None, job.base_model).path)
    files = find_original(Path(job.folder))
    if files is None:
        raise UserError(f"There is no checkpoint of the original PartCraft in {job.folder}.", "Choose another folder.")
    title = job.title or files.folder.name
    pack = import_original(
        files.folder,
        files.centroids,
        pack_folder(title),
        title=title,
        base_model=job.base_model or base_model_here(PUBLISHED[0]) or PUBLISHED[0].base_models[0],
        noun="creature",
    )
    return str(pack.path)


def import_published(published: PublishedPack, folder: Path | None = None, base_model: str = "") -> Pack:
    """Read a published checkpoint into a pack with the names of its parts and classes; the pack that is here already,
    if it was read before. ``folder``: where its two files are, unless where they are fetched to. Raises
    :class:`UserError`."""
    library = PackLibrary()
    if (known := next((pack for pack in library.packs() if source_of(pack) == published.id), None)) is not None:
        return known
    place = folder or checkpoint_folder(published)
    if place is None:
        raise UserError(
            f"“{published.title}” ({published.id}) is not on this computer.",
            f"Run: partcraft packs import-published {published.name}",
            model=published.id,
        )
    files = find_original(place)
    record = record_of(place.parent, f"{place.name}/pytorch_model.bin")
    return import_original(
        files.folder if files else place,
        files.centroids if files else None,
        pack_folder(published.title),
        title=published.title,
        base_model=base_model or base_model_here(published) or published.base_models[0],
        eyes=published.eyes,
        noun=published.noun,
        part_names=published.parts,
        code_names=class_names(published),
        background=published.background,
        codes_are_classes=True,
        only_named=True,
        source={"id": published.id, "revision": record.commit if record else ""},
        licence=license_of(place.parent) or published.license,
    )


def pack_folder(title: str) -> Path:
    """A new folder among the user's packs, for a pack of this title. Raises :class:`UserError`."""
    return free_folder(make_folder(PackLibrary().own, "the packs"), slug(title, "pack", lower=False))
