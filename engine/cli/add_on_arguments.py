"""Add-ons on the command line: ``--lora FILE:0.8``, ``--embedding FILE``, ``--without FILE``."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from engine.core.add_on import EMBEDDING, LEAST_WEIGHT, LORA, MOST_WEIGHT, AddOn, with_add_on
from engine.core.add_on_file import look_at_add_on, require_fit
from engine.core.add_on_places import add_on_of, find_add_on, missing_add_on
from engine.core.errors import UserError
from engine.core.on_disk import is_file
from engine.packs.pack import BaseModel


def add_add_on_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of a command that renders."""
    weight = f"and a weight from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}"
    parser.add_argument(
        "--lora", action="append", default=[], metavar="FILE:W",
        help=f"a LoRA of somebody else's (.safetensors), {weight}; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--embedding", action="append", default=[], metavar="FILE:W",
        help="an embedding (textual inversion), said by the file's name; a weight below 0 keeps it out",
    )  # fmt: skip
    parser.add_argument(
        "--without", action="append", default=[], metavar="NAME", help="render without this add-on of the recipe"
    )


def read_add_ons(arguments: Namespace, loaded: tuple[AddOn, ...], base: BaseModel) -> tuple[AddOn, ...]:
    """The add-ons of a render: those of its recipe, without some, and those that are named now, which take the place of
    others of their name. Raises :class:`UserError`."""
    for name in arguments.without:
        left = tuple(add_on for add_on in loaded if name.casefold() not in (add_on.name.casefold(), _word(add_on)))
        if left == loaded:
            raise UserError(f"The recipe has no add-on {name}.", "Leave out --without.")
        loaded = left
    for kind, named in ((LORA, arguments.lora), (EMBEDDING, arguments.embedding)):
        for text in named:
            loaded = with_add_on(loaded, _add_on(text, kind, base))
    for add_on in loaded:
        if add_on.weight and find_add_on(add_on) is None:
            told = missing_add_on(add_on).message
            raise UserError(told, f"Name it: --{add_on.kind} FILE. Or render without it: --without {add_on.word}")
    return loaded


def _word(add_on: AddOn) -> str:
    return add_on.word.casefold()


def _add_on(text: str, kind: str, base: BaseModel) -> AddOn:
    name, weight = text, 1.0
    head, colon, tail = text.rpartition(":")
    if colon and not is_file(text):  # a name may hold one, a drive's letter too
        try:
            name, weight = head, float(tail)
        except ValueError:
            name, weight = text, 1.0
    if not LEAST_WEIGHT <= weight <= MOST_WEIGHT:
        raise UserError(
            f"{weight:g} is no weight for {Path(name).name}.", f"It is from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}."
        )
    path = Path(name)
    if not is_file(path) and path.name == name:  # a name alone: somewhere in the models folders
        suffix = "" if path.suffix.lower() == ".safetensors" else ".safetensors"
        path = find_add_on(AddOn(kind, f"{name}{suffix}")) or path
    add_on, file = add_on_of(path, weight), look_at_add_on(path)
    if add_on.kind != kind:
        raise UserError(f"{path.name} is an add-on of another kind.", f"Give it as --{add_on.kind}.")
    require_fit(path.name, file, base.widths)
    return add_on
