"""The creature: seen, arranged by hand, compared with what was rendered of it."""
