"""The easel: one anti-aliased picture and one exact label map, painted with the same paths.

Coordinates are those of a 128 x 128 picture, y downwards, the bird looking right; the easel scales
them to the wanted size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import skia

Point = tuple[float, float]


def hex_colour(colour: str, alpha: float = 1.0) -> int:
    """A colour "#rrggbb" as skia's ARGB integer."""
    value = int(colour[1:], 16)
    return skia.Color(value >> 16, (value >> 8) & 255, value & 255, round(alpha * 255))


def blend(colour: str, other: str, amount: float) -> str:
    """Colour moved towards another one; amount in 0..1."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * amount):02x}" for a, b in pairs)


def lighter(colour: str, amount: float) -> str:
    return blend(colour, "#ffffff", amount)


def darker(colour: str, amount: float) -> str:
    # Towards a deep violet-blue, not black: shadows stay friendly.
    return blend(colour, "#1a1430", amount)


def luminance(colour: str) -> float:
    """Perceived brightness in 0..1."""
    red, green, blue = _channels(colour)
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def blob(points: Sequence[Point]) -> skia.Path:
    """A closed smooth outline through the points (Catmull-Rom as cubic curves)."""
    path = skia.Path()
    count = len(points)
    path.moveTo(*points[0])
    for i in range(count):
        (ax, ay), (bx, by) = points[i - 1], points[i]
        (cx, cy), (dx, dy) = points[(i + 1) % count], points[(i + 2) % count]
        path.cubicTo(bx + (cx - ax) / 6, by + (cy - ay) / 6, cx - (dx - bx) / 6, cy - (dy - by) / 6, cx, cy)
    path.close()
    return path


def polygon(points: Sequence[Point]) -> skia.Path:
    path = skia.Path()
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    path.close()
    return path


def curve(start: Point, *cubics: tuple[float, float, float, float, float, float]) -> skia.Path:
    """An open path of cubic curves."""
    path = skia.Path()
    path.moveTo(*start)
    for cubic in cubics:
        path.cubicTo(*cubic)
    return path


def circle(x: float, y: float, radius: float) -> skia.Path:
    path = skia.Path()
    path.addCircle(x, y, radius)
    return path


def oval(x: float, y: float, rx: float, ry: float) -> skia.Path:
    path = skia.Path()
    path.addOval(skia.Rect.MakeLTRB(x - rx, y - ry, x + rx, y + ry))
    return path


def polar(angle: float, radius: float, x: float = 0.0, y: float = 0.0) -> Point:
    """The point at that angle (degrees, 0 = right, 90 = down) and distance from (x, y)."""
    radians = math.radians(angle)
    return x + math.cos(radians) * radius, y + math.sin(radians) * radius


class Canvas:
    """Two canvases that share every silhouette. Labels are 0 for background, 1.. for parts."""

    OUTLINE = 2.0

    def __init__(self, size: int) -> None:
        self.size = size
        self.pixels = np.zeros((size, size, 4), np.uint8)
        self.labels = np.zeros((size, size), np.uint8)
        info = skia.ImageInfo.Make(size, size, skia.ColorType.kGray_8_ColorType, skia.AlphaType.kOpaque_AlphaType)
        # Held by self: a canvas does not keep its surface alive.
        self._surfaces = (
            skia.Surface(self.pixels, colorType=skia.ColorType.kRGBA_8888_ColorType),
            skia.Surface.MakeRasterDirect(info, self.labels),
        )
        self.canvas, self.label_canvas = (s.getCanvas() for s in self._surfaces)
        for canvas in (self.canvas, self.label_canvas):
            canvas.scale(size / 128, size / 128)
        self.label = 0

    # -- coordinates ---------------------------------------------------------------------
    def save(self) -> None:
        self.canvas.save()
        self.label_canvas.save()

    def restore(self) -> None:
        self.canvas.restore()
        self.label_canvas.restore()

    def move(self, x: float, y: float, angle: float = 0.0, sx: float = 1.0, sy: float = 1.0):
        """Translate, then rotate (degrees, clockwise), then scale."""
        for canvas in (self.canvas, self.label_canvas):
            canvas.translate(x, y)
            if angle:
                canvas.rotate(angle)
            if sx != 1.0 or sy != 1.0:
                canvas.scale(sx, sy)

    # -- silhouettes: picture and labels -------------------------------------------------
    def shape(self, path: skia.Path, top: str, bottom: str | None = None, outline: str | None = None) -> None:
        """Fill a silhouette, shaded from top to bottom colour, with its outline."""
        paint = skia.Paint(AntiAlias=True, Color=hex_colour(top))
        if bottom is not None:
            box = path.getBounds()
            paint.setShader(
                skia.GradientShader.MakeLinear(
                    [skia.Point(0, box.top()), skia.Point(0, box.bottom())],
                    [hex_colour(top), hex_colour(bottom)],
                )
            )
        self.canvas.drawPath(path, paint)
        self.label_canvas.drawPath(path, self._label_paint())
        self._outline(path, outline or darker(bottom or top, 0.5))

    def line(self, path: skia.Path, colour: str, width: float, outline: str | None = None) -> None:
        """A thick stroke with round ends, outlined."""
        outer = width + self.OUTLINE
        self.canvas.drawPath(path, _stroke(hex_colour(outline or darker(colour, 0.5)), outer))
        self.canvas.drawPath(path, _stroke(hex_colour(colour), width))
        paint = self._label_paint()
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(outer)
        paint.setStrokeCap(skia.Paint.kRound_Cap)
        paint.setStrokeJoin(skia.Paint.kRound_Join)
        self.label_canvas.drawPath(path, paint)

    def _outline(self, path: skia.Path, colour: str) -> None:
        self.canvas.drawPath(path, _stroke(hex_colour(colour), self.OUTLINE))
        paint = self._label_paint()
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(self.OUTLINE)
        paint.setStrokeJoin(skia.Paint.kRound_Join)
        self.label_canvas.drawPath(path, paint)

    def _label_paint(self) -> skia.Paint:
        return skia.Paint(AntiAlias=False, Color=skia.Color(self.label, self.label, self.label))

    # -- decorations: picture only -------------------------------------------------------
    def clip(self, path: skia.Path) -> None:
        """Decorations stay inside the path until `unclip`."""
        self.canvas.save()
        self.canvas.clipPath(path, skia.ClipOp.kIntersect, True)

    def unclip(self) -> None:
        self.canvas.restore()

    def paint(self, path: skia.Path, colour: str, alpha: float = 1.0) -> None:
        self.canvas.drawPath(path, skia.Paint(AntiAlias=True, Color=hex_colour(colour, alpha)))

    def ink(self, path: skia.Path, colour: str, width: float, alpha: float = 1.0) -> None:
        self.canvas.drawPath(path, _stroke(hex_colour(colour, alpha), width))

    def spots(self, centres: Iterable[Point], radius: float, colour: str) -> None:
        path = skia.Path()
        for x, y in centres:
            path.addCircle(x, y, radius)
        self.paint(path, colour)


def _stroke(colour: int, width: float) -> skia.Paint:
    return skia.Paint(
        AntiAlias=True,
        Color=colour,
        Style=skia.Paint.kStroke_Style,
        StrokeWidth=width,
        StrokeCap=skia.Paint.kRound_Cap,
        StrokeJoin=skia.Paint.kRound_Join,
    )
