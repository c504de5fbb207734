"""The reference: the picture in the middle, whose parts are lit, named and clicked."""
