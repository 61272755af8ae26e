"""LLaMA v1 on FairScale's layers.

- `model`: v1 (arXiv 2302.13971), 3.2, and Mistral v0.1.
- `names`: how published LLaMA checkpoints call its parameters and its sizes.
- `parameters`: names, sizes, the dimension ranks share, and the spread of random ones.
- `rates`: how far each pair of a head turns from one position to the next.
- `shape`: the sizes of a LLaMA model.

Public: `Block`, `Llama`, `LlamaShape`, `NAMES`, `ROPE_THETA`, `RootMeanSquareNorm`, `RopeScaling`,
`SHAPES`, `VOCAB_SIZE`, `parameters`, `rotate`.
"""
