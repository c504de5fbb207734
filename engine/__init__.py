"""The engine of PartCraft: everything that is not the window. It never imports Qt.

Wings, each above those it may import (docs/architecture.md; ``make lint`` holds it):

- ``handlers``      job type to function: the only list of what the engine can do
- ``cli``           the command line
- ``training``      pictures with parts to tokens and a LoRA
- ``aviary``        the drawn birds, and the starter models made from them
- ``rendering``     a recipe to creations, and what arrived in them
- ``exchange``      other programs' files in, ours out in their forms
- ``segmentation``  pictures to parts and codes: DINO features, k-means
- ``models``        Stable Diffusion loaded, told and kept in memory

Front of house, quick to import (no torch), and all that the window sees:

- ``runs``          trainings as folders: made, started, watched, stopped
- ``collage``       a creature from the references' own pixels, without a model (numpy, scipy)
- ``packs``         vocabularies with their codebooks, tokens and references on disk
- ``worker``        jobs in, news out: a thread, and the process in which handlers run
- ``core``          values, prompts, pictures, paths, files written whole

``python -m engine`` is the command line.
"""
