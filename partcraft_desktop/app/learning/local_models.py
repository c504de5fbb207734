"""Which models and packs on this computer can be learned with. Reads the disk: call it off the Qt thread."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.paths import local_model_folder, models_dir
from engine.packs.pack import TOKENS, Pack


@dataclass(frozen=True)
class LocalModels:
    """``base_models``: ids; ``extendable``: packs whose eyes and base model are here, so that they can get more;
    ``trained``: those of them that have learned tokens."""

    base_models: tuple[str, ...] = ()
    extendable: tuple[Pack, ...] = ()
    trained: tuple[Pack, ...] = ()


def find_local_models(packs: tuple[Pack, ...]) -> LocalModels:
    """The base models at hand (the starter's, those of the models folder, those of the packs), and what the packs can
    be used for. Raises ``OSError`` where a folder cannot be read."""
    models = models_dir()
    ids = ["starter/base"] if local_model_folder("starter/base") else []
    ids += [file.parent.relative_to(models).as_posix() for file in sorted(models.rglob("model_index.json"))]
    ids += [pack.base_model.id for pack in packs if local_model_folder(pack.base_model.id)]
    extendable = tuple(pack for pack in packs if _can_be_extended(pack))
    trained = tuple(pack for pack in extendable if (pack.path / TOKENS).is_file())
    return LocalModels(tuple(dict.fromkeys(ids)), extendable, trained)


def _can_be_extended(pack: Pack) -> bool:
    return local_model_folder(pack.backbone.id) is not None and local_model_folder(pack.base_model.id) is not None
