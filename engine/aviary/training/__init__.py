"""Training of the starter's own models, from scratch on drawn birds."""
