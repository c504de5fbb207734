"""Drawing: birds as vector art with an exact label map."""
