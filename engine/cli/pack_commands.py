"""The commands that take packs in from files and give them out: our own, and other programs'."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from engine.cli.console import DONE, FAILED, Answer, JobRunner
from engine.cli.fetch_terminal import agreed
from engine.cli.number_arguments import whole_number
from engine.cli.pack_summary import pack_summary
from engine.core.atomic_files import read_text
from engine.core.errors import UserError
from engine.core.match_rate import MatchRate
from engine.core.on_disk import is_file, is_folder, resolved, size_of
from engine.core.resemblance import Resemblance
from engine.hub.pack_needs import terms_of, what_is_lacking
from engine.hub.published import published_at
from engine.packs.about import about_pack
from engine.packs.library import PackLibrary
from engine.packs.original_files import CENTROIDS, centroids_near, find_original
from engine.packs.pack import MANIFEST, Pack
from engine.packs.validation import check_pack
from engine.worker.jobs import ExportPack


def add_import_arguments(parser: ArgumentParser) -> None:
    """The arguments of ``packs import``."""
    parser.add_argument("file", metavar="FILE_OR_FOLDER", help="a .partpack, or a checkpoint of the original PartCraft")
    group = parser.add_argument_group("for a checkpoint of the original, what its own command line was told")
    parser.add_argument("--yes", action="store_true", help="do not ask before a pack is added")
    kmeans = f"default: {CENTROIDS} there or in a folder above; without one, the pack learns from pictures it paints"
    group.add_argument("--kmeans", default="", metavar="FILE", help=kmeans)
    group.add_argument("--base-model", default="", metavar="MODEL", help="the base model it was trained on")
    group.add_argument(
        "--eyes", default="facebook/dinov2-base", metavar="MODEL", help="the Dinov2 model it looked with"
    )
    group.add_argument("--noun", default="thing", help="what the pictures show, such as bird")
    group.add_argument("--names", default="", metavar="FILE", help="names of the codes, one a line")
    group.add_argument(
        "--part-names",
        default="",
        metavar="A,B,...",
        help="names of the parts, in order; a name left empty keeps its place",
    )
    group.add_argument(
        "--background",
        type=whole_number(0, 254),
        metavar="PART",
        help="the number of the background's part (--bg_code)",
    )
    group.add_argument("--foreground", type=int, choices=(0, 1), default=0, help="the foreground's cluster (--fg_idx)")
    codes = "what its codes are: clusters, or the classes of labelled pictures (default: as published, else clusters)"
    group.add_argument("--codes", choices=("clusters", "classes"), default="", help=codes)
    group.add_argument("--title", default="", help="what the pack is called")


def packs_import(arguments: Namespace, handlers: str) -> Answer:
    """Take a .partpack file, a pack's folder, or a checkpoint of the original PartCraft, into the user's packs."""
    path = Path(arguments.file)
    if is_folder(path) and not is_file(path / MANIFEST):
        pack = _import_original(path, arguments)
    elif (files := find_original(path)) is not None:
        pack = _import_original(files.folder, arguments)
    else:
        about = about_pack(path)
        print(
            "\n".join([about.pack.title, *(f"  {name}: {value}" for name, value in terms_of(about))]), file=sys.stderr
        )
        if sys.stdin.isatty() and sys.stderr.isatty() and not arguments.yes and not agreed("Add it to your packs?"):
            return Answer({"title": about.pack.title}, "Nothing was added.", FAILED)
        pack = PackLibrary().import_pack(path)
    lacking = what_is_lacking(pack)
    text = "\n".join([f"{pack.title} is here, as {pack.id}.", *lacking])
    return Answer(pack_summary(pack) | {"lacks": list(lacking)}, text)


def _import_original(place: Path, arguments: Namespace) -> Pack:
    from engine.exchange.import_checkpoint import pack_folder  # brings torch
    from engine.exchange.original_checkpoint import import_original

    files = find_original(place)
    if files is None and not arguments.base_model:
        raise UserError(f"There is neither a pack nor a checkpoint in {place}.", "Choose another file or folder.")
    if not arguments.base_model:
        raise UserError(
            "A checkpoint does not say which base model it belongs to.",
            "Add --base-model with the model's id or folder.",
        )
    checkpoint = files.folder if files else place
    published = published_at(checkpoint)
    title = arguments.title or resolved(checkpoint).name
    classes = arguments.codes == "classes" or (not arguments.codes and published is not None)
    return import_original(
        checkpoint,
        Path(arguments.kmeans) if arguments.kmeans else centroids_near(checkpoint),
        pack_folder(title),
        title=title,
        base_model=arguments.base_model,
        eyes=arguments.eyes,
        noun=arguments.noun,
        part_names=arguments.part_names.split(",") if arguments.part_names else (),
        code_names=_lines(Path(arguments.names)) if arguments.names else (),
        background=arguments.background,
        foreground_row=arguments.foreground,
        codes_are_classes=classes,
    )


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in read_text(path).splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read.", "Give a text file with one name a line.") from error


def packs_export(arguments: Namespace, handlers: str) -> Answer:
    """Write a pack as a .partpack file, or for other programs as a folder with a LoRA and textual inversions."""
    library = PackLibrary()
    pack = library.find(arguments.pack)
    if arguments.plain:
        with JobRunner(handlers) as desk:
            files = desk.run(ExportPack(str(pack.path), str(Path(arguments.file).absolute())))
        return Answer({"folder": arguments.file, "files": list(files)}, f"{arguments.file}: {len(files)} files")
    file = library.export_pack(pack, Path(arguments.file))
    return Answer({"file": str(file), "bytes": size_of(file)}, f"{file} ({size_of(file) >> 10} KB)")


def packs_list(arguments: Namespace, handlers: str) -> Answer:
    """Every pack at hand; broken ones with what is wrong."""
    rows, lines = [], []
    for entry in PackLibrary().listing():
        if entry.pack:
            rows.append({**pack_summary(entry.pack), "bundled": entry.bundled, "ok": True})
            lines.append(f"{entry.pack.id}  {entry.pack.title}  ({len(entry.pack.references)} references)")
        else:
            assert entry.error
            error = {"message": entry.error.message, "hint": entry.error.hint}
            rows.append({"path": str(entry.path), "bundled": entry.bundled, "ok": False, "error": error})
            lines.append(f"{entry.path.name}  broken: {entry.error.message}")
    return Answer({"packs": rows}, "\n".join(lines) or "There is no pack yet.")


def packs_show(arguments: Namespace, handlers: str) -> Answer:
    """What a pack says about itself."""
    pack = PackLibrary().find(arguments.pack)
    vocabulary = pack.vocabulary
    named = next((row for row in vocabulary.code_names if any(row)), ())
    lines = [
        f"{pack.title} ({pack.id}) in {pack.path}",
        f"parts: {', '.join(part.name for part in vocabulary.visible_parts)}",
        f"codes: {', '.join(named) if named else f'0 to {vocabulary.codes_per_part - 1}'}",
        f"base model: {pack.base_model.id}; eyes: {pack.backbone.id} (made for {pack.backbone.sees})",
        f"references: {len(pack.references)}",
        f"licence: {pack.licence or 'not said'}",
        f"provenance: {pack.provenance or 'not said'}",
        *([f"match rate: {rate.words}"] if (rate := MatchRate.from_metrics(pack.metrics)) else []),
        *([f"resemblance: {like.words}"] if (like := Resemblance.from_metrics(pack.metrics)) else []),
    ]
    described = {**pack.to_document(), "path": str(pack.path)}
    return Answer(described, "\n".join(lines))


def packs_check(arguments: Namespace, handlers: str) -> Answer:
    """Read everything a pack holds; all packs without a name."""
    library = PackLibrary()
    rows, lines = [], []
    places = [library.find(arguments.pack).path] if arguments.pack else [entry.path for entry in library.listing()]
    for place in places:
        try:
            check_pack(Pack.open(place), thorough=True)
            rows.append({"path": str(place), "ok": True})
            lines.append(f"{place.name}: whole")
        except UserError as error:
            rows.append({"path": str(place), "ok": False, "error": {"message": error.message, "hint": error.hint}})
            lines.append(f"{place.name}: {error.message} {error.hint}")
    whole = all(row["ok"] for row in rows)
    return Answer({"packs": rows}, "\n".join(lines) or "There is no pack yet.", DONE if whole else FAILED)
