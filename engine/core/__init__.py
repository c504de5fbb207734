"""Core: the words of the app as values, where files are kept and how they are written. Imports nothing of ours."""
