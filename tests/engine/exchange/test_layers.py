"""Layers out into their tools: what psd-tools, Pillow and a reader of OpenRaster by its specification find in them."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from psd_tools import PSDImage
from psd_tools.api.layers import PixelLayer
from scipy import ndimage

from engine.collage.cut_outs import cut_out, fill_ground
from engine.collage.layers import Collage, Layer, Pixels, flatten
from engine.core.errors import UserError
from engine.core.image_files import read_label_map
from engine.core.segmentation import NO_PART, Segmentation
from engine.core.vocabulary import ABSENT, Part, Vocabulary
from engine.exchange.layers import GROUND, LARGEST_PSD, LONGEST_NAME, THUMBNAIL_SIDE, layers_of_creation, save_layers
from engine.packs.pack import Pack
from tests.conftest import REPOSITORY

SUFFIXES = (".png", ".psd", ".ora")
MAGICK = next((program for program in ("/usr/bin/magick", "/usr/bin/convert") if Path(program).is_file()), None)


def noise(seed: int, height: int, width: int, channels: int = 4) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def pile(ground: bool = True) -> Collage:
    """Four layers: one inside, one hidden, one that hangs over two edges, one wholly outside."""
    layers = (
        Layer(0, "body", noise(0, 12, 20), 4, 6),
        Layer(1, "wing", noise(1, 9, 9), 8, 8, visible=False),
        Layer(2, "Schopf 冠 🐦", noise(2, 15, 15), -5, -7),
        Layer(3, "tail", noise(3, 6, 5), 100, 40),
    )
    return Collage(40, 30, layers, noise(4, 30, 40, 3) if ground else None)


def on_white(picture: Pixels) -> np.ndarray:
    """int (H, W, 3): a picture uint8 (H, W, 4) laid on white, which is how pictures of little alpha are compared."""
    white = Image.new("RGBA", (picture.shape[1], picture.shape[0]), "white")
    return np.asarray(Image.alpha_composite(white, Image.fromarray(picture)).convert("RGB")).astype(int)


def assert_alike(picture: Image.Image, wanted: Pixels) -> None:
    """The same picture, of colours on white and of alpha, within 1, and in one of ten thousand values within 2: who
    composes in floats does not round after each layer, as Pillow does."""
    pixels = np.asarray(picture.convert("RGBA"))
    assert pixels.shape == wanted.shape
    assert np.abs(pixels[..., 3].astype(int) - wanted[..., 3]).max() <= 1
    apart = np.abs(on_white(pixels) - on_white(wanted))
    assert apart.max() <= 2 and (apart > 1).mean() <= 1e-4


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("far", [2**31, -(2**40)])
def test_a_layer_further_out_than_any_picture_is_saved(tmp_path: Path, suffix: str, far: int) -> None:
    layers = (Layer(0, "body", noise(0, 12, 20), 4, 6), Layer(1, "wing", noise(1, 9, 9), far, -far))
    collage = Collage(40, 30, layers, noise(4, 30, 40, 3))
    save_layers(collage, tmp_path / f"far{suffix}")
    if suffix != ".ora":
        picture = PSDImage.open(tmp_path / "far.psd").topil() if suffix == ".psd" else Image.open(tmp_path / "far.png")
        assert picture is not None
        assert_alike(picture, flatten(replace(collage, layers=layers[:1])))


def read_psd(path: Path) -> list[tuple[str, int, int, bool, Pixels]]:
    """Name, left, top, visibility and pixels of each layer from back to front."""
    layers = []
    for layer in PSDImage.open(path):
        image = layer.topil()
        assert isinstance(layer, PixelLayer) and image is not None
        layers.append((layer.name, layer.left, layer.top, layer.visible, np.asarray(image.convert("RGBA"))))
    return layers


def read_ora(path: Path) -> list[tuple[str, int, int, bool, Pixels]]:
    """Name, left, top, visibility and pixels of each layer from back to front, as the specification says to read."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        first = archive.infolist()[0]
        assert first.filename == "mimetype" and first.compress_type == zipfile.ZIP_STORED and not first.extra
        assert archive.read("mimetype") == b"image/openraster"
        text = archive.read("stack.xml")
        assert b"<!" not in text, "no document type, so no entities: safe for ElementTree"
        image = ElementTree.fromstring(text)
        assert image.tag == "image" and image.get("version") == "0.0.3"
        merged = Image.open(io.BytesIO(archive.read("mergedimage.png")), formats=["PNG"])
        assert merged.size == (int(image.attrib["w"]), int(image.attrib["h"]))
        thumbnail = Image.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png")), formats=["PNG"])
        assert max(thumbnail.size) <= THUMBNAIL_SIDE
        (stack,) = image
        layers = []
        for layer in reversed(list(stack)):
            assert (
                layer.tag == "layer" and layer.get("composite-op") == "svg:src-over" and layer.get("opacity") == "1.0"
            )
            pixels = np.asarray(Image.open(io.BytesIO(archive.read(layer.attrib["src"])), formats=["PNG"]))
            place = int(layer.attrib["x"]), int(layer.attrib["y"])
            layers.append(
                (layer.attrib["name"], *place, {"visible": True, "hidden": False}[layer.attrib["visibility"]], pixels)
            )
    return layers


def merged_image(path: Path) -> Image.Image:
    with zipfile.ZipFile(path) as archive:
        return Image.open(io.BytesIO(archive.read("mergedimage.png")), formats=["PNG"])


def composed(collage: Collage, layers: list[tuple[str, int, int, bool, Pixels]]) -> Pixels:
    """What a reader draws that lays the layers over each other."""
    stack = tuple(Layer(0, name, pixels, left, top, visible) for name, left, top, visible, pixels in layers)
    return flatten(Collage(collage.width, collage.height, stack))


READERS = {".psd": read_psd, ".ora": read_ora}


def assert_saved(collage: Collage, folder: Path) -> None:
    """Save a collage of names that need no change in all three forms and compare what their readers find."""
    for suffix in SUFFIXES:
        save_layers(collage, folder / f"collage{suffix}")
    wanted = flatten(collage)
    assert np.array_equal(np.asarray(Image.open(folder / "collage.png", formats=["PNG"])), wanted)
    for suffix, read in READERS.items():
        layers = read(folder / f"collage{suffix}")
        if collage.ground is not None:
            name, left, top, visible, pixels = layers.pop(0)
            assert (name, left, top, visible) == (GROUND, 0, 0, True)
            assert np.array_equal(pixels[..., :3], collage.ground) and (pixels[..., 3] == 255).all()
        assert [layer[:4] for layer in layers] == [(one.name, one.left, one.top, one.visible) for one in collage.layers]
        for (*_, pixels), layer in zip(layers, collage.layers, strict=True):
            assert np.array_equal(pixels, layer.image)
        assert_alike(Image.fromarray(composed(collage, read(folder / f"collage{suffix}"))), wanted)
    assert_alike(merged_image(folder / "collage.ora"), wanted)
    document = PSDImage.open(folder / "collage.psd")
    assert document.has_preview() and document.size == (collage.width, collage.height)
    assert_alike(document.composite(), wanted)
    assert_alike(document.composite(ignore_preview=True), wanted)
    flat = np.asarray(Image.open(folder / "collage.psd", formats=["PSD"]))
    assert np.abs(flat[..., :3].astype(int) - on_white(wanted)).max() <= 1, "Photoshop's composites lie on white"
    if collage.ground is None:
        assert np.array_equal(flat[..., 3], wanted[..., 3])


@pytest.mark.parametrize("ground", [True, False])
def test_layers_come_back_as_they_were(ground: bool, tmp_path: Path) -> None:
    assert_saved(pile(ground), tmp_path)


names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zs"]), min_size=1, max_size=12).filter(
    lambda name: not {"\ufffe", "\uffff"} & set(name) and name == name.strip()
)


@st.composite
def collages(draw: st.DrawFn) -> Collage:
    sides, places = st.integers(1, 7), st.integers(-9, 12)
    width, height = draw(sides), draw(sides)
    layers = tuple(
        Layer(
            index, draw(names), noise(index, draw(sides), draw(sides)), draw(places), draw(places), draw(st.booleans())
        )
        for index in range(draw(st.integers(1, 4)))
    )
    return Collage(width, height, layers, noise(99, height, width, 3) if draw(st.booleans()) else None)


@given(collages())
@settings(max_examples=25)
def test_any_pile_comes_back(tmp_path_factory: pytest.TempPathFactory, collage: Collage) -> None:
    assert_saved(collage, tmp_path_factory.mktemp("pile"))


def test_the_parts_of_a_reference_open_elsewhere(tmp_path: Path) -> None:
    pack = Pack.open(REPOSITORY / "resources" / "starter" / "pack")
    reference = pack.references[0]
    picture = np.asarray(Image.open(reference.image, formats=["PNG"]).convert("RGB"))
    labels = read_label_map(reference.labels)
    layers: list[Layer] = []
    for part in pack.vocabulary.visible_parts:
        cut = cut_out(picture, labels, part.index)
        if cut is not None:
            layers.append(Layer(part.index, part.name, cut.image, cut.left, cut.top))
    assert len(layers) > 3
    collage = Collage(picture.shape[1], picture.shape[0], tuple(layers), fill_ground(picture, labels))
    assert_saved(collage, tmp_path)
    assert_saved(Collage(collage.width, collage.height, collage.layers), tmp_path)


@pytest.mark.parametrize("suffix", READERS)
def test_sixteen_layers_of_one_name_stay_sixteen(suffix: str, tmp_path: Path) -> None:
    layers = tuple(Layer(index, "feather", noise(index, 3, 3), index, index) for index in range(16))
    save_layers(Collage(20, 20, layers), tmp_path / f"x{suffix}")
    read = READERS[suffix](tmp_path / f"x{suffix}")
    assert [layer[:3] for layer in read] == [("feather", index, index) for index in range(16)]


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize(
    "name, written",
    [
        ("a\0b\x1b\x85\ud800\ufffe", "a b"),
        ("two\nlines\tof <&\"'>", "two lines of <&\"'>"),
        ("\x07", "part 5"),
        ("", "part 5"),
        ("x" * 300, "x" * LONGEST_NAME),
        ("🐦" * 300, "🐦" * (LONGEST_NAME // 2)),
        ("é" * 300, "é" * LONGEST_NAME),
    ],
)
def test_names_that_the_formats_cannot_hold(name: str, written: str, suffix: str, tmp_path: Path) -> None:
    save_layers(Collage(4, 4, (Layer(5, name, noise(0, 2, 2), 1, 1),)), tmp_path / f"x{suffix}")
    assert [layer[0] for layer in READERS[suffix](tmp_path / f"x{suffix}")] == [written]


@pytest.mark.parametrize("suffix", READERS)
def test_a_layer_of_no_pixels_keeps_its_name_and_place(suffix: str, tmp_path: Path) -> None:
    layers = (Layer(0, "gone", np.zeros((0, 7, 4), np.uint8), 2, 3), Layer(1, "there", noise(0, 2, 2), 0, 0))
    save_layers(Collage(4, 4, layers), tmp_path / f"x{suffix}")
    gone, there = READERS[suffix](tmp_path / f"x{suffix}")
    assert gone[:4] == ("gone", 2, 3, True) and not gone[4].any() and there[0] == "there"


@pytest.mark.parametrize("ground", [True, False])
def test_a_collage_without_layers_is_its_ground_or_nothing(ground: bool, tmp_path: Path) -> None:
    collage = Collage(6, 4, (), noise(0, 4, 6, 3) if ground else None)
    for suffix in SUFFIXES:
        save_layers(collage, tmp_path / f"x{suffix}")
    for suffix, read in READERS.items():
        (layer,) = read(tmp_path / f"x{suffix}")
        assert layer[0] == GROUND and layer[4].any() == ground
        assert_alike(Image.fromarray(composed(collage, [layer])), flatten(collage))
    assert_alike(merged_image(tmp_path / "x.ora"), flatten(collage))
    assert_alike(PSDImage.open(tmp_path / "x.psd").composite(), flatten(collage))


def test_a_large_collage_has_a_small_thumbnail(tmp_path: Path) -> None:
    save_layers(Collage(1024, 300, ()), tmp_path / "x.ora")
    with zipfile.ZipFile(tmp_path / "x.ora") as archive:
        thumbnail = Image.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png")), formats=["PNG"])
    assert thumbnail.size == (256, 75)


@pytest.mark.parametrize("name", ["x.jpg", "x", "x.psdx", ".psd"])
def test_another_suffix_is_refused_with_those_known(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be saved as .*\.png, \.psd, \.ora"):
        save_layers(pile(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_suffix_in_capitals_is_the_same(tmp_path: Path) -> None:
    save_layers(pile(), tmp_path / "X.PSD")
    assert len(read_psd(tmp_path / "X.PSD")) == 5


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_collage_of_no_pixels_is_refused(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to save"):
        save_layers(Collage(0, 5, ()), tmp_path / f"x{suffix}")


def test_a_collage_too_large_for_psd_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"at most 30000 pixels a side.*\.ora"):
        save_layers(Collage(LARGEST_PSD + 1, 1, ()), tmp_path / "x.psd")
    save_layers(Collage(LARGEST_PSD + 1, 1, ()), tmp_path / "x.ora")
    assert [path.name for path in tmp_path.iterdir()] == ["x.ora"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["nul\0", "half\ud800", "long" * 100])
def test_a_name_that_no_file_system_takes_is_one_sentence(name: str, suffix: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="The layers could not be saved"):
        save_layers(pile(), tmp_path / f"{name}{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_in_the_way_or_gone_is_one_sentence(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"x{suffix}").mkdir()
    with pytest.raises(UserError, match="The layers could not be saved"):
        save_layers(pile(), tmp_path / f"x{suffix}")
    with pytest.raises(UserError, match="is not there"):
        save_layers(pile(), tmp_path / "gone" / f"x{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_read_only_folder_leaves_the_old_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    save_layers(pile(), path)
    old = path.read_bytes()
    tmp_path.chmod(0o555)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("this user may write anywhere")
    with pytest.raises(UserError, match="The layers could not be saved: .* cannot be written to"):
        save_layers(pile(ground=False), path)
    tmp_path.chmod(0o755)
    assert path.read_bytes() == old


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_the_old_file(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"x{suffix}"
    save_layers(pile(), path)
    old = path.read_bytes()
    monkeypatch.setattr("engine.core.atomic_files.secrets.token_hex", lambda count: "full")
    (tmp_path / f".full-part{suffix}").symlink_to("/dev/full")
    with pytest.raises(UserError, match="The disk is full, so the layers could not be saved"):
        save_layers(pile(ground=False), path)
    assert path.read_bytes() == old and [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.skipif(MAGICK is None, reason="needs ImageMagick")
def test_imagemagick_finds_the_same_layers(tmp_path: Path) -> None:
    assert MAGICK is not None
    save_layers(pile(), tmp_path / "x.psd")
    subprocess.run([MAGICK, str(tmp_path / "x.psd[0]"), str(tmp_path / "flat.png")], check=True)
    assert_alike(Image.open(tmp_path / "flat.png", formats=["PNG"]), flatten(pile()))
    command = [MAGICK, str(tmp_path / "x.psd"), "-format", "%l|%X%Y\n", "info:"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert lines[2] == "body|+4+6" and lines[5] == "tail|+100+40"


VOCABULARY = Vocabulary(
    "bird", (Part(0, "sky", "#000000", True), Part(1, "head", "#ff0000"), Part(2, "wing", "#00ff00")), 2
)


def test_a_creation_falls_into_the_parts_it_shows() -> None:
    picture = Image.fromarray(noise(0, 64, 64, 3))
    labels = np.zeros((64, 64), np.uint8)
    labels[16:40, 24:56], labels[48, 48] = 1, NO_PART
    collage = layers_of_creation(picture, Segmentation(labels, (0, 1, ABSENT)), VOCABULARY)
    assert [(layer.part, layer.name) for layer in collage.layers] == [(1, "head")]
    assert (collage.width, collage.height) == (64, 64) and collage.ground is not None
    outside = labels != 1
    assert np.array_equal(collage.ground[outside], np.asarray(picture)[outside])
    deep = np.asarray(ndimage.binary_erosion(labels == 1, iterations=3), bool)
    away = np.asarray(ndimage.binary_erosion(outside, iterations=3, border_value=1), bool)
    apart = np.abs(flatten(collage)[..., :3].astype(int) - np.asarray(picture))
    assert apart[deep].max() <= 1 and apart[away].max() <= 1, "only the edges are soft"


def test_an_absent_part_and_a_coarse_grid_belong_to_the_picture_as_well(tmp_path: Path) -> None:
    picture = Image.fromarray(noise(0, 32, 32, 3))
    labels = np.full((4, 4), NO_PART, np.uint8)
    labels[1:3, 1:3], labels[3, 3] = 1, 2
    collage = layers_of_creation(picture, Segmentation(labels, (ABSENT, 0, ABSENT)), VOCABULARY)
    assert [layer.name for layer in collage.layers] == ["head"]
    assert collage.ground is not None and np.array_equal(collage.ground[31], np.asarray(picture)[31])
    save_layers(collage, tmp_path / "x.psd")
    assert [layer[0] for layer in read_psd(tmp_path / "x.psd")] == [GROUND, "head"]


# Other programs


def chunks(png: bytes) -> dict[bytes, bytes]:
    """A PNG's chunks by name."""
    found, at = {}, 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4])
        found[png[at + 4 : at + 8]] = png[at + 8 : at + 8 + length]
        at += 12 + length
    return found


@pytest.mark.parametrize("ground", [True, False])
def test_an_ora_is_as_its_specification_says(ground: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.ora"
    large = replace(pile(ground), width=700, height=300, ground=noise(9, 300, 700, 3) if ground else None)
    save_layers(large, path)
    data = path.read_bytes()
    assert data[30:54] == b"mimetypeimage/openraster", "told by its first bytes, without a newline"
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert len(set(names)) == len(names) and all(name.isascii() for name in names)
        assert all(not info.flag_bits & 1 for info in archive.infolist()), "nothing is encrypted"
        stack = ElementTree.fromstring(archive.read("stack.xml"))
        assert set(stack.attrib) >= {"version", "w", "h"} and [child.tag for child in stack] == ["stack"]
        sources = [layer.attrib["src"] for layer in stack[0]]
        assert set(names) == {"mimetype", "stack.xml", "mergedimage.png", "Thumbnails/thumbnail.png", *sources}
        assert all(source.startswith("data/") and source.endswith(".png") for source in sources)
        for layer in stack[0]:  # as readers take them apart
            assert int(layer.attrib["x"]) is not None and int(layer.attrib["y"]) is not None
            assert float(layer.attrib["opacity"]) == 1.0 and layer.attrib["name"].strip()
        for name in (*sources, "mergedimage.png", "Thumbnails/thumbnail.png"):
            header = chunks(archive.read(name))[b"IHDR"]
            depth, colour, interlace = header[8], header[9], header[12]
            assert (depth, colour, interlace) == (8, 6, 0), "8 bits, RGBA, not interlaced"
        thumbnail = Image.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png")), formats=["PNG"])
        assert thumbnail.size == (256, 110)


NAMES = ("頭", "крыло", "جناح", "ꦱꦶꦫꦃ", "e\u0301", "שלום tail", "🦩", "a" * 31, "Ünter/\\:*?<>|", "layer")


@pytest.mark.parametrize("suffix", READERS)
def test_sixteen_layers_of_a_pixel_with_names_of_all_scripts(suffix: str, tmp_path: Path) -> None:
    names = [f"{NAMES[index % len(NAMES)]} {index}" for index in range(16)]
    places = [(index * 3 - 20, 30 - index * 3) for index in range(16)]  # some outside on every side
    layers = tuple(
        Layer(index, name, noise(index, 1, 1), left, top, visible=index % 3 > 0)
        for index, (name, (left, top)) in enumerate(zip(names, places, strict=True))
    )
    save_layers(Collage(20, 20, layers), tmp_path / f"x{suffix}")
    read = READERS[suffix](tmp_path / f"x{suffix}")
    assert [layer[:4] for layer in read] == [
        (name, *place, index % 3 > 0) for index, (name, place) in enumerate(zip(names, places, strict=True))
    ]
    assert all(np.array_equal(layer[4], made.image) for layer, made in zip(read, layers, strict=True))


@pytest.mark.skipif(MAGICK is None, reason="needs ImageMagick")
@pytest.mark.parametrize("ground", [True, False])
def test_imagemagick_composes_the_same_picture(ground: bool, tmp_path: Path) -> None:
    assert MAGICK is not None
    save_layers(pile(ground), tmp_path / "x.psd")
    save_layers(pile(ground), tmp_path / "x.png")
    for file in ("x.psd[0]", "x.png"):
        subprocess.run([MAGICK, str(tmp_path / file), "-depth", "8", str(tmp_path / "flat.png")], check=True)
        assert_alike(Image.open(tmp_path / "flat.png", formats=["PNG"]), flatten(pile(ground)))


KRITA, XVFB = shutil.which("krita"), shutil.which("xvfb-run")


@pytest.mark.slow
@pytest.mark.skipif(not KRITA or not XVFB, reason="needs Krita and xvfb-run")
@pytest.mark.parametrize("ground", [True, False])
@pytest.mark.parametrize("suffix", READERS)
def test_krita_composes_the_same_picture(suffix: str, ground: bool, tmp_path: Path) -> None:
    save_layers(pile(ground), tmp_path / f"x{suffix}")
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    environment.pop("QT_QPA_PLATFORM", None)
    command = ["xvfb-run", "-a", "krita", "--export", "--export-filename", "flat.png", f"x{suffix}"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=120, capture_output=True)
    assert_alike(Image.open(tmp_path / "flat.png", formats=["PNG"]), flatten(pile(ground)))


# Disks that are full

FULL = """
import sys
from pathlib import Path
import numpy as np
from engine.collage.layers import Collage, Layer
from engine.core.errors import UserError
from engine.exchange.layers import save_layers

if sys.argv[2] == "limit":
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
noise = np.random.default_rng(0).integers(0, 256, (300, 300, 4), dtype=np.uint8)
for suffix in (".png", ".psd", ".ora"):
    path = Path(sys.argv[1]) / f"x{suffix}"
    path.write_bytes(b"old")
    try:
        save_layers(Collage(300, 300, (Layer(0, "head", noise[:200], 5, 5),), noise[..., :3]), path)
    except UserError as error:
        print(error.message, error.hint)
"""


def said_of_each(folder: Path, how: str) -> list[str]:
    """What saving a large collage in each form over an old file says, in a process of its own."""
    command = [sys.executable, "-c", FULL, str(folder), how]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in folder.iterdir()) == ["x.ora", "x.png", "x.psd"]
    assert {file.read_bytes() for file in folder.iterdir()} == {b"old"}
    return done.stdout.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of POSIX")
def test_a_disk_that_takes_no_file_so_large(tmp_path: Path) -> None:
    sentences = said_of_each(tmp_path, "limit")
    assert len(sentences) == 3
    assert all("takes no file so large. Choose a folder on another disk." in one for one in sentences)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full_halfway(small_disk: Path) -> None:
    sentences = said_of_each(small_disk, "")
    assert len(sentences) == 3
    assert all(one.startswith("The disk is full, so the layers could not be saved. Make room") for one in sentences)
