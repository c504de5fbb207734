"""The gallery: creations, newest first, with their receipts."""
