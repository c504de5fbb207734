"""IPTC's mark: what a render says it is, in the file, as other programs read it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from psd_tools import PSDImage
from psd_tools.constants import Resource

from engine.collage.layers import Collage
from engine.core.png_metadata import read_creation, save_creation
from engine.core.recipe import Recipe
from engine.core.source_mark import COMPOSITE, TRAINED, source_type, source_type_in
from engine.core.start import Start
from engine.exchange.layers import save_layers

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"


def read_by_the_rules(packet: str) -> str:
    """The digital source type of an XMP packet, as XMP and IPTC's photo metadata standard say it is written."""
    assert packet.startswith('<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>')
    assert packet.endswith('<?xpacket end="w"?>')
    (description,) = ElementTree.fromstring(packet.partition("?>")[2].rpartition("<?")[0]).iter(f"{RDF}Description")
    assert description.get(f"{RDF}about") == ""
    return description.attrib[f"{IPTC}DigitalSourceType"]


def test_what_a_render_is_follows_from_what_it_begins_with(tmp_path: Path) -> None:
    assert source_type(None, 20) == source_type(Start(1.0), 20) == TRAINED
    assert source_type(Start(0.4), 20) == source_type(Start(1.0, keep=(1,)), 20) == COMPOSITE
    assert source_type(Start(0.4, "photo.png"), 20) == COMPOSITE
    assert source_type(Start(0.0), 20) == "", "the collage as it is: no model took part"
    marked, plain = tmp_path / "marked.png", tmp_path / "plain.png"
    for path, source in ((marked, TRAINED), (plain, "")):
        save_creation(Image.new("RGB", (8, 8)), path, Recipe("p"), source=source)
        assert source_type(Start(0.0, str(path)), 20) == source_type_in(path) == source
    assert source_type(Start(0.0, str(tmp_path / "gone.png")), 20) == ""


@pytest.mark.parametrize("source", [TRAINED, COMPOSITE])
def test_a_png_says_it_as_other_programs_read_it(tmp_path: Path, source: str) -> None:
    path = tmp_path / "a.png"
    save_creation(Image.new("RGB", (8, 8)), path, Recipe("p", ("a bird",)), source=source)
    with Image.open(path) as picture:
        picture.load()
        assert read_by_the_rules(picture.text["XML:com.adobe.xmp"]) == source  # type: ignore[attr-defined]
        assert picture.text["parameters"].startswith("a bird\n")  # type: ignore[attr-defined]
    assert source.startswith("http://cv.iptc.org/newscodes/digitalsourcetype/")
    assert read_creation(path).recipe.prompt == ("a bird",)


def test_layers_keep_it_and_a_collage_has_none(tmp_path: Path) -> None:
    ground = np.zeros((8, 8, 3), np.uint8)
    for source in ("", COMPOSITE):
        collage = Collage(8, 8, (), ground)
        for suffix in (".png", ".psd", ".ora"):
            save_layers(collage, tmp_path / f"a{suffix}", source)
        assert source_type_in(tmp_path / "a.png") == source
        packet = PSDImage.open(tmp_path / "a.psd").image_resources.get_data(Resource.XMP_METADATA)
        assert (read_by_the_rules(bytes(packet).decode()) if packet else "") == source
    assert source_type_in(tmp_path / "a.psd") == "", "read of PNGs alone"
