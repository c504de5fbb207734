"""The window: assembles the wings, opens dialogs, shows the status."""
