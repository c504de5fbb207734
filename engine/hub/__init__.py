"""Models from the Hugging Face hub: which are proposed, which of their files are needed, fetched and verified."""
