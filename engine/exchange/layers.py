"""A collage out into the tools that people paint with: PNG (flattened), PSD and OpenRaster (in layers)."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from psd_tools.constants import ChannelID, ColorMode, Compression, Resource, Tag
from psd_tools.psd.document import PSD
from psd_tools.psd.header import FileHeader
from psd_tools.psd.image_data import ImageData
from psd_tools.psd.image_resources import ImageResource, ImageResources
from psd_tools.psd.layer_and_mask import (
    ChannelData,
    ChannelDataList,
    ChannelImageData,
    ChannelInfo,
    GlobalLayerMaskInfo,
    LayerAndMaskInformation,
    LayerFlags,
    LayerInfo,
    LayerRecord,
    LayerRecords,
)
from psd_tools.psd.tagged_blocks import TaggedBlocks

from engine.collage.cut_outs import cut_out, fill_ground
from engine.collage.layers import Collage, Layer, Pixels, flatten
from engine.core.atomic_files import write_whole
from engine.core.errors import UserError
from engine.core.picture_listing import CUT_OUT
from engine.core.segmentation import NO_PART, Segmentation
from engine.core.source_mark import add_mark, xmp_packet
from engine.core.vocabulary import ABSENT, Vocabulary

GROUND: Final = "ground"
"""What the ground's own layer is called."""

LONGEST_NAME: Final = 255
"""In UTF-16 code units: what a PSD's layer may be called."""

LARGEST_PSD: Final = 30_000
"""Pixels a side."""

_FARTHEST: Final = 2**31 - 1
"""Pixels from the corner of a PSD."""

THUMBNAIL_SIDE: Final = 256
"""Pixels; OpenRaster allows no more."""

COMPRESSION: Final = 3
"""Of PNGs, 0 to 9: photographs get a tenth larger than with 6, and are written in a third of the time."""

TRANSPARENT: Final[Pixels] = np.zeros((1, 1, 4), np.uint8)
"""The pixel that stands where there is none: no PNG is of size 0."""

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Control characters and halves of surrogate pairs: XML holds no such thing, and a layer's name needs none."""


def save_layers(collage: Collage, path: Path, source: str = "") -> None:
    """Save a collage in the form that the path's suffix names, whole or not at all.

    ``.png`` is flattened, transparent where there is no ground. ``.psd`` and ``.ora`` have one layer a part in drawing
    order, hidden ones hidden, above the ground as a layer of its own; and the flattened picture for viewers. Layers
    keep their names, less what the formats cannot hold. ``source`` is a digital source type
    (:mod:`engine.core.source_mark`), which OpenRaster has no place for. Raises :class:`UserError` for another suffix, a
    collage of no pixels or too many, and a file that cannot be written; the old file then stays.
    """
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        form = f"{path.suffix} files" if path.suffix else "a file without an ending"
        raise UserError(f"Layers cannot be saved as {form}.", f"Choose one of {', '.join(WRITERS)}.")
    if collage.width < 1 or collage.height < 1:
        raise UserError("There is nothing to save: the collage has no pixels.")
    write_whole(path, lambda beside: write(collage, beside, source), "the layers")


def layers_of_creation(picture: Image.Image, segmentation: Segmentation, vocabulary: Vocabulary) -> Collage:
    """A creation cut by its own segmentation: a layer for each visible part in the vocabulary's order, the rest ground.

    The segmentation's labels may be of another size than the picture. Parts of the background belong to the ground.
    """
    pixels = np.asarray(picture.convert("RGB"))
    parts = [part for part in vocabulary.visible_parts if segmentation.codes[part.index] != ABSENT]
    labels = np.asarray(Image.fromarray(segmentation.labels).resize(picture.size, Image.Resampling.NEAREST))
    labels = np.where(np.isin(labels, [part.index for part in parts]), labels, NO_PART).astype(np.uint8)
    layers: list[Layer] = []
    for part in parts:
        cut = cut_out(pixels, labels, part.index)
        if cut is not None:
            layers.append(Layer(part.index, part.name, cut.image, cut.left, cut.top))
    # Beside its parts the creation stays as it is: together, the layers are the picture again.
    ground = np.where((labels == NO_PART)[..., None], pixels, fill_ground(pixels, labels))
    return Collage(picture.width, picture.height, tuple(layers), ground)


def _write_png(collage: Collage, path: Path, source: str) -> None:
    path.write_bytes(_png(flatten(collage), CUT_OUT if collage.ground is None else "", source))


def _write_psd(collage: Collage, path: Path, source: str) -> None:
    if max(collage.width, collage.height) > LARGEST_PSD:
        raise UserError(f"A PSD file holds at most {LARGEST_PSD} pixels a side.", "Save the layers as .ora.")
    layers = [_within_reach(layer) for layer in _layers_with_ground(collage)]
    transparent = collage.ground is None
    header = FileHeader(
        channels=4 if transparent else 3, width=collage.width, height=collage.height, color_mode=ColorMode.RGB
    )
    composite = ImageData(Compression.RLE)
    composite.set_data(_composite_planes(flatten(collage), transparent), header)
    records, channels = LayerRecords(), ChannelImageData()
    for layer in layers:
        channel_data = _psd_channels(layer.image)
        channels.append(ChannelDataList(list(channel_data.values())))
        records.append(_psd_record(layer, channel_data))
    count = -len(layers) if transparent else len(layers)  # below 0: the composite's fourth channel is transparency
    layer_info = LayerInfo(count, records, channels)
    document = PSD(
        header=header,
        image_resources=_psd_resources(source),
        layer_and_mask_information=LayerAndMaskInformation(layer_info, GlobalLayerMaskInfo(), TaggedBlocks()),
        image_data=composite,
    )
    with path.open("wb") as file:
        document.write(file)


def _psd_resources(source: str) -> ImageResources:
    resources = ImageResources.new()
    if source:
        key = Resource.XMP_METADATA
        resources[key] = ImageResource(key=key, data=xmp_packet(source).encode())
    return resources


def _within_reach(layer: Layer) -> Layer:
    """A layer at a place that a PSD can tell; what is so far out is never seen."""
    height, width = layer.image.shape[:2]
    left = min(max(layer.left, -_FARTHEST), _FARTHEST - width)
    return replace(layer, left=left, top=min(max(layer.top, -_FARTHEST), _FARTHEST - height))


def _composite_planes(picture: Pixels, transparent: bool) -> list[bytes]:
    """The channels of a PSD's composite. Its colours lie on white, as Photoshop writes and readers expect them."""
    alpha = picture[..., 3:].astype(np.float32) / 255
    on_white = (picture[..., :3] * alpha + 255 * (1 - alpha) + 0.5).astype(np.uint8)
    planes = [on_white[..., index].tobytes() for index in range(3)]
    return [*planes, picture[..., 3].tobytes()] if transparent else planes


def _psd_channels(image: Pixels) -> dict[ChannelID, ChannelData]:
    """The channels of a layer uint8 (h, w, 4), compressed, in the order in which they are written."""
    height, width = image.shape[:2]
    channels: dict[ChannelID, ChannelData] = {}
    for channel, index in (
        (ChannelID.TRANSPARENCY_MASK, 3),
        (ChannelID.CHANNEL_0, 0),
        (ChannelID.CHANNEL_1, 1),
        (ChannelID.CHANNEL_2, 2),
    ):
        channels[channel] = ChannelData(Compression.RLE)
        channels[channel].set_data(image[..., index].tobytes(), width, height, 8)
    return channels


def _psd_record(layer: Layer, channels: Mapping[ChannelID, ChannelData]) -> LayerRecord:
    height, width = layer.image.shape[:2]
    record = LayerRecord(
        top=layer.top,
        left=layer.left,
        bottom=layer.top + height,
        right=layer.left + width,
        channel_info=[ChannelInfo(channel, len(data.data) + 2) for channel, data in channels.items()],
        flags=LayerFlags(visible=layer.visible),
        name=layer.name.encode("macroman", "replace").decode("macroman"),  # for readers older than Unicode names
    )
    record.tagged_blocks.set_data(Tag.UNICODE_LAYER_NAME, layer.name)
    return record


def _write_ora(collage: Collage, path: Path, _source: str) -> None:
    layers = _layers_with_ground(collage)
    files = {f"data/layer{index}.png": layer for index, layer in enumerate(layers)}
    merged = flatten(collage)
    thumbnail = Image.fromarray(merged)
    thumbnail.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("mimetype", "image/openraster")  # first and stored, so that it stands at a fixed place
        archive.writestr("stack.xml", _stack_xml(collage.width, collage.height, files), zipfile.ZIP_DEFLATED)
        for name, layer in files.items():
            archive.writestr(name, _png(layer.image))
        archive.writestr("mergedimage.png", _png(merged))
        archive.writestr("Thumbnails/thumbnail.png", _png(np.asarray(thumbnail)))


def _stack_xml(width: int, height: int, files: Mapping[str, Layer]) -> bytes:
    """``stack.xml`` of files with layers from back to front; it lists them from the topmost."""
    image = ElementTree.Element("image", {"version": "0.0.3", "w": str(width), "h": str(height)})
    stack = ElementTree.SubElement(image, "stack")
    for file, layer in reversed(list(files.items())):
        attributes = {
            "name": layer.name,
            "src": file,
            "x": str(layer.left),
            "y": str(layer.top),
            "opacity": "1.0",
            "visibility": "visible" if layer.visible else "hidden",
            "composite-op": "svg:src-over",
        }
        ElementTree.SubElement(stack, "layer", attributes)
    return ElementTree.tostring(image, "UTF-8", xml_declaration=True)


def _layers_with_ground(collage: Collage) -> list[Layer]:
    """From back to front: the ground, if there is one, and the layers with names and sizes that both formats hold.

    At least one: a transparent ground stands for nothing at all, since GIMP reads a PSD of no layers as white.
    """
    layers = [_writable(layer) for layer in collage.layers]
    if collage.ground is None:
        return layers or [Layer(NO_PART, GROUND, TRANSPARENT, 0, 0)]
    opaque = np.full((collage.height, collage.width), 255, np.uint8)
    return [Layer(NO_PART, GROUND, np.dstack([collage.ground, opaque]), 0, 0), *layers]


def _writable(layer: Layer) -> Layer:
    """A layer named as the formats allow; one of no pixels becomes a transparent pixel."""
    name = _UNPRINTABLE.sub(" ", layer.name).encode("utf-16-le")[: 2 * LONGEST_NAME].decode("utf-16-le", "ignore")
    image = layer.image if layer.image.size else TRANSPARENT
    return replace(layer, name=name.strip() or f"part {layer.part}", image=image)


def _png(image: Pixels, mark: str = "", source: str = "") -> bytes:
    info = PngInfo()
    if mark:
        info.add_text(mark, "1")
    add_mark(info, source)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=COMPRESSION, pnginfo=info)
    return buffer.getvalue()


WRITERS: Final[Mapping[str, Callable[[Collage, Path, str], None]]] = {
    ".png": _write_png,
    ".psd": _write_psd,
    ".ora": _write_ora,
}
"""Suffix to what writes such a file."""
