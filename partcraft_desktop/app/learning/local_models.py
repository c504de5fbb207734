"""Which models and packs on this computer can be learned with. Reads the disk: call it off the Qt thread."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.model_places import base_model_ids, model_candidates
from engine.core.on_disk import is_file
from engine.core.paths import local_model_folder
from engine.packs.pack import TOKENS, Pack


@dataclass(frozen=True)
class LocalModels:
    """``base_models``: ids; ``extendable``: packs whose eyes and base model are here, so that they can get more;
    ``trained``: those of them that have learned tokens."""

    base_models: tuple[str, ...] = ()
    extendable: tuple[Pack, ...] = ()
    trained: tuple[Pack, ...] = ()


def find_local_models(packs: tuple[Pack, ...]) -> LocalModels:
    """The base models at hand (the starter's, those of the models folder, of the Hugging Face cache, of added folders,
    of the packs), and what the packs can be used for. Raises ``OSError`` where a folder cannot be read."""
    ids = ["starter/base"] if local_model_folder("starter/base") else []
    ids += base_model_ids()
    ids += [pack.base_model.id for pack in packs if model_candidates(pack.base_model.id)]
    extendable = tuple(pack for pack in packs if _can_be_extended(pack))
    trained = tuple(pack for pack in extendable if is_file(pack.path / TOKENS))
    return LocalModels(tuple(dict.fromkeys(ids)), extendable, trained)


def _can_be_extended(pack: Pack) -> bool:
    return bool(model_candidates(pack.backbone.id) and model_candidates(pack.base_model.id))
