"""Lengths of time in words, for the window and the command line."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """About how long: "8 s", "3 min", "2.5 h", "5 days"; at least a second."""
    if round(seconds) < 60:
        return f"{max(1, round(seconds))} s"
    if round(seconds / 60) < 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{round(seconds / 86400)} days"


def hours_and_minutes(seconds: float) -> str:
    """How long to the minute, for a list that is read rather than watched: "a minute", "59 min", "2 h 5 min"."""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min" if minutes else "a minute"
