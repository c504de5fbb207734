"""The engine of PartCraft: everything that is not the window. It never imports Qt.

Front of house (standard library, numpy, Pillow, safetensors.numpy; quick to import):

- ``vocabulary``    Part, Choice, Vocabulary, ABSENT
- ``prompt``        the prompt language: ``<head:Cardinal> <wing:3>`` to choices and back
- ``segmentation``  Segmentation, Codebook: feature maps to parts and codes
- ``recipe``        Recipe, Creation, Receipt; a PNG remembers its recipe
- ``packs``         Pack, Reference, PackLibrary; ``.partpack`` files
- ``jobs``          requests, news, endings, UserError
- ``worker``        Engine: one asynchronous thread, one queue, one outlet, two hosts

Back of house (torch; imported only inside a host of the worker):

- ``handlers``      job type to function; the only list of what the engine can do
- ``models``        opening models: device, precision, memory, where files are
- ``discovery``     Dino features; segment, discover
- ``tokens``        PartTokens, encoding a prompt with part tokens
- ``attention``     attention capture, attention loss
- ``rendering``     recipe to creations
- ``training``      pictures to tokens and LoRA
- ``evaluation``    receipts, EMR, CoSim
- ``exchange``      original PartCraft checkpoints in; LoRA and textual inversion out
- ``aviary``        the drawn birds and the starter models made from them

``python -m engine`` is the command line.
"""
