"""A graphics card that is none: tensors that say they are on another device, and compute on the processor.

Every operation is done on plain tensors, so results are the processor's, bit for bit; but operands of different devices
are refused, as a real card refuses them, and so are ``numpy()`` and the like. What runs here does not mix devices.
The device is called "meta", which torch lets exist without hardware.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

CARD = torch.device("meta")
#: Indices may be the processor's, and copies are what goes between devices.
_MIXED = {
    torch.ops.aten.index.Tensor, torch.ops.aten.index_put.default, torch.ops.aten.index_put_.default,
    torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default,
}  # fmt: skip


class OnCard(torch.Tensor):
    """A tensor that says it is on the card; ``plain`` is where it really is."""

    plain: torch.Tensor

    @staticmethod
    def __new__(cls, plain: torch.Tensor) -> OnCard:
        return torch.Tensor._make_wrapper_subclass(
            cls, plain.shape, strides=plain.stride(), storage_offset=plain.storage_offset(), dtype=plain.dtype,
            device=CARD, requires_grad=plain.requires_grad,
        )  # fmt: skip

    def __init__(self, plain: torch.Tensor) -> None:
        self.plain = plain.detach()

    def __repr__(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        return f"OnCard({self.plain!r})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.plain.__reduce_ex__(protocol)  # in a checkpoint it is a tensor

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


def _computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    operands = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)]
    brought = [one for one in operands if isinstance(one, OnCard)]
    away = [one for one in operands if not isinstance(one, OnCard) and one.dim() > 0]
    if brought and away and func not in _MIXED:
        raise RuntimeError(f"{func}: operands on the card and on the processor")
    named = kwargs.get("device")
    target = torch.device(named) if named is not None else None
    if target == CARD:
        kwargs = kwargs | {"device": torch.device("cpu")}
    done = func(*tree_map(_plain, args), **tree_map(_plain, kwargs))
    if not func._schema.returns:  # many tensors were changed in place
        return None
    if func._schema.name.endswith("_") and operands:  # one was
        return args[0]
    stays = (target == CARD) if target is not None else bool(brought)
    return tree_map(_on_card, done) if stays else done


def _plain(value: Any) -> Any:
    return value.plain if isinstance(value, OnCard) else value


def _on_card(value: Any) -> Any:
    return OnCard(value) if isinstance(value, torch.Tensor) else value


class _Card(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


@contextmanager
def pretend_card() -> Iterator[torch.device]:
    """While open, :data:`CARD` is a device that computes."""
    with _Card():
        yield CARD
