"""Exchange: other programs' files in, and ours out in their forms."""
