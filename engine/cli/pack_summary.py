"""What commands say of a pack in their documents."""

from __future__ import annotations

from engine.packs.pack import Pack


def pack_summary(pack: Pack) -> dict[str, object]:
    """What a command says of a pack."""
    return {
        "id": pack.id,
        "title": pack.title,
        "path": str(pack.path),
        "parts": [part.name for part in pack.vocabulary.visible_parts],
        "codes_per_part": pack.vocabulary.codes_per_part,
        "references": len(pack.references),
        "base_model": pack.base_model.id,
        "eyes": pack.backbone.id,
    }
