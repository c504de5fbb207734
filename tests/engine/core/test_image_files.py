"""Any picture opens as upright RGB, or one sentence says why not."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.core.errors import UserError
from engine.core.image_files import note_on, open_picture, picture_size
from engine.core.picture_listing import picture_files

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


def png_of_16_bits(values: np.ndarray) -> bytes:
    """A PNG of colours with two bytes each, which Pillow cannot write: (H, W, 2 to 4)."""

    def piece(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, bands = values.shape
    head = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[bands], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    pieces = piece(b"IHDR", head) + piece(b"IDAT", zlib.compress(rows)) + piece(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + pieces


def tiff_of_16_bits(values: np.ndarray, order: str, packed: bool) -> bytes:
    """A TIFF of colours with two bytes each, in either order, packed or not: (H, W, 3)."""
    height, width, _ = values.shape
    data = values.astype(f"{order}u2").tobytes()
    data = zlib.compress(data) if packed else data
    start = 8 + 2 + 12 * 9 + 4
    tags = {256: width, 257: height, 258: start, 259: 8 if packed else 1, 262: 2, 273: start + 6, 277: 3, 278: height,
            279: len(data)}  # fmt: skip
    entries = b"".join(
        struct.pack(f"{order}HHII", tag, 3, 3, value) if tag == 258 else struct.pack(f"{order}HHII", tag, 4, 1, value)
        for tag, value in tags.items()
    )
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(tags))
    return head + entries + struct.pack(f"{order}IHHH", 0, 16, 16, 16) + data


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("form", ["png", "tiff<", "tiff>", "tiff< packed", "tiff> packed"])
def test_colours_of_fewer_bits_are_as_bright_as_they_were(bits: int, form: str, tmp_path: Path) -> None:
    ramp = np.linspace(0, 2**bits - 1, 64 * 3).round().astype(np.uint16).reshape(8, 8, 3)
    path = tmp_path / "a.picture"
    path.write_bytes(png_of_16_bits(ramp) if form == "png" else tiff_of_16_bits(ramp, form[4], "packed" in form))
    wanted = 255.0 * ramp / (2**bits - 1)
    assert np.abs(np.asarray(open_picture(path)) - wanted).max() <= 1, "no step is lost"
    assert np.abs(np.asarray(open_picture(path, max_side=4)).mean() - wanted.mean()) <= 2


def test_transparency_of_16_bits_keeps_its_own_range(tmp_path: Path) -> None:
    values = np.zeros((4, 4, 4), np.uint16)
    values[..., 0], values[:2, :, 3] = 4095, 65535
    (tmp_path / "a.png").write_bytes(png_of_16_bits(values))
    picture = open_picture(tmp_path / "a.png")
    assert near(picture, (1, 0), (255, 0, 0)) and near(picture, (1, 3), (255, 255, 255))
    grey = values[..., [0, 3]]
    (tmp_path / "b.png").write_bytes(png_of_16_bits(grey))
    assert near(open_picture(tmp_path / "b.png"), (1, 0), (255, 255, 255))


def test_floats(tmp_path: Path) -> None:
    ramp = Image.fromarray(np.linspace(-3, 900, 64, dtype=np.float32).reshape(8, 8))
    values = np.asarray(open_picture(saved(tmp_path, "a.tiff", ramp)))
    assert values.min() == 0 and values.max() == 255


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_what_is_white_in_a_word_of_sixteen_bits(bits: int, ending: str, tmp_path: Path) -> None:
    """Cameras and scanners use fewer: 12 bits shown as 16 would be black."""
    ramp = Image.fromarray(np.linspace(0, 2**bits - 1, 64).round().astype(np.uint16).reshape(8, 8))
    values = np.asarray(open_picture(saved(tmp_path, f"a.{ending}", ramp)))[..., 0]
    assert np.abs(values.ravel() - np.linspace(0, 255, 64)).max() <= 1


@pytest.mark.parametrize("strange", [[], [np.inf], [-np.inf], [np.nan], [np.inf, -np.inf, np.nan]])
@pytest.mark.parametrize("white", [1.0, 255.0])
def test_floats_of_any_range_and_what_is_no_number(strange: list[float], white: float, tmp_path: Path) -> None:
    """Of the others the range is taken; infinity is white, what is less than all and what is no number, black."""
    ramp = np.linspace(0, white, 64, dtype=np.float32)
    ramp[: len(strange)] = strange
    values = np.asarray(open_picture(saved(tmp_path, "a.tif", Image.fromarray(ramp.reshape(8, 8)))))[..., 0].ravel()
    assert np.abs(values[3:] - np.linspace(0, 255, 64)[3:]).max() <= 1
    assert [int(value) for value in values[: len(strange)]] == [255 if one == np.inf else 0 for one in strange]


def test_highlights_above_one_are_white(tmp_path: Path) -> None:
    values = Image.fromarray(np.array([[0.0, 0.5, 1.0, 2.5]], np.float32))
    assert np.asarray(open_picture(saved(tmp_path, "a.tif", values)))[0, :, 0].tolist() == [0, 128, 255, 255]


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def with_chunk(folder: Path, extra: bytes) -> Path:
    path = saved(folder, "a.png", RED_LEFT)
    data = path.read_bytes()
    path.write_bytes(data[:33] + extra + data[33:])  # behind the header
    return path


@pytest.mark.parametrize("megabytes", [2, 40])
@pytest.mark.parametrize(
    ("name", "before"), [(b"iCCP", b"a\0\0"), (b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"tEXt", b"a\0")]
)
def test_large_profiles_and_texts_are_no_damage(name: bytes, before: bytes, megabytes: int, tmp_path: Path) -> None:
    data = b"x" * (megabytes << 20)
    path = with_chunk(tmp_path, chunk(name, before + (data if name == b"tEXt" else zlib.compress(data))))
    assert near(open_picture(path), (4, 10), (255, 0, 0))


@pytest.mark.parametrize("name", [b"tEXt", b"iCCP", b"tIME", b"pHYs"])
def test_a_damaged_companion_of_the_pixels_costs_nothing(name: bytes, tmp_path: Path) -> None:
    path = with_chunk(tmp_path, chunk(name, b"a\0\0not right")[:-4] + b"????")
    picture = open_picture(path)
    assert near(picture, (4, 10), (255, 0, 0)) and not note_on(picture)
    assert picture_size(path) == (40, 20)


@pytest.mark.parametrize("missing", [1, 2, 5, 40])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_short_by_a_few_bytes_opens_with_a_note(missing: int, progressive: bool, tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8))
    path = saved(tmp_path, "a.jpg", noise, progressive=progressive)
    whole = np.asarray(open_picture(path)).astype(int)
    path.write_bytes(path.read_bytes()[:-missing])
    picture = open_picture(path)
    assert (np.asarray(picture)[:180] == whole[:180]).mean() > 0.9
    assert note_on(picture) == "The last bytes of a.jpg are missing, so a little of the picture may be grey."


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


@pytest.mark.parametrize(("turn", "size"), [(1, (40, 20)), (3, (40, 20)), (6, (20, 40)), (8, (20, 40))])
def test_the_size_a_picture_has_when_it_is_shown(turn: int, size: tuple[int, int], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    path = saved(tmp_path, "a.jpg", RED_LEFT, exif=exif)
    assert picture_size(path) == open_picture(path).size == size
