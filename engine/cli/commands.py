"""The commands of the headless front door that look and render: each takes its arguments and gives an
:class:`~engine.cli.console.Answer`."""

from __future__ import annotations

import json
import secrets
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.cli.add_on_arguments import read_add_ons
from engine.cli.console import DONE, FAILED, INTERRUPTED, Answer, Interrupted, JobRunner
from engine.cli.pack_commands import pack_summary
from engine.cli.recipe_file import recipe_from_file
from engine.core.atomic_files import make_folder, write_whole
from engine.core.errors import UserError
from engine.core.image_files import open_picture
from engine.core.legacy_prompt import parse_legacy
from engine.core.match_rate import receipt_words
from engine.core.on_disk import exists, is_folder
from engine.core.paths import creations_dir, free_stem
from engine.core.picture_listing import picture_files
from engine.core.prompt import choice_text, no_such_part, parse, to_text
from engine.core.recipe import BY_SEED, Creation
from engine.core.segmentation import NO_PART, Segmentation
from engine.core.start import Start, default_freedom
from engine.core.vocabulary import ABSENT, Choice
from engine.packs.base_sizes import size_warning, sizes_of
from engine.packs.library import PackLibrary
from engine.packs.pack import MANIFEST, Pack
from engine.packs.prompt_notes import prompt_notes
from engine.packs.prompt_room import prompt_warning, room_of
from engine.packs.unsaid_parts import fixed_rest
from engine.worker.jobs import Discover, EyeSettings, Render, Segment, Segmented


def segment_pictures(arguments: Namespace, handlers: str) -> Answer:
    """Labels and an overlay of each picture, and the sentence it reads as. One bad picture does not stop the rest."""
    pack = PackLibrary().find(arguments.pack)
    out = make_folder(Path(arguments.out))
    pictures: list[dict[str, Any]] = []
    errors: list[dict[str, str]] = []
    lines: list[str] = []
    code = DONE
    with JobRunner(handlers) as desk:
        for image in _pictures(arguments.images):
            try:
                result: Segmented = desk.run(Segment(str(pack.path), str(Path(image).absolute()), anyway=True))
                pictures.append(_keep_segmentation(pack, image, result, out))
                lines += [f"{image}: {pictures[-1]['prompt']}", *([f"  {result.note}"] if result.note else [])]
            except Interrupted:
                code = INTERRUPTED
                break
            except UserError as error:
                errors.append({"image": image, "message": error.message, "hint": error.hint})
                print(f"{image}: {error.message} {error.hint}", file=sys.stderr)
                code = FAILED
    return Answer({"pack": pack.id, "pictures": pictures, "errors": errors}, "\n".join(lines), code)


def _pictures(places: Sequence[str]) -> Iterator[str]:
    for place in places:
        yield from (str(path) for path in picture_files(place)) if is_folder(place) else (place,)


def _keep_segmentation(pack: Pack, image: str, result: Segmented, out: Path) -> dict[str, Any]:
    segmentation = result.segmentation
    stem = free_stem(out, Path(image).stem, ("-labels.png", "-parts.png"))
    labels, overlay = out / f"{stem}-labels.png", out / f"{stem}-parts.png"
    write_whole(labels, lambda beside: Image.fromarray(segmentation.labels).save(beside, "PNG"), "the labels")
    picture = _overlay(pack, open_picture(image), segmentation)
    write_whole(overlay, lambda beside: picture.save(beside, "PNG"), "the picture")
    vocabulary = pack.vocabulary
    choices = [Choice(part, code) for part, code in enumerate(segmentation.codes) if code != ABSENT]
    visible = [choice for choice in choices if not vocabulary.parts[choice.part].background]
    return {
        "image": image,
        "labels": str(labels),
        "overlay": str(overlay),
        "codes": {
            vocabulary.parts[choice.part].name: vocabulary.code_name(choice.part, choice.code) for choice in visible
        },
        "prompt": " ".join(choice_text(choice, vocabulary) for choice in visible),
        "note": result.note,
    }


def _overlay(pack: Pack, picture: Image.Image, segmentation: Segmentation) -> Image.Image:
    """The picture with each part tinted in its colour."""
    colours = np.zeros((256, 3), np.float32)
    strength = np.zeros((256, 1), np.float32)
    for part in pack.vocabulary.visible_parts:
        colours[part.index] = [int(part.colour[at : at + 2], 16) for at in (1, 3, 5)]
        strength[part.index] = 0.55
    strength[NO_PART] = 0
    labels = segmentation.labels
    pixels = np.array(picture.resize((labels.shape[1], labels.shape[0])))
    for rows, tinted in zip(labels, pixels, strict=True):  # a row at a time: in floats all would take a gigabyte
        mixed = tinted * (1 - strength[rows]) + colours[rows] * strength[rows]
        tinted[:] = mixed.round().astype(np.uint8)
    return Image.fromarray(pixels)


def render_prompt(arguments: Namespace, handlers: str) -> Answer:
    """Creations of a prompt or of a recipe (a JSON file, or a PNG that remembers one)."""
    # A creation to start from knows its recipe.
    source = arguments.recipe or ("" if arguments.prompt else arguments.start_from)
    if source:
        recipe, pack = recipe_from_file(Path(source), arguments.pack)
    else:
        pack = PackLibrary().find(arguments.pack)
        recipe = pack.new_recipe(seed=secrets.randbelow(2**31))
    if arguments.prompt:
        recipe = replace(recipe, prompt=_read_prompt(arguments.prompt, pack, arguments.legacy))
    elif not source:
        raise UserError("There is nothing to render.", 'Say a prompt, such as "a photo of a bird", or give --recipe.')
    named = ("negative", "seed", "count", "steps", "guidance", "size", "tries")
    settings = {name: getattr(arguments, name) for name in named if getattr(arguments, name) is not None}
    add_ons = read_add_ons(arguments, recipe.add_ons, pack.base_model)
    if arguments.rest:
        recipe = replace(recipe, rest=_read_rest(arguments.rest, pack))
    elif arguments.start_from and arguments.start_from == source:  # another seed would take it from another picture
        recipe = replace(recipe, rest=fixed_rest(pack, recipe))
    recipe = replace(recipe, start=_read_start(arguments, recipe.start, pack), add_ons=add_ons, **settings)
    if warning := size_warning(sizes_of(pack.base_model), recipe.size):
        print(f"{warning} --size 0 is the model's own.", file=sys.stderr)
    room = room_of(pack.base_model)
    for what, prompt in (("", recipe.prompt), ("Negative prompt: ", (recipe.negative,))):
        if said := prompt_warning(room, prompt):
            print(f"{what}{said}", file=sys.stderr)
    for sentence in prompt_notes(pack, recipe, room.known if room else None):
        print(sentence, file=sys.stderr)
    out = make_folder(Path(arguments.out) if arguments.out else creations_dir())
    code = DONE
    with JobRunner(handlers) as desk:
        try:
            creations: tuple[Creation, ...] = desk.run(
                Render(str(pack.path), recipe, str(out.absolute()), not arguments.no_mark)
            )
        except Interrupted as interrupted:
            creations, code = interrupted.creations, INTERRUPTED
    if recipe.tries > 1 and any(not creation.receipt for creation in creations):
        print("What arrived cannot be seen here, so there was one try a picture.", file=sys.stderr)
    document = {
        "pack": pack.id,
        "prompt": to_text(recipe.prompt, pack.vocabulary),
        "creations": [_creation(pack, creation) for creation in creations],
        "interrupted": code == INTERRUPTED,
    }
    return Answer(document, "\n".join(_creation_line(pack, creation) for creation in creations), code)


def _read_start(arguments: Namespace, loaded: Start | None, pack: Pack) -> Start | None:
    """What a render begins with: as its recipe says, changed by what is said now."""
    kept, changed = (_read_parts(words, pack) for words in (arguments.keep, arguments.reroll))
    if not (arguments.from_collage or arguments.start_from or kept or changed or arguments.freedom is not None):
        return loaded
    start = loaded or Start(default_freedom(pack.base_model.id))
    if arguments.start_from:
        start = replace(start, creation=str(Path(arguments.start_from).absolute()))
    if arguments.from_collage:
        start = replace(start, creation="")
    freedom = start.freedom if arguments.freedom is None else arguments.freedom
    return replace(start, freedom=freedom, keep=kept or start.keep, only=changed or start.only)


def _read_rest(word: str, pack: Pack) -> str:
    """Where unsaid parts come from, as a recipe has it. Raises :class:`UserError` for a picture the pack lacks."""
    if word in ("by-seed", "none"):
        return BY_SEED if word == "by-seed" else ""
    folded = word.casefold()
    reference = next((one for one in pack.references if folded in (one.id.casefold(), one.title.casefold())), None)
    if reference is None:
        raise UserError(
            f"There is no picture “{word}” in the pack “{pack.title}”.",
            "Write --rest by-seed, none, or one of its own.",
        )
    return reference.id


def _read_parts(words: Sequence[str] | None, pack: Pack) -> tuple[int, ...]:
    parts = []
    for word in words or ():
        part = pack.vocabulary.find_part(word)
        if part is None:
            raise no_such_part(word, pack.vocabulary)
        parts.append(part.index)
    return tuple(parts)


def _read_prompt(text: str, pack: Pack, legacy: str | None) -> tuple[str | Choice, ...]:
    if legacy:
        return parse_legacy(text, pack.vocabulary, legacy)  # pyright: ignore[reportArgumentType]  argparse has checked it
    prompt = parse(text, pack.vocabulary)
    if len(prompt) == 1 and len(parse_legacy(text, pack.vocabulary, "bare")) > 1:
        print("Numbers such as 0:16 are plain words; --legacy bare reads them as choices.", file=sys.stderr)
    return prompt


def _creation(pack: Pack, creation: Creation) -> dict[str, Any]:
    vocabulary = pack.vocabulary
    return {
        "path": creation.path,
        "seed": creation.recipe.seed,
        **({"rest": creation.rest.to_document()} if creation.rest else {}),
        "recipe": json.loads(creation.recipe.to_json()),
        "receipt": [
            {
                "part": vocabulary.parts[arrival.part].name,
                "code": vocabulary.code_name(arrival.part, arrival.code),
                "found": vocabulary.code_name(arrival.part, arrival.found),
                "arrived": arrival.arrived,
                "similarity": round(arrival.similarity, 4),
                **({} if arrival.where is None else {"where": round(arrival.where, 4)}),
                **({} if arrival.likelihood is None else {"likelihood": round(arrival.likelihood, 4)}),
                **({"unsure": True} if arrival.unsure else {}),
            }
            for arrival in creation.receipt
        ],
    }


def _creation_line(pack: Pack, creation: Creation) -> str:
    parts = [
        f"{pack.vocabulary.parts[arrival.part].name} {'✓' if arrival.arrived else '?' if arrival.unsure else '✗'}"
        for arrival in creation.receipt
    ]
    words = [f"({receipt_words(creation.receipt, pack.vocabulary.codes_per_part)})"] if creation.receipt else []
    words += [f"(the rest is from {creation.rest.title})"] if creation.rest else []
    return "  ".join([creation.path, *parts, *words])


def discover_vocabulary(arguments: Namespace, handlers: str) -> Answer:
    """A new pack with the parts and codes found in a folder of pictures."""
    out = Path(arguments.out)
    if exists(out / MANIFEST):
        raise UserError(f"There is a pack in {out} already.", "Choose another name for --out.")
    names = [name.strip() for name in arguments.names.split(",")] if arguments.names else []
    if not all(names) or len({name.casefold() for name in names}) < len(names):
        raise UserError("Two names of --names are the same, or one is empty.", "Give each part a name of its own.")
    job = Discover(
        str(Path(arguments.folder).absolute()), str(out.absolute()), arguments.parts, arguments.codes,
        arguments.noun, arguments.eyes, arguments.base_model, arguments.seed, arguments.title,
        arguments.flip_background, arguments.merged, arguments.dropped,
        str(PackLibrary().find(arguments.extends).path) if arguments.extends else "",
        names,
        references=arguments.references, codes_from=arguments.codes_from,
        eye_settings=EyeSettings(arguments.image_size, arguments.feature_layer, arguments.sees),
        left_out=_left_out(arguments.folder, arguments.left_out),
    )  # fmt: skip
    with JobRunner(handlers) as desk:
        pack = Pack.open(desk.run(job))
    if unused := names[0 if job.extends else len(pack.vocabulary.parts) :]:
        why = "the parts keep the pack's names" if job.extends else f"there are {len(pack.vocabulary.parts)} parts"
        print(f"Not used of --names: {', '.join(unused)}; {why}.", file=sys.stderr)
    return Answer({**pack_summary(pack), "found": dict(pack.metrics)}, "\n".join(_discovered(pack)))


def _left_out(folder: str, names: Sequence[str]) -> tuple[str, ...]:
    """Pictures to leave out, as the job has them: paths below the folder. Raises :class:`UserError` for one that is
    not there."""
    place = Path(folder).absolute()
    files = {file.relative_to(place).as_posix() for file in picture_files(place)} if names else set[str]()
    for name in names:
        if name not in files:
            raise UserError(f"There is no picture {name} in {place.name}.", "Name it as it stands below the folder.")
    return tuple(names)


def _discovered(pack: Pack) -> Iterator[str]:
    """What was found, for people."""
    metrics, vocabulary = pack.metrics, pack.vocabulary
    yield f"{pack.path}: {len(vocabulary.parts)} parts, {vocabulary.codes_per_part} codes each."
    shares = metrics.get("parts_share") or [0.0] * len(vocabulary.parts)
    for part, share in zip(vocabulary.parts, shares, strict=False):
        yield f"  {part.name}: {share:.1%} of the pictures" + (", background" if part.background else "")
    for first, other in metrics.get("alike") or ():
        yield f"  {vocabulary.parts[first].name} and {vocabulary.parts[other].name} are nearly the same: merge them?"
    yield from (str(metrics[key]) for key in ("reason", "eyes", "note") if metrics.get(key))
    problems = metrics.get("skipped") or []
    yield from (f"Left out: {message}" for message in problems[:20])
    if len(problems) > 20:
        yield f"... and {len(problems) - 20} more; --json lists them all."
    yield from (f"Note: {message}" for message in metrics.get("notes") or [])
    yield f"Mix it now, untrained: partcraft collage PROMPT --pack {pack.path} --out creature.png"
    yield f"Next, to have it paint, too: partcraft train {pack.path}"
