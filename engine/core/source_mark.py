"""IPTC's mark of pictures that a model made: the digital source type, in a file's XMP.

Terms: https://cv.iptc.org/newscodes/digitalsourcetype/. In a PNG an XMP packet is the text ``XML:com.adobe.xmp`` (XMP
Specification, part 3). A collage alone is no model's work, and has no mark.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL.PngImagePlugin import PngImageFile, PngInfo

from engine.core.errors import UserError
from engine.core.image_files import open_image
from engine.core.start import Start, schedule_of

_TERMS: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TRAINED: Final = f"{_TERMS}trainedAlgorithmicMedia"
"""Made by a model alone."""
COMPOSITE: Final = f"{_TERMS}compositeWithTrainedAlgorithmicMedia"
"""Made by a model from a picture: the collage, or one to start from."""
XMP: Final = "XML:com.adobe.xmp"


def source_type(start: Start | None, steps: int) -> str:
    """What a render is, by what it begins with; empty where a model took no part, for then it is as its start was."""
    if start is None or start.is_ignored:
        return TRAINED
    if schedule_of(start.freedom, steps)[1]:
        return COMPOSITE
    return source_type_in(Path(start.creation)) if start.creation else ""


def xmp_packet(source: str) -> str:
    """An XMP packet that says a digital source type, one of those above."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f' Iptc4xmpExt:DigitalSourceType="{source}"/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )


def add_mark(info: PngInfo, source: str) -> None:
    """Say a digital source type in a PNG; an empty one says nothing."""
    if source:
        info.add_itxt(XMP, xmp_packet(source))


def source_type_in(path: Path) -> str:
    """What a PNG says of itself; empty for another file, one without a mark, and one that cannot be read."""
    try:
        with open_image(path) as picture:
            if not isinstance(picture, PngImageFile):
                return ""
            picture.load()
            packet = str(picture.text.get(XMP, ""))
    except (OSError, ValueError, SyntaxError, UserError):
        return ""
    return next((source for source in (COMPOSITE, TRAINED) if f'"{source}"' in packet), "")
