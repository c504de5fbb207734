"""The engine of PartCraft: everything that is not the window. It never imports Qt.

Front of house (standard library, numpy, Pillow, safetensors.numpy; quick to import):

- ``errors``        UserError: one sentence and a next step
- ``vocabulary``    Part, Choice, Vocabulary, ABSENT
- ``prompt``        the prompt language: ``<head:Cardinal> <wing:3>`` to choices and back
- ``legacy``        the prompt forms of the original program
- ``segmentation``  Segmentation, Codebook: feature maps to parts and codes
- ``refinement``    from the grid to the picture's own edges
- ``pictures``      opening any picture
- ``recipe``        Recipe, Creation, Receipt
- ``png``           a PNG remembers its recipe
- ``places``        where things are kept; writing whole or not at all
- ``packs``         Pack, Reference, PackLibrary
- ``partpack``      checks of packs; ``.partpack`` files
- ``jobs``          requests, news, endings
- ``worker``        Engine: one asynchronous thread, one queue, one outlet
- ``hosts``         where handlers run: the engine's thread, or a child process
- ``child``         what that process does
- ``handling``      one job to its one ending
- ``inbox``         latest news replace waiting ones
- ``console`` ``commands`` ``doctor``  the command line

Back of house (torch; imported only inside a host of the worker):

- ``handlers``      job type to function; the only list of what the engine can do
- ``models``        opening models: device, precision, memory, where files are
- ``discovery``     Dino features; segment, discover
- ``tokens``        PartTokens, encoding a prompt with part tokens
- ``bases``         base models on disk: layouts, what they lack, how they draw
- ``conditioning``  what a UNet is told: text of one or two encoders, sizes, guidance
- ``attention``     attention capture, attention loss
- ``rendering``     recipe to creations
- ``training``      pictures to tokens and LoRA
- ``evaluation``    receipts, EMR, CoSim
- ``exchange``      original PartCraft checkpoints in; LoRA and textual inversion out
- ``aviary``        the drawn birds and the starter models made from them

``python -m engine`` is the command line.
"""
