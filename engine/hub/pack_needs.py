"""What a pack lacks on this computer, in sentences: told when it is imported, and where something is missing."""

from __future__ import annotations

from engine.core.byte_sizes import byte_size
from engine.hub.published import is_here
from engine.packs.about import AboutPack
from engine.packs.pack import Pack
from engine.packs.stand_ins import codes_to_paint


def what_is_lacking(pack: Pack) -> tuple[str, ...]:
    """A sentence for each thing a pack lacks: its base model, its eyes, a codebook, pictures. Reads the disk."""
    base, eyes = pack.base_model, pack.backbone.id
    sentences = []
    if not is_here(base.id):
        where = f"{base.beside.rpartition('/')[2]} was in {base.id}" if base.beside else base.id
        sentences.append(f"Its base model is not on this computer ({where}): it cannot paint yet.")
    if base.unet and not is_here(base.unet):
        sentences.append(f"Its UNet is not on this computer ({base.unet}): it cannot paint yet.")
    if not is_here(eyes):
        sentences.append(f"Its eyes are not on this computer ({eyes}): it finds no parts in pictures yet.")
    if pack.blind:
        sentences.append(
            "Nothing came with it that says what its parts look like: it learns that from pictures it paints."
        )
    if count := len(codes_to_paint(pack)):
        total = len(pack.references)
        sentences.append(f"{count} of its {total} reference pictures are drawn stand-ins until they are painted.")
    return tuple(sentences)


def terms_of(about: AboutPack) -> tuple[tuple[str, str], ...]:
    """What a person should know of a pack before it is installed, as names and values: its base model with whether that
    is here, its licence, its size. Reads the disk."""
    pack, base = about.pack, about.pack.base_model.id
    named = pack.base_model.beside.rpartition("/")[2] or base
    return (
        ("Contents", about.contents),
        ("Base model", f"{named} ({'on this computer' if is_here(base) else 'not on this computer'})"),
        ("Licence", about.licence),
        *((("From", pack.provenance),) if pack.provenance else ()),
        ("Size", byte_size(about.size)),
    )
