"""The variants of a part: every head, every wing, as a wall to choose from."""
