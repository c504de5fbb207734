"""The aviary: drawn birds whose parts are known exactly, and the starter models trained on them.

`species` names the birds and the space their parts live in, `drawing` draws them with exact part
masks, `captions` puts them into words, `base_model`, `eyes` and `judge` train the small networks,
`pack` and `evaluation` make and measure the starter pack, `build` runs all of it from seeds.
"""
