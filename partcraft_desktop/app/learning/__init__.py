"""Learning without its widgets: the draft of a vocabulary, its parts, its plan, and trainings watched."""
