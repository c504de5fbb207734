"""What opening a picture may cost: pixels are counted before they are decoded, and large ones never copied whole."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import REPOSITORY
from tests.fakes import make_pack

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a process reads its own peak of memory in /proc")

SIDE = 13_000
PROMISED_MB = 800

PEAK = """
import sys
from pathlib import Path
from engine.core.errors import UserError
try:
    if sys.argv[2] == "pack":
        from engine.packs.pack import Pack
        from engine.packs.validation import check_pack
        check_pack(Pack.open(sys.argv[1]), thorough=True)
        print("whole")
    else:
        from engine.core.image_files import open_picture
        print(*open_picture(sys.argv[1], max_side=int(sys.argv[2])).size)
except UserError as error:
    print(error.message)
(peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak) >> 10)
"""


def opened(path: Path, max_side: int | str = 4096) -> tuple[str, int]:
    """What a process of its own says of a picture, or of a "pack", and the megabytes it took at most."""
    command = [sys.executable, "-c", PEAK, str(path), str(max_side)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    said, peak = done.stdout.splitlines()
    return said, int(peak)


def saved(folder: Path, name: str, mode: str, side: int, **options: object) -> Path:
    Image.new(mode, (side, side)).save(folder / name, **options)  # pyright: ignore[reportArgumentType]
    return folder / name


QUICK: dict[str, dict[str, object]] = {
    "png": {"compress_level": 1},
    "webp": {"quality": 1, "method": 0},
    "tif": {"compression": "tiff_deflate"},
}


@pytest.mark.parametrize(("name", "mode", "side"), [("colours.png", "RGB", SIDE), ("tight.webp", "RGB", 7_000)])
def test_what_is_too_large_is_refused_before_it_is_decoded(name: str, mode: str, side: int, tmp_path: Path) -> None:
    said, peak = opened(saved(tmp_path, name, mode, side, **QUICK[name.partition(".")[2]]))
    assert said == f"{name} is too large to open." and peak < 100


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "mode", "side"),
    [
        ("grey.png", "L", SIDE),
        ("nearly.png", "RGB", 12_700),
        ("clear.png", "RGBA", 9_000),
        ("deep.png", "I;16", 8_000),
        ("floats.tif", "F", 9_000),
        ("loose.webp", "RGB", 6_300),
        ("camera.jpg", "RGB", SIDE),
        ("print.jpg", "CMYK", 12_000),
        ("moving.gif", "P", 8_000),
    ],
)
def test_no_picture_takes_more_than_promised(name: str, mode: str, side: int, tmp_path: Path) -> None:
    said, peak = opened(saved(tmp_path, name, mode, side, **QUICK.get(name.partition(".")[2], {})))
    assert said == "4096 4096" and peak < PROMISED_MB, f"{name} took {peak} MB"


@pytest.mark.slow
def test_a_jpeg_in_passes_is_counted_at_full_size(tmp_path: Path) -> None:
    """Its numbers are all kept until the last pass, however small it is decoded."""
    said, peak = opened(saved(tmp_path, "passes.jpg", "RGB", 9_000, progressive=True, quality=20))
    assert said == "4096 4096" and peak < PROMISED_MB
    path = saved(tmp_path, "fine.jpg", "RGB", 12_000, progressive=True, quality=20, subsampling=0)
    said, peak = opened(path, max_side=64)
    assert said == "fine.jpg is too large to open." and peak < 100


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "size", "expected"),
    [
        ("png", (9_000, 9_000), "whole"),
        ("png", (16_000, 11_000), "image.png in the pack “birds” is too large."),
        ("jpg", (16_000, 11_000), "image.jpg in the pack “birds” is too large."),
    ],
)
def test_a_packs_pictures_are_checked_within_the_same(
    ending: str, size: tuple[int, int], expected: str, tmp_path: Path
) -> None:
    pack = make_pack(tmp_path / "birds")
    Image.new("RGB", size).save(pack.path / f"image.{ending}", **QUICK.get(ending, {}))  # pyright: ignore[reportArgumentType]
    Image.new("L", size).save(pack.path / "labels.png", compress_level=1)
    places = {"image": str(pack.path / f"image.{ending}"), "labels": str(pack.path / "labels.png")}
    replace(pack, references=(replace(pack.references[0], **places),)).save()
    said, peak = opened(pack.path, "pack")
    assert said == expected and peak < PROMISED_MB
