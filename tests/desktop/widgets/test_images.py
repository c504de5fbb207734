"""Pictures to the screen: pixels, outlines, crops, thumbnails."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import shiboken6
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from PySide6.QtCore import QCoreApplication, QObject, QPointF, QRectF
from PySide6.QtGui import QImage, QPainter
from pytestqt.qtbot import QtBot

from engine.core.errors import UserError
from engine.core.segmentation import NO_PART, Segmentation
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.widgets.images import PictureLevels, cut_out, from_pillow, read_crop, to_qimage
from partcraft_desktop.widgets.part_outlines import contours, innermost, shapes_of, smoothed_outline
from partcraft_desktop.widgets.thumbnails import Thumbnails
from tests import fakes

WAIT = 10_000
masks = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(pixels=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([3, 4]))))
def test_a_qimage_has_the_arrays_pixels_and_keeps_them(pixels: np.ndarray) -> None:
    expected = pixels.copy()
    image = to_qimage(pixels)
    pixels[:] = 0
    for y in range(expected.shape[0]):
        for x in range(expected.shape[1]):
            seen = image.pixelColor(x, y)
            assert [seen.red(), seen.green(), seen.blue(), seen.alpha()][: expected.shape[2]] == expected[y, x].tolist()


def test_parts_of_arrays_and_grey_arrays_become_pictures_too() -> None:
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)[:, 1:6]
    image = to_qimage(grey)
    assert (image.width(), image.height()) == (5, 6)
    assert image.pixelColor(2, 3).red() == grey[3, 2]


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros(4, np.uint8)]
)
def test_other_arrays_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        to_qimage(pixels)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "CMYK", "LA"])
def test_every_pillow_mode_becomes_a_picture(mode: str) -> None:
    image = from_pillow(Image.new("RGB", (7, 5), (255, 255, 255)).convert(mode))
    assert (image.width(), image.height()) == (7, 5)
    assert image.pixelColor(3, 2).red() > 250


@given(mask=masks)
def test_contours_enclose_exactly_the_mask(mask: np.ndarray) -> None:
    # The signed areas of the loops add up to the number of pixels: outer borders count, holes take away.
    area = 0.0
    steps = 0
    for loop in contours(mask):
        after = np.roll(loop, -1, axis=0)
        assert np.abs(after - loop).sum(axis=1).tolist() == [1.0] * len(loop)
        area += float((loop[:, 0] * after[:, 1] - after[:, 0] * loop[:, 1]).sum()) / 2
        steps += len(loop)
    assert area == mask.sum()
    padded = np.pad(mask, 1).astype(np.int8)
    assert steps == np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()


def test_pixels_that_touch_at_a_corner_are_kept_apart() -> None:
    assert len(contours(np.eye(3, dtype=np.bool_))) == 3


@given(mask=masks, reach=st.floats(0.5, 6))
def test_smoothing_stays_near_the_border(mask: np.ndarray, reach: float) -> None:
    for loop in contours(mask):
        soft = smoothed_outline(loop, reach)
        assert len(soft) >= 1
        assert (soft >= loop.min(axis=0) - 1e-9).all() and (soft <= loop.max(axis=0) + 1e-9).all()


@given(mask=masks.filter(lambda mask: bool(mask.any())))
def test_the_innermost_point_lies_in_the_mask(mask: np.ndarray) -> None:
    x, y = innermost(mask)
    assert mask[int(y), int(x)]


def test_shapes_are_those_of_parts_that_can_be_seen() -> None:
    labels = np.full((40, 60), NO_PART, np.uint8)
    labels[5:15, 10:30] = 0
    labels[20:30, 10:30] = 1
    labels[20:24, 40:44] = 2
    shapes = shapes_of(Segmentation(labels, (4, -1, 7, 3)), (0, 1, 2, 3))
    assert list(shapes) == [0, 2]  # 1 is absent by its code, 3 has no pixel
    assert shapes[0].bounds == QRectF(10, 5, 20, 10)
    assert shapes[0].outline.contains(QPointF(20, 10)) and not shapes[0].outline.contains(QPointF(35, 10))
    assert shapes[0].outline.contains(shapes[0].anchor)
    # A pixel is smoothed away at a corner at most.
    assert shapes[0].corner.x() > 27 and shapes[0].corner.y() < 8


def test_a_hole_stays_open() -> None:
    labels = np.zeros((60, 60), np.uint8)
    labels[20:40, 20:40] = NO_PART
    outline = shapes_of(Segmentation(labels, (0,)), (0,))[0].outline
    assert outline.contains(QPointF(10, 30)) and not outline.contains(QPointF(30, 30))


def test_a_crop_shows_the_part_alone() -> None:
    picture = Image.new("RGB", (100, 100), (0, 0, 255))
    picture.paste((255, 0, 0), (30, 40, 70, 60))
    labels = np.full((100, 100), NO_PART, np.uint8)
    labels[40:60, 30:70] = 0
    crop = cut_out(picture, shapes_of(Segmentation(labels, (0,)), (0,))[0], 96)
    assert max(crop.width(), crop.height()) == 96 and crop.width() > 1.6 * crop.height()
    middle = crop.pixelColor(crop.width() // 2, crop.height() // 2)
    assert (middle.red(), middle.blue(), middle.alpha()) == (255, 0, 255)
    assert crop.pixelColor(0, 0).alpha() == 0
    # Only the soft edge has a little of what was around it.
    opaque = [crop.pixelColor(x, y) for x in range(crop.width()) for y in range(crop.height())]
    assert not [seen for seen in opaque if seen.alpha() > 240 and seen.blue() > 120]


def test_a_part_at_the_edge_of_the_picture_is_cropped_too() -> None:
    picture, labels = fakes.sketch_bird(1, 64)
    labels = np.where(np.arange(64) < 20, 0, NO_PART).astype(np.uint8)[None].repeat(64, 0)
    crop = cut_out(picture, shapes_of(Segmentation(labels, (0,)), (0,))[0], 48)
    assert crop.pixelColor(crop.width() // 2, crop.height() // 2).alpha() == 255


@settings(deadline=None, max_examples=20)
@given(width=st.integers(1, 2600), height=st.integers(1, 300))
def test_levels_are_drawn_at_any_scale(width: int, height: int) -> None:
    levels = PictureLevels.of(Image.new("RGB", (width, height), (10, 200, 30)))
    assert (levels.width, levels.height) == (width, height)
    assert max(levels.images[-1].width(), levels.images[-1].height()) <= 1024
    for scale in (0.01, 1.0, 7.0):
        canvas = QImage(40, 40, QImage.Format.Format_RGB32)
        canvas.fill(0)
        painter = QPainter(canvas)
        levels.draw(painter, QRectF(0, 0, 40, 40), scale)
        painter.end()
        assert canvas.pixelColor(20, 20).green() > 190


@pytest.mark.parametrize("side", [40, 64, 128, 300])
def test_a_small_picture_is_never_drawn_at_less_than_half_a_level(side: int) -> None:
    """Drawn much smaller than it is, an image is jagged: fine stripes become coarse ones, or none are seen."""
    widths = [image.width() for image in PictureLevels.of(Image.new("RGB", (side, side))).images]
    assert widths[0] >= 768 * 0.99 and widths[-1] == side
    assert all(one <= 3 * other for one, other in pairwise(widths))
    assert widths == sorted(widths, reverse=True)


def test_thumbnails_are_read_once_and_told(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "bird.png"
    fakes.sketch_bird(2, 300)[0].resize((300, 150)).save(path)
    thumbnails = Thumbnails(BackgroundReader())
    with qtbot.waitSignal(thumbnails.ready, timeout=WAIT) as told:
        assert thumbnails.get(str(path), 60, 2.0) is None
        assert thumbnails.get(str(path), 60, 2.0) is None
    assert told.args == [str(path)]
    picture = thumbnails.get(str(path), 60, 2.0)
    assert picture is not None
    assert (picture.width(), picture.height()) == (120, 60)
    assert picture.deviceIndependentSize().toSize().width() == 60
    assert thumbnails.get(str(path), 60, 2.0) is picture


def test_a_picture_that_cannot_be_read_is_said_once(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(b"no picture")
    thumbnails = Thumbnails(BackgroundReader())
    with qtbot.waitSignal(thumbnails.failed, timeout=WAIT) as told:
        thumbnails.get(str(path), 60)
    assert told.args is not None and isinstance(told.args[1], UserError)
    nothing = thumbnails.get(str(path), 60)
    assert nothing is not None and nothing.isNull()


def test_thumbnails_forget_the_oldest(qtbot: QtBot, tmp_path: Path) -> None:
    thumbnails = Thumbnails(BackgroundReader(), keep=2 * 1024)
    for name in "abc":
        fakes.sketch_bird(1, 32)[0].save(tmp_path / f"{name}.png")
        with qtbot.waitSignal(thumbnails.ready, timeout=WAIT):
            thumbnails.get(str(tmp_path / f"{name}.png"), 16)
    assert thumbnails.get(str(tmp_path / "a.png"), 16) is None
    assert thumbnails.get(str(tmp_path / "c.png"), 16) is not None
    with qtbot.waitSignal(thumbnails.ready, timeout=WAIT):
        pass


def test_a_crop_is_read_from_a_label_file(tmp_path: Path) -> None:
    picture, labels = fakes.sketch_bird(3, 128)
    picture.save(tmp_path / "bird.png")
    Image.fromarray(labels).save(tmp_path / "labels.png")
    crop = read_crop(str(tmp_path / "bird.png"), str(tmp_path / "labels.png"), 3, 40)
    assert max(crop.width(), crop.height()) == 40
    assert read_crop(str(tmp_path / "bird.png"), str(tmp_path / "labels.png"), 9, 40).isNull()


def test_what_is_read_late_for_a_closed_window_is_dropped(qtbot: QtBot) -> None:
    readers = BackgroundReader()
    landed: list[object] = []
    readers.ask(lambda: 1, landed.append, readers)
    qtbot.waitUntil(lambda: landed == [1], timeout=WAIT)
    readers.ask(lambda: 1 / 0, landed.append, readers)
    qtbot.waitUntil(lambda: len(landed) == 2, timeout=WAIT)
    assert isinstance(landed[1], ZeroDivisionError)
    readers.close()


def test_what_is_read_late_for_a_widget_that_is_gone_is_dropped(qtbot: QtBot) -> None:
    readers = BackgroundReader()
    landed: list[object] = []
    hold = threading.Event()
    owner = QObject()
    readers.ask(hold.wait, landed.append, owner)
    shiboken6.delete(owner)
    hold.set()
    readers._pool.shutdown()  # Waits for what is being read: its result is then on its way to the Qt thread.
    QCoreApplication.processEvents()
    assert landed == []


def test_a_wall_that_is_scrolled_past_leaves_the_readers_to_others(qtbot: QtBot, tmp_path: Path) -> None:
    for number in range(400):
        fakes.sketch_bird(1, 32)[0].save(tmp_path / f"{number}.png")
    readers = BackgroundReader()
    thumbnails = Thumbnails(readers)
    read: list[str] = []
    thumbnails.ready.connect(read.append)
    landed: list[int] = []
    for number in range(400):
        thumbnails.get(str(tmp_path / f"{number}.png"), 16)
    readers.ask(lambda: len(read), landed.append, readers)
    qtbot.waitUntil(lambda: bool(landed), timeout=WAIT)
    assert landed[0] < 10  # nobody waits behind hundreds of pictures
    last = str(tmp_path / "399.png")
    qtbot.waitUntil(lambda: last in read, timeout=WAIT)
    assert str(tmp_path / "100.png") not in read  # out of sight, and forgotten
    with qtbot.waitSignal(thumbnails.ready, timeout=WAIT):
        thumbnails.get(str(tmp_path / "100.png"), 16)
    readers.close()
