"""The space that parts of birds live in: each part is a point of forms and colours.

A part is a small frozen dataclass: some fields name a form (one of FORMS), the others are colours
("#rrggbb"). Any five parts make a bird; random birds are random points.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, fields

import numpy as np

PARTS = ("head", "body", "wing", "tail", "legs")


@dataclass(frozen=True)
class Head:
    crest: str
    beak: str
    eye: str
    pattern: str
    main: str
    second: str
    beak_colour: str
    crest_colour: str


@dataclass(frozen=True)
class Body:
    outline: str
    pattern: str
    main: str
    second: str


@dataclass(frozen=True)
class Wing:
    shape: str
    pattern: str
    main: str
    second: str


@dataclass(frozen=True)
class Tail:
    shape: str
    pattern: str
    main: str
    second: str


@dataclass(frozen=True)
class Legs:
    style: str
    main: str
    second: str


Look = Head | Body | Wing | Tail | Legs
KINDS: dict[str, type[Look]] = {
    "head": Head,
    "body": Body,
    "wing": Wing,
    "tail": Tail,
    "legs": Legs,
}

#: For every part, the forms each of its form fields may take. Fields not listed are colours.
FORMS: dict[str, dict[str, tuple[str, ...]]] = {
    "head": {
        "crest": (
            "none",
            "point",
            "spikes",
            "curl",
            "comb",
            "ears",
            "antennae",
            "fan",
            "plume",
            "mop",
            "crown",
        ),
        "beak": (
            "cone",
            "needle",
            "dagger",
            "hook",
            "toucan",
            "bill",
            "sickle",
            "triangle",
            "heavy",
            "tiny",
            "upturned",
        ),
        "eye": ("dot", "ring", "sleepy", "wide"),
        "pattern": (
            "plain",
            "mask",
            "cap",
            "cheek",
            "brow",
            "bib",
            "disc",
            "collar",
            "streak",
        ),
    },
    "body": {
        "outline": ("round", "upright", "sleek", "plump", "necked", "breasted"),
        "pattern": (
            "plain",
            "belly",
            "spots",
            "stripes",
            "scales",
            "speckles",
            "bib",
            "sunset",
        ),
    },
    "wing": {
        "shape": ("leaf", "pointed", "fingered", "scalloped", "fan", "drop"),
        "pattern": ("plain", "bars", "spots", "scales", "tip", "layers", "edge"),
    },
    "tail": {
        "shape": (
            "square",
            "fork",
            "fan",
            "wedge",
            "stub",
            "curl",
            "streamers",
            "upright",
            "lyre",
            "train",
        ),
        "pattern": ("plain", "tip", "bars", "eyes"),
    },
    "legs": {
        "style": ("thin", "stout", "webbed", "trousers", "stilts", "boots", "banded"),
    },
}


@dataclass(frozen=True)
class Bird:
    """Five parts; `sources` names the species each came from, in PARTS order ("" = none)."""

    head: Head
    body: Body
    wing: Wing
    tail: Tail
    legs: Legs
    sources: tuple[str, str, str, str, str] = ("", "", "", "", "")

    def part(self, name: str) -> Look:
        return getattr(self, name)


def random_colour(rng: np.random.Generator) -> str:
    """A colour that looks painted: any hue, mostly vivid, sometimes nearly black, white or grey."""
    mood = rng.random()
    if mood < 0.70:
        saturation, value = rng.uniform(0.45, 0.92), rng.uniform(0.5, 0.98)
    elif mood < 0.85:
        saturation, value = rng.uniform(0.05, 0.4), rng.uniform(0.75, 1.0)
    else:
        saturation, value = rng.uniform(0.05, 0.5), rng.uniform(0.13, 0.35)
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), saturation, value)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def random_part(name: str, rng: np.random.Generator) -> Look:
    """A part drawn uniformly over forms, freely over colours."""
    values: list[str] = []
    for field in fields(KINDS[name]):
        forms = FORMS[name].get(field.name)
        values.append(forms[int(rng.integers(len(forms)))] if forms else random_colour(rng))
    return KINDS[name](*values)


def random_bird(rng: np.random.Generator) -> Bird:
    """A bird of no species: five random parts."""
    parts = {name: random_part(name, rng) for name in PARTS}
    return Bird(**parts)  # pyright: ignore[reportArgumentType]


def rgb(colour: str) -> tuple[int, int, int]:
    """A colour "#rrggbb" as three integers in 0..255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def attributes(look: Look, name: str) -> np.ndarray:
    """A part as numbers, float32 (A,): one-hot forms, then colours in [-1, 1]."""
    numbers: list[float] = []
    for field in fields(look):
        value = getattr(look, field.name)
        forms = FORMS[name].get(field.name)
        if forms:
            numbers += [1.0 if value == form else 0.0 for form in forms]
        else:
            numbers += [channel / 127.5 - 1.0 for channel in rgb(value)]
    return np.asarray(numbers, np.float32)


def attribute_width(name: str) -> int:
    """How many numbers `attributes` gives for that part."""
    return len(attributes(random_part(name, np.random.default_rng(0)), name))
