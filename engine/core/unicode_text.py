"""Text that came from file names, JSON or another program, and need not be Unicode."""

from __future__ import annotations


def unicode_text(text: str) -> str:
    """A text that every encoding and every library takes: halves of surrogate pairs become "�". File names that are no
    UTF-8 hold them, and texts with half an emoji."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
