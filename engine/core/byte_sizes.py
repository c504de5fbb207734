"""Amounts of bytes in words, for the window and the command line."""

from __future__ import annotations


def byte_size(count: float) -> str:
    """About how much: "743 bytes", "12 kB", "2.7 MB", "90 MB", "2.1 GB", in thousands as the hub counts."""
    if count < 999.5:
        return f"{round(count)} bytes"
    if count < 999.5e3:
        return f"{count / 1e3:.0f} kB"
    if count < 999.5e6:
        return f"{count / 1e6:.{1 if count < 9.95e6 else 0}f} MB"
    return f"{count / 1e9:.1f} GB"
