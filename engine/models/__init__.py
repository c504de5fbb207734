"""Models: Stable Diffusion and its parts, loaded, kept in memory and taught to say part tokens."""
