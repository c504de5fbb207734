"""Similarity transforms: how a part gets from its reference to its place in the collage."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from engine.collage.layers import Point


@dataclass(frozen=True)
class Transform:
    """From pixels of a reference to pixels of a collage: mirrored left to right if ``mirror``, times ``scale``, turned
    by ``turn`` degrees counterclockwise, all about the corner (0, 0), then moved by ``dx``, ``dy``."""

    scale: float = 1.0
    turn: float = 0.0
    mirror: bool = False
    dx: float = 0.0
    dy: float = 0.0

    def apply(self, point: Point) -> Point:
        """Where a point of the reference comes to lie."""
        x, y = (-point[0] if self.mirror else point[0]) * self.scale, point[1] * self.scale
        cos, sin = math.cos(math.radians(self.turn)), math.sin(math.radians(self.turn))
        return cos * x + sin * y + self.dx, cos * y - sin * x + self.dy

    def carrying(self, point: Point, to: Point) -> Transform:
        """This transform moved so that ``point`` of the reference comes to lie at ``to``."""
        x, y = self.apply(point)
        return self.moved(to[0] - x, to[1] - y)

    def scaled(self, factor: float, about: Point) -> Transform:
        """This transform, and then a scaling about a point of the collage."""
        dx, dy = about[0] + factor * (self.dx - about[0]), about[1] + factor * (self.dy - about[1])
        return replace(self, scale=self.scale * factor, dx=dx, dy=dy)

    def moved(self, dx: float, dy: float) -> Transform:
        """This transform, and then a move by pixels of the collage."""
        return replace(self, dx=self.dx + dx, dy=self.dy + dy)
