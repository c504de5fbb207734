"""The composer: the recipe as slots and as a prompt, and the Render button."""
