"""What can go wrong, told to a person; and how a job is stopped from inside."""

from __future__ import annotations


class UserError(Exception):
    """An error meant for a person: one sentence that says what is wrong, one that says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class JobCancelled(BaseException):
    """Raised by ``report`` inside a handler when its job was cancelled."""


def out_of_memory(error: BaseException) -> bool:
    """Whether this is any library's way of saying that memory ran out."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text))
    )
