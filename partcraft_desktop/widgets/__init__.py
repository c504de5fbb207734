"""Widgets, pictures and the look that the wings share."""
