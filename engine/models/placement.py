"""Where a pipeline's models are while they work: all on the device, or taking turns on it where it is small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import accelerate
import torch

Placement = Literal["whole", "turns", "layers"]
"""``whole``: all models are on the device. ``turns``: each is while it works, and in the computer's memory else.
``layers``: each layer is while it works, which is slow."""


def placement_for(sizes: Mapping[str, int], room: int) -> Placement:
    """The fastest placement of models of ``sizes`` bytes each in ``room`` bytes."""
    if sum(sizes.values()) <= room:
        return "whole"
    return "turns" if max(sizes.values()) <= room else "layers"


def bytes_on_device(sizes: Mapping[str, int], placement: Placement) -> int:
    """What models of ``sizes`` bytes take of the device at a time."""
    return {"whole": sum, "turns": max, "layers": lambda _: 0}[placement](sizes.values())


def place(models: Mapping[str, Any], device: torch.device, placement: Placement) -> None:
    """Put models, by name in the order in which a picture needs them, on a device. Those that take turns work as
    before wherever they are called; what they are given has to be on the device (accelerate's hooks)."""
    if placement == "whole":
        for model in models.values():
            model.to(device)
        return
    hook: Any = None
    for model in models.values():
        if placement == "turns":
            _, hook = accelerate.cpu_offload_with_hook(model, device, prev_module_hook=hook)
        else:
            accelerate.cpu_offload(model, device)


def device_of(model: Any) -> torch.device:
    """Where a model works, wherever it is now."""
    hooks = (getattr(module, "_hf_hook", None) for module in model.modules())
    devices = (getattr(hook, "execution_device", None) for hook in hooks)
    device = next((device for device in devices if device is not None), None)
    return model.device if device is None else torch.device(device)
