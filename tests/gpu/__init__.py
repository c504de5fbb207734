"""What needs a graphics card: figures, and equality with the processor."""
