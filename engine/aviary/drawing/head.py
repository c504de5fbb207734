"""How a head is drawn around its centre: crest and beak behind the skull, pattern and eye on it."""

from __future__ import annotations

import skia

from engine.aviary.drawing.attributes import Head
from engine.aviary.drawing.body_parts import polygon_line
from engine.aviary.drawing.canvas import Canvas, blob, circle, curve, darker, lighter, luminance, oval, polar, polygon

HEAD_RADIUS = 16.5


def draw_head(easel: Canvas, head: Head) -> None:
    _draw_crest(easel, head)
    _draw_beak(easel, head)
    radius = HEAD_RADIUS
    skull = circle(0, 0, radius)
    easel.shape(skull, lighter(head.main, 0.14), darker(head.main, 0.08), darker(head.main, 0.5))
    easel.clip(skull)
    second = head.second
    if head.pattern == "mask":
        easel.paint(blob([(17, -5), (8, -8), (-1, -5), (0, 4), (8, 8), (17, 8)]), second)
    elif head.pattern == "cap":
        easel.paint(blob([(20, -7), (4, -7), (-13, -4), (-20, -10), (-8, -22), (12, -22)]), second)
    elif head.pattern == "cheek":
        easel.paint(circle(2, 7.5, 5), second)
    elif head.pattern == "brow":
        easel.ink(curve((18, -9), (8, -12, -6, -9, -17, 0)), second, 4.4)
    elif head.pattern == "bib":
        easel.paint(blob([(18, 4), (6, 5), (-5, 11), (-4, 22), (18, 22)]), second)
    elif head.pattern == "disc":
        easel.paint(oval(8, 2, 11.5, 12.5), second)
    elif head.pattern == "collar":
        easel.ink(curve((-16, 6), (-6, 15, 8, 15, 18, 8)), second, 5.0)
    elif head.pattern == "streak":
        easel.ink(curve((18, 1), (8, 0, -4, 0, -18, 7)), second, 5.0)
    easel.unclip()
    _draw_eye(easel, head)


def _draw_eye(easel: Canvas, head: Head) -> None:
    x, y = 5.5, -2.0
    behind = {"mask": head.second, "disc": head.second, "streak": head.second}.get(head.pattern, head.main)
    dark_face = luminance(behind) < 0.36
    if head.eye == "sleepy":
        lid = curve((x - 5, y - 1), (x - 3, y + 4.5, x + 3, y + 4.5, x + 5, y - 1))
        easel.ink(lid, "#ffffff" if dark_face else "#1c1a26", 2.8)
        return
    if head.eye == "ring":
        easel.paint(circle(x, y, 6.4), "#ffffff")
        easel.ink(circle(x, y, 6.4), "#2a2634", 1.2)
    elif head.eye == "wide":
        easel.paint(circle(x, y, 7.8), "#ffc530")
        easel.ink(circle(x, y, 7.8), "#2a2634", 1.6)
    elif dark_face:
        # A dark eye on a dark face would be lost to the autoencoder.
        easel.paint(circle(x, y, 5.6), "#e9e4f2")
    easel.paint(circle(x, y, 4.2), "#17151f")
    easel.paint(circle(x + 1.4, y - 1.5, 1.7), "#ffffff")


def _draw_beak(easel: Canvas, head: Head) -> None:
    colour, kind = head.beak_colour, head.beak
    line: skia.Path | None = None
    if kind == "tiny":
        path = polygon([(13, -3), (23, 2), (13, 6)])
    elif kind == "cone":
        path = polygon([(12, -7), (27, 2), (12, 9)])
        line = polygon_line([(15, 2), (25, 2)])
    elif kind == "needle":
        path = polygon([(12, -2), (38, 0), (12, 4)])
    elif kind == "dagger":
        path = polygon([(12, -6), (34, 2), (12, 7)])
        line = polygon_line([(15, 2), (31, 2)])
    elif kind == "hook":
        path = curve((11, -8), (25, -10, 31, 2, 22, 12), (22, 6, 18, 6, 12, 7))
        path.close()
    elif kind == "toucan":
        path = curve((11, -9), (26, -14, 40, -5, 39, 8), (32, 7, 22, 11, 11, 9))
        path.close()
    elif kind == "bill":
        path = curve((12, -5), (18, -1, 24, 0, 31, 0), (35, 1, 34, 6, 30, 6), (22, 7, 17, 8, 12, 7))
        path.close()
    elif kind == "sickle":
        path = curve((12, -4), (26, -5, 34, 2, 36, 15), (30, 7, 22, 3, 12, 5))
        path.close()
    elif kind == "triangle":
        path = polygon([(10, -11), (27, 3), (10, 11)])
    elif kind == "heavy":
        path = curve((11, -8), (22, -9, 30, -3, 33, 5), (25, 6, 18, 8, 11, 8))
        path.close()
        line = curve((14, 1), (20, 0, 26, 2, 30, 4))
    else:
        path = curve((12, -2), (22, 3, 30, 0, 37, -9), (33, 2, 24, 9, 12, 6))
        path.close()
    easel.shape(path, lighter(colour, 0.12), darker(colour, 0.10), darker(colour, 0.5))
    easel.clip(path)
    if kind == "toucan":
        easel.paint(polygon([(31, -20), (50, -20), (50, 20), (33, 20)]), "#2a2530")
    elif kind == "triangle":
        bands = skia.Path()
        bands.moveTo(17, -14)
        bands.lineTo(17, 14)
        easel.ink(bands, "#ffe08a", 3.0)
    easel.unclip()
    if line is not None:
        easel.ink(line, darker(colour, 0.55), 1.4)


def _draw_crest(easel: Canvas, head: Head) -> None:
    """Crests stand behind the skull, so they only need to reach out of it."""
    colour, kind = head.crest_colour, head.crest
    edge = darker(colour, 0.5)

    def feathers(angles: tuple[float, ...], length: float, half: float) -> None:
        for angle in angles:
            tip = polar(angle, length)
            easel.shape(polygon([polar(angle - half, 12), tip, polar(angle + half, 12)]), colour, None, edge)

    if kind == "point":
        easel.shape(polygon([(11, -10), (-3, -33), (-14, -5)]), colour, None, edge)
    elif kind == "spikes":
        feathers((-60, -88, -116, -144), 25, 17)
    elif kind == "curl":
        path = curve((0, -14), (-1, -24, 2, -31, -6, -31), (-13, -31, -13, -22, -7, -23))
        easel.line(path, colour, 3.6, edge)
    elif kind == "comb":
        for angle, far in ((-58, 18), (-85, 21), (-112, 20), (-137, 17)):
            easel.shape(circle(*polar(angle, far), 6.2), colour, None, edge)
    elif kind == "ears":
        for points in ([(13, -9), (13, -31), (1, -14)], [(-1, -14), (-14, -29), (-15, -6)]):
            easel.shape(polygon(points), colour, None, edge)
    elif kind == "antennae":
        for angle in (-68, -92, -116):
            end = polar(angle, 27)
            easel.line(polygon_line([polar(angle, 13), end]), colour, 1.8, edge)
            easel.shape(circle(*end, 3.7), colour, None, edge)
    elif kind == "fan":
        for angle in (-48, -74, -100, -126, -152):
            tip, left, right = polar(angle, 31), polar(angle - 9, 14), polar(angle + 9, 14)
            easel.shape(blob([left, polar(angle - 7, 26), tip, polar(angle + 7, 26), right]), colour, None, edge)
    elif kind == "plume":
        easel.line(curve((-4, -13), (-6, -27, -18, -30, -27, -22)), colour, 3.4, edge)
        easel.shape(circle(-27, -21, 4.4), colour, None, edge)
    elif kind == "mop":
        easel.shape(
            blob([(13, -8), (14, -19), (3, -25), (-9, -24), (-19, -17), (-22, -4), (-12, -4)]), colour, None, edge
        )
    elif kind == "crown":
        easel.shape(
            polygon([(11, -9), (13, -27), (4, -20), (-2, -31), (-8, -20), (-17, -24), (-14, -6)]), colour, None, edge
        )
