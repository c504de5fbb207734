"""Hidden outlines: how a part goes on beneath the parts that lie in front of it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy.spatial import ConvexHull

from engine.collage.inpainting import Mask

Corners = npt.NDArray[np.floating]
"""Corners of a polygon (n, 2), x and y of pixels' centres."""

_SIDE: Final = 640  # larger masks are looked at on every n-th pixel: smooth outlines do not need more
_ELLIPSE_ERROR: Final = 0.05  # of its radius: an outline that strays more from an ellipse is none
_LEAST_SHOWN: Final = 0.3  # of an ellipse's area: less of it says too little about the rest
_LARGEST: Final = 1.3  # an ellipse's longer radius, in sides of what is shown
_MARGIN: Final = 2  # pixels from a cover: there the outline seen is the cover's


def hidden_region(own: Mask, covers: Mask) -> Mask:
    """Bool (h, w): where a part that shows at ``own`` goes on beneath ``covers``, both (h, w).

    Its convex hull, and where its outline is an ellipse that ellipse, as far as there are covers.
    """
    step = -(-max(own.shape) // _SIDE)
    seen, hiding = own[::step, ::step], covers[::step, ::step]
    if not hiding.any() or not seen.any():
        return np.zeros_like(own)
    hidden = np.zeros_like(own)
    for corners in (_hull(seen), ellipse_of(seen, hiding)):
        if corners is not None:
            hidden |= polygon((corners + 0.5) * step - 0.5, own.shape)
    return hidden & covers


def _hull(own: Mask) -> Corners:
    """The convex hull of a mask (h, w) that is not empty."""
    rows = np.flatnonzero(own.any(1))
    first, last = own[rows].argmax(1), own.shape[1] - 1 - own[rows, ::-1].argmax(1)
    # The corners of pixels, not their centres: a single row has a hull too.
    rows = np.concatenate([rows, rows]) - 0.5
    columns = np.concatenate([first - 0.5, last + 0.5])
    points = np.stack([np.concatenate([columns, columns]), np.concatenate([rows, rows + 1])], 1)
    return points[ConvexHull(points).vertices]


def ellipse_of(own: Mask, covers: Mask) -> Corners | None:
    """The ellipse along the visible outline of a part (h, w); None where it does not have that shape."""
    y, x = np.nonzero(_outline(own, covers))
    if len(x) < 12:
        return None
    middle, unit = np.array([x.mean(), y.mean()]), float(max(np.ptp(x), np.ptp(y), 1))
    u, v = (x - middle[0]) / unit, (y - middle[1]) / unit
    # u'Au + b'u = 1 in the sense of least squares; with its centre c it is (u - c)'A(u - c) = size.
    terms = np.stack([u * u, 2 * u * v, v * v, u, v], 1)
    (a, b, c, d, e), *_ = np.linalg.lstsq(terms, np.ones(len(u)), rcond=None)
    form = np.array([[a, b], [b, c]])
    if a * c - b * b <= 1e-6 or a + c <= 0:
        return None
    centre = -0.5 * np.linalg.solve(form, np.array([d, e]))
    size = 1 + centre @ form @ centre
    if size <= 0:
        return None
    form = form / size
    longest = float(np.linalg.eigvalsh(form)[0]) ** -0.5
    error = np.sqrt(np.einsum("in,ij,jn->n", (shift := np.stack([u, v]) - centre[:, None]), form, shift)) - 1
    area = np.pi / np.sqrt(np.linalg.det(form)) * unit**2
    if np.sqrt((error**2).mean()) > _ELLIPSE_ERROR or longest > _LARGEST or own.sum() < _LEAST_SHOWN * area:
        return None
    # Its outline as a polygon: a circle, stretched by the root of the inverse of the form.
    sizes, turned = np.linalg.eigh(form)
    angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    return (middle + unit * centre) + unit * ((turned / np.sqrt(sizes)) @ circle).T


def polygon(corners: Corners, shape: tuple[int, ...]) -> Mask:
    """Bool (h, w): the inside of a polygon with corners (n, 2), x and y of pixels' centres."""
    image = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in corners], fill=1)
    return np.asarray(image.convert("L")) > 0  # a mask of mode 1 has bytes of 255, which are no numpy truths


def _outline(own: Mask, covers: Mask) -> Mask:
    """The outermost pixels of a part (h, w), but for those beside a cover or at the border."""
    edge = np.zeros_like(own)
    inner = own[1:-1, 1:-1]
    edge[1:-1, 1:-1] = inner & ~(own[:-2, 1:-1] & own[2:, 1:-1] & own[1:-1, :-2] & own[1:-1, 2:])
    beside = covers
    for _ in range(_MARGIN):
        wider = beside.copy()
        wider[1:] |= beside[:-1]
        wider[:-1] |= beside[1:]
        wider[:, 1:] |= beside[:, :-1]
        wider[:, :-1] |= beside[:, 1:]
        beside = wider
    return edge & ~beside
