"""The collage: a creature put together from the references' own pixels, part by part, without a model."""
