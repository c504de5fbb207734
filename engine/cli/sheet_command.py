"""The command that puts every kind of one part against every kind of another on a contact sheet."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.collage_command import recipe_of_words
from engine.cli.console import Answer, JobRunner, ProgressPrinter
from engine.collage.sheet_axes import read_axis
from engine.core.atomic_files import make_folder
from engine.core.image_files import open_picture
from engine.core.paths import free_file
from engine.core.prompt import to_text
from engine.core.recipe import Creation, Recipe
from engine.core.source_mark import source_type
from engine.packs.pack import Pack
from engine.worker.jobs import Progress, Render

if TYPE_CHECKING:
    from engine.collage.contact_sheet import CellPicture, ContactSheet


def make_sheet(arguments: Namespace, handlers: str) -> Answer:
    """A recipe (a JSON file, or a PNG that remembers one) or a prompt as a sheet of its variants: collages at once, or
    renders with what arrived in each."""
    # These bring scipy, which few commands need.
    from engine.collage.contact_sheet import ContactSheet, check_sheet_name, collage_sheet, save_sheet

    file = Path(arguments.out) if arguments.out else free_file(Path("sheet.png"), numbered=True)
    check_sheet_name(file)
    recipe, pack = recipe_of_words(arguments.recipe, arguments.pack)
    rows, columns = (read_axis(pack, words, arguments.most) for words in (arguments.rows, arguments.columns))
    creations: list[dict[str, Any]] = []
    printer = ProgressPrinter()
    try:
        if arguments.render:
            sheet = ContactSheet(pack, rows, columns, notes=True)
            creations = _render(sheet, recipe, pack, file, handlers)
        else:
            sheet = collage_sheet(pack, recipe, rows, columns, report=_told_to(printer))
    finally:
        printer.close()
    save_sheet(sheet.image, file, source_type(recipe.start, recipe.steps) if arguments.render else "")
    document = {
        "pack": pack.id,
        "prompt": to_text(recipe.prompt, pack.vocabulary),
        "file": str(file),
        "size": list(sheet.image.size),
        "rows": [pack.vocabulary.code_name(rows.part, code) for code in rows.codes],
        "columns": [pack.vocabulary.code_name(columns.part, code) for code in columns.codes],
    }
    counts = f"{len(rows.codes)} {arguments.rows.partition(':')[0]} × {len(columns.codes)}"
    return Answer(
        document | ({"creations": creations} if arguments.render else {}),
        f"{file} ({counts} {arguments.columns.partition(':')[0]})",
    )


def _told_to(printer: ProgressPrinter) -> Callable[[int, int], None]:
    return lambda done, total: printer(Progress("Putting creatures together", done, total))


def _render(sheet: ContactSheet, recipe: Recipe, pack: Pack, file: Path, handlers: str) -> list[dict[str, Any]]:
    """Render every cell into a folder beside the sheet; row, column, file and how many choices arrived of each."""
    from engine.collage.contact_sheet import CellPicture, fill_sheet

    out = make_folder(file.absolute().with_name(f"{file.stem}-renders"))
    kept: list[dict[str, Any]] = []
    places = sheet.cells
    with JobRunner(handlers) as desk:

        def show(cell: Recipe) -> CellPicture:
            row, column, *_ = next(places)
            (creation,) = desk.run(Render(str(pack.path), replace(cell, count=1), str(out)))
            arrived = sum(arrival.arrived for arrival in creation.receipt)
            kept.append({"row": row, "column": column, "path": creation.path, "arrived": arrived})
            return CellPicture(open_picture(creation.path), _receipt_line(creation, pack))

        fill_sheet(sheet, recipe, pack.vocabulary, show, lambda done, total: None)
    return kept


def _receipt_line(creation: Creation, pack: Pack) -> str:
    """What of a creation did not arrive."""
    parts = pack.vocabulary.parts
    missed = [parts[arrival.part].name for arrival in creation.receipt if arrival.missing]
    unsure = [parts[arrival.part].name for arrival in creation.receipt if arrival.unsure]
    said = [f"{', '.join(missed)} did not arrive"] * bool(missed) + [f"{', '.join(unsure)} unsure"] * bool(unsure)
    return ", ".join(said) or ("all arrived" if creation.receipt else "")
