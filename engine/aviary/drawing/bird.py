"""Draw a bird: a picture and its exact part masks, the same every time for the same pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import skia

from engine.aviary.drawing.attributes import PARTS, Bird
from engine.aviary.drawing.body_parts import FRAMES, LEG_LENGTH, draw_body, draw_leg, draw_tail, draw_wing
from engine.aviary.drawing.canvas import Canvas, blob, circle, darker, hex_colour, luminance, oval
from engine.aviary.drawing.head import draw_head

#: Sky above, sky below, ground. Cool, warm and green pastels; none so pale that a dove is lost.
BACKDROPS: tuple[tuple[str, str, str], ...] = (
    ("#bcd9ef", "#e9f3fa", "#b9cfc0"),
    ("#f7d6c4", "#fdf0e4", "#d9c2b4"),
    ("#cbe6cf", "#eff8ec", "#aecbab"),
    ("#d9d0f0", "#f2eefb", "#bdb6d8"),
    ("#fbe3a6", "#fff6dc", "#d8c698"),
    ("#f6c6d3", "#fdebf0", "#d8b3c2"),
    ("#b9e2e2", "#e8f6f5", "#a5c9c6"),
)


@dataclass(frozen=True)
class Pose:
    """Where and how the bird stands. Angles in degrees, lengths in units of a 128-picture."""

    left: bool = False
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    tilt: float = 0.0
    nod: float = 0.0
    wing_angle: float = 0.0
    tail_angle: float = 0.0
    stride: float = 0.0
    backdrop: int = 0
    disc: tuple[float, float, float] = (30.0, 30.0, 16.0)
    hill: float = 0.0

    @staticmethod
    def random(rng: np.random.Generator, liveliness: float = 1.0) -> Pose:
        """A moderate pose: the bird stays large and whole in the frame. liveliness in 0..1 narrows the
        ranges of the bird's pose around their middles, not those of the backdrop."""
        u = rng.random(12)
        u[1:9] = 0.5 + (u[1:9] - 0.5) * liveliness

        def between(i: int, low: float, high: float) -> float:
            return float(low + (high - low) * u[i])

        return Pose(
            left=bool(u[0] < 0.5),
            scale=between(1, 0.90, 1.03),
            shift=(between(2, -3, 3), between(3, -2, 3)),
            tilt=between(4, -6, 6),
            nod=between(5, -9, 9),
            wing_angle=between(6, -10, 14),
            tail_angle=between(7, -9, 9),
            stride=between(8, -2.5, 2.5),
            backdrop=int(u[9] * len(BACKDROPS)),
            disc=(between(10, 14, 114), between(11, 14, 40), 10 + 12 * float((u[10] * 7) % 1)),
            hill=between(11, -5, 5),
        )


@dataclass(frozen=True)
class Drawing:
    """image uint8 (H, W, 3) RGB; labels uint8 (H, W): 0 background, 1.. in PARTS order."""

    image: np.ndarray
    labels: np.ndarray
    bird: Bird

    def mask(self, part: str) -> np.ndarray:
        """bool (H, W): where that part is seen."""
        return self.labels == PARTS.index(part) + 1


def draw_bird(bird: Bird, pose: Pose | np.random.Generator | int = 0, size: int = 128) -> Drawing:
    """Draw the bird; a generator or a seed stands for a random pose."""
    if isinstance(pose, int):
        pose = np.random.default_rng(pose)
    if isinstance(pose, np.random.Generator):
        pose = Pose.random(pose)
    easel = Canvas(size)
    _draw_backdrop(easel, pose)
    frame = FRAMES[bird.body.outline]
    ground = 112.0
    leg = LEG_LENGTH[bird.legs.style]
    hip_height = max(y for _, y in frame.hips)
    centre = (61.5, ground - leg - hip_height - 3)

    easel.save()
    if pose.left:
        easel.move(128, 0, sx=-1)
    _shadow(easel, pose, ground)
    # Scale about the feet, so that every bird stands on the ground.
    easel.move(64 + pose.shift[0], ground + pose.shift[1], sx=pose.scale, sy=pose.scale)
    easel.move(centre[0] - 64, centre[1] - ground)

    def part(name: str, x: float, y: float, angle: float) -> None:
        easel.save()
        easel.label = PARTS.index(name) + 1
        easel.move(x, y, angle)

    def torso() -> None:
        easel.save()
        easel.move(0, 0, pose.tilt)

    torso()
    part("tail", *frame.rump, frame.tail_angle + pose.tail_angle)
    draw_tail(easel, bird.tail)
    easel.restore()
    easel.restore()

    tilted = [_turn(hip, pose.tilt) for hip in frame.hips]
    floor = hip_height + leg
    for (x, y), stride in zip(tilted, (pose.stride, -pose.stride), strict=True):
        part("legs", x, y, 0)
        draw_leg(easel, bird.legs, (stride, floor - y))
        easel.restore()

    torso()
    part("body", 0, 0, 0)
    draw_body(easel, bird.body)
    easel.restore()
    easel.restore()

    head = _turn(frame.head, pose.tilt)
    torso()
    part("wing", *frame.shoulder, pose.wing_angle)
    draw_wing(easel, bird.wing)
    easel.restore()
    easel.restore()

    part("head", *head, pose.nod)
    draw_head(easel, bird.head)
    easel.restore()
    easel.restore()
    return Drawing(np.ascontiguousarray(easel.pixels[..., :3]), easel.labels, bird)


def _turn(point: tuple[float, float], degrees: float) -> tuple[float, float]:
    radians = np.deg2rad(degrees)
    cos, sin = float(np.cos(radians)), float(np.sin(radians))
    return point[0] * cos - point[1] * sin, point[0] * sin + point[1] * cos


def _draw_backdrop(easel: Canvas, pose: Pose) -> None:
    top, bottom, ground = BACKDROPS[pose.backdrop]
    sky = skia.Paint()
    sky.setShader(
        skia.GradientShader.MakeLinear([skia.Point(0, 0), skia.Point(0, 110)], [hex_colour(top), hex_colour(bottom)])
    )
    easel.canvas.drawRect(skia.Rect.MakeWH(128, 128), sky)
    easel.paint(circle(*pose.disc), "#ffffff", 0.55)
    hill = pose.hill
    land = blob([(-30, 108 + hill), (30, 101 - hill), (98, 105 + hill), (160, 102 - hill), (160, 170), (-30, 170)])
    easel.paint(land, ground)


def _shadow(easel: Canvas, pose: Pose, ground: float) -> None:
    colour = darker(BACKDROPS[pose.backdrop][2], 0.35)
    assert luminance(colour) > 0  # the shadow is a tone of the ground, never pure black
    easel.paint(oval(62 + pose.shift[0], ground + pose.shift[1] + 2, 30 * pose.scale, 4.5), colour, 0.55)
