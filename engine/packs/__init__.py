"""Packs: a vocabulary with its codebook, tokens and references in a folder; read, checked, zipped, listed."""
