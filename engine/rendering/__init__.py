"""Rendering: from a recipe to creations, and what arrived in them."""
