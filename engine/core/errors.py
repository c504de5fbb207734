"""What can go wrong, told to a person; and how a job is stopped from inside."""

from __future__ import annotations

from typing import Literal

ErrorKind = Literal["", "memory", "device"]
"""What the program itself has to know of an error, beside the sentence that a person reads: "memory" ran out while
working, so the process may be left with too little of it, or in pieces; "device": the GPU's context is broken."""


class UserError(Exception):
    """An error meant for a person: one sentence that says what is wrong, one that says what to do. ``model``: the id of
    a model that is missing, where getting it is what to do."""

    def __init__(self, message: str, hint: str = "", kind: ErrorKind = "", model: str = "") -> None:
        super().__init__(message, hint, kind, model)
        self.message = message
        self.hint = hint
        self.kind: ErrorKind = kind
        self.model = model

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class JobCancelled(BaseException):
    """Raised by ``report`` inside a handler when its job was cancelled."""


def kind_of(error: BaseException) -> ErrorKind:
    """The kind of any exception: its own, or that of the nearest exception behind it that has one."""
    chain: list[BaseException] = []
    behind: BaseException | None = error
    while behind is not None and behind not in chain:  # huggingface_hub raises exceptions that are their own cause
        chain.append(behind)
        behind = behind.__cause__
    return next(filter(None, map(_own_kind, chain)), "")


def _own_kind(error: BaseException) -> ErrorKind:
    if isinstance(error, UserError) and error.kind:
        return error.kind
    if out_of_memory(error):
        return "memory"
    broken = isinstance(error, RuntimeError) and "CUDA error" in str(error)
    return "device" if broken or type(error).__name__ == "AcceleratorError" else ""


def out_of_memory(error: BaseException) -> bool:
    """Whether this is any library's way of saying that memory ran out."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text))
    )
