"""The window of PartCraft: PySide6, never torch. `session.py` holds the state; widgets repaint from it."""
