"""Any picture opens as upright RGB, or one sentence says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.core.errors import UserError
from engine.core.image_files import open_picture, picture_files

RED_LEFT = Image.new("RGB", (40, 20), "white")
RED_LEFT.paste((255, 0, 0), (0, 0, 20, 20))


def saved(folder: Path, name: str, picture: Image.Image, **options: object) -> Path:
    picture.save(folder / name, **options)  # pyright: ignore[reportArgumentType]
    return folder / name


def near(picture: Image.Image, place: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    pixel = np.asarray(picture)[place[1], place[0]].astype(int)
    return bool(np.abs(pixel - colour).max() <= 12)


def test_ordinary_formats(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "a.bmp", "a.gif", "a.tiff", "a.webp"):
        picture = open_picture(saved(tmp_path, name, RED_LEFT))
        assert picture.mode == "RGB" and picture.size == (40, 20)
        assert near(picture, (4, 10), (255, 0, 0)) and near(picture, (36, 10), (255, 255, 255))


def test_exif_rotation_is_obeyed_also_when_shrunk(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it a quarter turn clockwise
    path = saved(tmp_path, "a.jpg", RED_LEFT, exif=exif, quality=95)
    picture = open_picture(path)
    assert picture.size == (20, 40)
    assert near(picture, (10, 4), (255, 0, 0)) and near(picture, (10, 36), (255, 255, 255))
    assert open_picture(path, max_side=20).size == (10, 20)


def test_cmyk(tmp_path: Path) -> None:
    assert near(open_picture(saved(tmp_path, "a.jpg", RED_LEFT.convert("CMYK"), quality=95)), (4, 10), (255, 0, 0))


def test_sixteen_bits(tmp_path: Path) -> None:
    grey = Image.fromarray(np.full((8, 8), 32768, np.uint16))
    assert near(open_picture(saved(tmp_path, "a.png", grey)), (4, 4), (128, 128, 128))
    assert near(open_picture(saved(tmp_path, "a.tiff", grey), max_side=4), (2, 2), (128, 128, 128))


def test_floats(tmp_path: Path) -> None:
    ramp = Image.fromarray(np.linspace(-3, 900, 64, dtype=np.float32).reshape(8, 8))
    values = np.asarray(open_picture(saved(tmp_path, "a.tiff", ramp)))
    assert values.min() == 0 and values.max() == 255


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert near(open_picture(saved(tmp_path, "a.png", clear)), (4, 4), (255, 255, 255))
    palette = RED_LEFT.quantize(8)
    red = np.asarray(palette)[4, 10]
    path = saved(tmp_path, "b.png", palette, transparency=int(red))
    assert near(open_picture(path), (4, 10), (255, 255, 255))


def test_the_first_frame_of_what_moves(tmp_path: Path) -> None:
    blue = Image.new("RGB", (40, 20), "blue")
    path = saved(tmp_path, "a.gif", RED_LEFT, save_all=True, append_images=[blue], duration=50)
    assert near(open_picture(path), (4, 10), (255, 0, 0))


def test_a_name_does_not_matter(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.png", RED_LEFT)
    assert open_picture(path.rename(tmp_path / "a.txt")).size == (40, 20)


def test_a_long_picture_is_shrunk(tmp_path: Path) -> None:
    assert open_picture(saved(tmp_path, "a.png", Image.new("L", (1000, 2))), max_side=100).size == (100, 1)


def test_a_huge_jpeg_opens_at_a_fraction(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.jpg", Image.new("L", (20_000, 20_000), 255), quality=20)
    assert max(open_picture(path, max_side=1024).size) == 1024


def huge_png(folder: Path) -> Path:
    return saved(folder, "huge.png", Image.new("1", (20_000, 20_000)))


def truncated(folder: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = saved(folder, "half.png", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[:4000])
    return path


def truncated_jpeg(folder: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = saved(folder, "half.jpg", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[:2000])
    return path


def empty(folder: Path) -> Path:
    (folder / "empty.png").touch()
    return folder / "empty.png"


def text(folder: Path) -> Path:
    (folder / "text.png").write_text("not a picture")
    return folder / "text.png"


def header_only(folder: Path) -> Path:
    path = saved(folder, "head.png", RED_LEFT)
    path.write_bytes(path.read_bytes()[:20])
    return path


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (huge_png, "too large"),
        (truncated, "damaged"),
        (truncated_jpeg, "damaged"),
        (empty, "is empty"),
        (text, "not a picture"),
        (header_only, "head.png"),
        (lambda folder: folder / "gone.png", "not there"),
        (lambda folder: folder, "is a folder"),
    ],
)
def test_what_cannot_be_opened_is_told(tmp_path: Path, make: Callable[[Path], Path], said: str) -> None:
    with pytest.raises(UserError) as caught:
        open_picture(make(tmp_path))
    assert said in caught.value.message
    assert caught.value.message.endswith(".") and caught.value.hint.endswith(".")


def test_photographs(photos: Path) -> None:
    for path in picture_files(photos):
        picture = open_picture(path, max_side=512)
        assert picture.mode == "RGB" and max(picture.size) <= 512


def test_picture_files(tmp_path: Path) -> None:
    (tmp_path / "owls").mkdir()
    saved(tmp_path, "b.PNG", RED_LEFT)
    saved(tmp_path / "owls", "a.jpg", RED_LEFT)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "._b.png").touch()
    assert [path.name for path in picture_files(tmp_path)] == ["b.PNG", "a.jpg"]


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no pictures"):
        picture_files(tmp_path)
    with pytest.raises(UserError, match="no folder"):
        picture_files(tmp_path / "gone")
