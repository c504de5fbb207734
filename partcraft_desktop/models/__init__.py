"""The page of models: what is here, what each gives and takes, fetching, folders of other programs."""
