"""The library: which pack, which picture."""
