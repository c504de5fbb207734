"""How each part but the head is drawn, in its own frame: the body around its centre, wing and tail from
their roots (the wing hangs back along -x, the tail points along -x), legs from hip to ground."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import skia

from engine.aviary.drawing.attributes import Body, Legs, Tail, Wing
from engine.aviary.drawing.canvas import (
    Canvas,
    Point,
    blob,
    circle,
    curve,
    darker,
    lighter,
    luminance,
    oval,
    polar,
    polygon,
)


@dataclass(frozen=True)
class Frame:
    """A body outline with the points where the other parts are attached, body centre at (0, 0)."""

    points: tuple[Point, ...]
    head: Point
    shoulder: Point
    rump: Point
    tail_angle: float
    hips: tuple[Point, Point]
    belly: tuple[float, float, float, float]


FRAMES: dict[str, Frame] = {
    "round": Frame(
        ((25, -2), (19, -17), (0, -23), (-19, -16), (-25, 1), (-18, 18), (1, 24), (19, 17)),
        (15, -30), (3, -5), (-21, 6), 6, ((-6, 20), (8, 20)), (10, 8, 17, 17),
    ),
    "upright": Frame(
        ((20, -2), (14, -24), (2, -29), (-11, -21), (-19, 2), (-16, 22), (1, 30), (17, 21)),
        (6, -36), (-1, -10), (-13, 19), -28, ((-5, 26), (8, 26)), (8, 6, 13, 24),
    ),
    "sleek": Frame(
        ((30, -13), (18, -19), (-6, -15), (-28, -1), (-31, 6), (-18, 12), (6, 15), (25, 6)),
        (27, -26), (9, -6), (-26, 3), -2, ((-2, 12), (11, 12)), (12, 6, 20, 10),
    ),
    "plump": Frame(
        ((21, -6), (16, -21), (4, -25), (-10, -18), (-25, -2), (-25, 13), (-4, 22), (18, 15)),
        (14, -32), (1, -4), (-23, 7), 4, ((-7, 18), (8, 18)), (12, 4, 13, 18),
    ),
    "necked": Frame(
        ((22, -2), (18, -15), (20, -29), (18, -36), (9, -35), (4, -22), (-8, -14), (-26, -3),
         (-25, 8), (-8, 17), (14, 14)),
        (17, -40), (2, -2), (-24, 2), 2, ((-5, 13), (8, 13)), (14, 2, 10, 14),
    ),
    "breasted": Frame(
        ((29, 1), (22, -17), (8, -22), (-8, -15), (-26, 0), (-31, 7), (-17, 15), (6, 21), (23, 16)),
        (18, -30), (4, -5), (-25, 4), 0, ((-4, 17), (9, 17)), (16, 8, 15, 15),
    ),
}  # fmt: skip

#: Hip to ground, in units of the 128-picture.
LEG_LENGTH: dict[str, float] = {
    "thin": 18,
    "stout": 16,
    "webbed": 15,
    "trousers": 16,
    "stilts": 25,
    "boots": 18,
    "banded": 19,
}


def _grid(left: float, top: float, right: float, bottom: float, step: float) -> list[Point]:
    """Staggered points over a box."""
    points: list[Point] = []
    y, row = top, 0
    while y <= bottom:
        x = left + (step / 2 if row % 2 else 0)
        while x <= right:
            points.append((x, y))
            x += step
        y, row = y + step * 0.8, row + 1
    return points


def _scales(easel: Canvas, box: tuple[float, float, float, float], step: float, colour: str) -> None:
    path = skia.Path()
    for x, y in _grid(*box, step):
        path.moveTo(x - step / 2, y)
        path.cubicTo(x - step / 2, y + step * 0.7, x + step / 2, y + step * 0.7, x + step / 2, y)
    easel.ink(path, colour, 2.0)


# -- body --------------------------------------------------------------------------------
def draw_body(easel: Canvas, body: Body) -> None:
    frame = FRAMES[body.outline]
    path = blob(frame.points)
    easel.shape(path, lighter(body.main, 0.12), darker(body.main, 0.10), darker(body.main, 0.5))
    easel.clip(path)
    x, y, rx, ry = frame.belly
    if body.pattern == "belly":
        easel.paint(oval(x, y, rx, ry), body.second)
    elif body.pattern == "bib":
        easel.paint(oval(x + 6, y - 8, rx + 1, ry + 1), body.second)
    elif body.pattern == "sunset":
        paint = skia.Paint(AntiAlias=True)
        paint.setShader(
            skia.GradientShader.MakeLinear(
                [skia.Point(-6, -16), skia.Point(10, 14)],
                [skia.ColorSetA(_argb(body.second), 0), _argb(body.second)],
                [0.35, 0.8],
            )
        )
        easel.canvas.drawPath(path, paint)
    elif body.pattern == "spots":
        easel.spots(_grid(-26, -18, 28, 26, 12), 2.9, body.second)
    elif body.pattern == "speckles":
        easel.spots(_grid(-28, -20, 28, 28, 7.5), 1.5, body.second)
    elif body.pattern == "stripes":
        bands = skia.Path()
        for height in range(-30, 34, 11):
            bands.moveTo(-36, height + 3)
            bands.cubicTo(-14, height + 9, 12, height + 5, 36, height - 4)
        easel.ink(bands, body.second, 4.4)
    elif body.pattern == "scales":
        _scales(easel, (-34, -40, 32, 24), 9.5, body.second)
    easel.unclip()


def _argb(colour: str) -> int:
    value = int(colour[1:], 16)
    return skia.Color(value >> 16, (value >> 8) & 255, value & 255)


# -- wing --------------------------------------------------------------------------------
def _leaf(points: list[Point]) -> Callable[[], skia.Path]:
    return lambda: blob(points)


def _fingered_wing() -> skia.Path:
    tips = [(-40, -4), (-40, 4), (-35, 11), (-26, 15)]
    path = skia.Path()
    path.moveTo(11, -3)
    path.cubicTo(6, -14, -18, -14, -31, -11)
    notches = [(-29, -1), (-27, 5), (-21, 9), (-14, 12)]
    path.lineTo(*tips[0])
    for tip, notch in zip(tips[1:], notches[:-1], strict=True):
        path.lineTo(*notch)
        path.lineTo(*tip)
    path.lineTo(*notches[-1])
    path.cubicTo(-4, 14, 11, 10, 11, -3)
    path.close()
    return path


def _scalloped_wing() -> skia.Path:
    path = skia.Path()
    path.moveTo(11, -3)
    path.cubicTo(6, -15, -22, -15, -33, -8)
    path.cubicTo(-38, -2, -34, 3, -27, 3)
    path.cubicTo(-29, 10, -22, 12, -17, 9)
    path.cubicTo(-15, 16, -7, 16, -4, 11)
    path.cubicTo(4, 14, 11, 8, 11, -3)
    path.close()
    return path


_WINGS: dict[str, Callable[[], skia.Path]] = {
    "leaf": _leaf([(11, -2), (4, -12), (-14, -11), (-34, 4), (-16, 10), (3, 11)]),
    "pointed": lambda: _pointed_wing(),
    "fingered": _fingered_wing,
    "scalloped": _scalloped_wing,
    "fan": _leaf([(10, 2), (2, -9), (-16, -17), (-32, -15), (-34, -2), (-27, 9), (-12, 13), (4, 11)]),
    "drop": _leaf([(10, -5), (2, -13), (-10, -10), (-18, 4), (-21, 20), (-9, 17), (5, 9)]),
}


def _pointed_wing() -> skia.Path:
    path = curve((11, -2), (8, -15, -14, -13, -43, 2), (-32, 5, -22, 7, -16, 11), (-4, 15, 12, 11, 11, -2))
    path.close()
    return path


def draw_wing(easel: Canvas, wing: Wing) -> None:
    path = _WINGS[wing.shape]()
    easel.shape(path, lighter(wing.main, 0.14), darker(wing.main, 0.12), darker(wing.main, 0.55))
    easel.clip(path)
    if wing.pattern == "plain":
        barbs = skia.Path()
        for start, end in (((-6, -3), (-32, 1)), ((-4, 3), (-25, 8)), ((-1, 8), (-16, 13))):
            barbs.moveTo(*start)
            barbs.quadTo(-14, (start[1] + end[1]) / 2 - 2, *end)
        easel.ink(barbs, wing.second, 2.0)
    elif wing.pattern == "bars":
        bars = skia.Path()
        for x in (-3, -13, -23, -33):
            bars.moveTo(x + 2, -20)
            bars.quadTo(x - 6, 0, x + 3, 22)
        easel.ink(bars, wing.second, 3.8)
    elif wing.pattern == "spots":
        easel.spots(_grid(-38, -13, 12, 22, 9.5), 2.3, wing.second)
    elif wing.pattern == "scales":
        _scales(easel, (-42, -18, 12, 20), 8.5, wing.second)
    elif wing.pattern == "tip":
        easel.paint(polygon([(-14, -24), (-50, -24), (-50, 30), (-22, 30)]), wing.second)
    elif wing.pattern == "layers":
        middle = lighter(wing.second, 0.1)
        easel.paint(polygon([(-3, -24), (-50, -24), (-50, 30), (-9, 30)]), middle)
        accent = "#ffd84a" if luminance(wing.second) < 0.55 else darker(wing.second, 0.55)
        easel.paint(polygon([(-17, -24), (-50, -24), (-50, 30), (-22, 30)]), accent)
    elif wing.pattern == "edge":
        easel.ink(path, wing.second, 8.0)
        easel.ink(path, darker(wing.main, 0.55), Canvas.OUTLINE)
    easel.unclip()


# -- tail --------------------------------------------------------------------------------
def _tail_path(shape: str) -> skia.Path:
    if shape == "square":
        return polygon([(6, -5), (-28, -8), (-31, 7), (6, 6)])
    if shape == "fork":
        return polygon([(6, -5), (-33, -13), (-22, 0), (-33, 13), (6, 6)])
    if shape == "fan":
        return blob([(6, 0), (-12, -9), (-27, -18), (-33, -10), (-31, 0), (-33, 10), (-27, 18), (-12, 9)])
    if shape == "wedge":
        return polygon([(6, -4), (-24, -7), (-38, 1), (-24, 8), (6, 5)])
    if shape == "stub":
        return blob([(6, -7), (-8, -8), (-17, 0), (-8, 8), (6, 7)])
    if shape == "train":
        return blob([(6, 0), (-10, -16), (-25, -30), (-34, -22), (-39, -9), (-40, 5), (-35, 18), (-22, 17), (-8, 8)])
    if shape == "upright":
        return blob([(6, 5), (-6, 6), (-17, -4), (-23, -21), (-19, -31), (-11, -27), (-6, -12), (4, -6)])
    raise KeyError(shape)


def draw_tail(easel: Canvas, tail: Tail) -> None:
    main, second = tail.main, tail.second
    if tail.shape in ("streamers", "lyre", "curl"):
        _draw_ribbons(easel, tail)
        return
    path = _tail_path(tail.shape)
    easel.shape(path, lighter(main, 0.10), darker(main, 0.10), darker(main, 0.55))
    box = path.getBounds()
    easel.clip(path)
    if tail.pattern == "plain":
        ribs = skia.Path()
        for y in (-0.45, 0.0, 0.45):
            ribs.moveTo(-2, 0)
            ribs.lineTo(box.left() * 0.8, y * box.height() + (box.top() + box.bottom()) / 2)
        easel.ink(ribs, second, 1.8)
    elif tail.pattern == "tip":
        if tail.shape == "upright":
            easel.paint(polygon([(-40, -17), (10, -20), (10, -40), (-40, -40)]), second)
        else:
            edge = box.left() * 0.62
            easel.paint(polygon([(edge, -40), (-60, -40), (-60, 40), (edge, 40)]), second)
    elif tail.pattern == "bars":
        bars = skia.Path()
        for i in range(1, 6):
            bars.addCircle(6, 0, 9.0 * i - 1)
        easel.ink(bars, second, 3.4)
    else:
        eyes = [polar(180 + a, r) for r in (18, 31) for a in (-36, -12, 12, 36)]
        easel.spots(eyes, 4.6, second)
        easel.spots(eyes, 2.3, darker(main, 0.5))
    easel.unclip()


def _draw_ribbons(easel: Canvas, tail: Tail) -> None:
    """Tails that are lines: a curl, two wavy streamers, a lyre's two arms."""
    if tail.shape == "curl":
        paths = [
            curve((4, 0), (-12, 4, -26, 2, -27, -12), (-28, -24, -12, -26, -12, -15), (-12, -9, -18, -9, -19, -13))
        ]
    elif tail.shape == "streamers":
        paths = [
            curve((4, 2), (-12, 10, -18, -2, -28, 6), (-33, 10, -36, 12, -40, 10)),
            curve((4, -2), (-12, -4, -18, -14, -28, -6), (-33, -3, -36, -3, -40, -7)),
        ]
    else:
        paths = [
            curve((4, 2), (-14, 8, -26, 8, -31, 14), (-35, 20, -28, 24, -25, 19)),
            curve((4, -2), (-14, -6, -24, -10, -29, -19), (-31, -26, -23, -28, -21, -22)),
        ]
    width = 7.0 if tail.shape == "curl" else 5.4
    for path in paths:
        easel.line(path, tail.main, width, darker(tail.main, 0.55))
    for path in paths:
        measure = skia.PathMeasure(path, False)
        length = measure.getLength()
        if tail.pattern == "plain":
            easel.ink(path, tail.second, 1.5)
        elif tail.pattern == "tip":
            end = skia.Path()
            measure.getSegment(length * 0.66, length, end, True)
            easel.ink(end, tail.second, width)
        elif tail.pattern == "bars":
            for start in range(6, int(length), 11):
                piece = skia.Path()
                measure.getSegment(start, start + 4.5, piece, True)
                easel.ink(piece, tail.second, width)
        else:
            points = [measure.getPosTan(d)[0] for d in (length * 0.5, length * 0.95)]
            easel.spots([(p.x(), p.y()) for p in points], 3.2, tail.second)


# -- legs --------------------------------------------------------------------------------
def draw_leg(easel: Canvas, legs: Legs, foot: Point) -> None:
    """One leg from (0, 0) at the hip down to the foot; the far leg is drawn first by the caller."""
    x, y = foot
    style, main, second = legs.style, legs.main, legs.second
    width = {"stout": 5.6, "trousers": 4.4, "webbed": 5.0, "banded": 5.0, "boots": 4.2}.get(style, 3.4)
    knee = (x * 0.5 - 3.5, y * 0.52) if style == "stilts" else (x * 0.5, y * 0.5)
    shank = polygon_line([(0, -6), knee, (x, y)])
    easel.line(shank, main, width)
    if style == "webbed":
        easel.shape(polygon([(x - 4, y + 1), (x + 1, y - 4), (x + 11, y + 2.5), (x - 4, y + 3)]), main)
    else:
        toes = skia.Path()
        toe = 8.0 if style != "boots" else 5.5
        toes.moveTo(x - 5, y + 2)
        toes.lineTo(x, y)
        toes.lineTo(x + toe, y + 2)
        thick = 6.0 if style == "boots" else min(width, 3.8)
        easel.line(toes, second if style in ("boots", "trousers") else main, thick)
    if style == "boots":
        easel.line(polygon_line([(x * 0.75, y * 0.6), (x, y)]), second, 6.4)
    elif style == "trousers":
        fluff = blob([(-7, -8), (7, -8), (6.5, 2), (knee[0] + 4, knee[1] + 3), (knee[0] - 4, knee[1] + 3), (-6.5, 2)])
        easel.shape(fluff, main)
    elif style == "stilts":
        easel.shape(circle(*knee, 2.9), second)
    elif style == "banded":
        bands = skia.Path()
        for t in (0.2, 0.5, 0.8):
            bands.moveTo(x * t - 2.4, y * t)
            bands.lineTo(x * t + 2.4, y * t)
        easel.ink(bands, second, 3.0)


def polygon_line(points: list[Point]) -> skia.Path:
    path = skia.Path()
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    return path
