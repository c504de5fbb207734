"""The wizard: a folder of pictures becomes a vocabulary, in five pages."""
