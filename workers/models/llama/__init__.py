"""LLaMA v1 on FairScale's layers.

- `model`: LLaMA v1 on FairScale's tensor-parallel layers (arXiv 2302.13971).
- `names`: how published LLaMA checkpoints call its parameters and its sizes.
- `parameters`: names, sizes, the dimension ranks share, and the spread of random ones.
- `shape`: the sizes of a LLaMA model.

Public: `Block`, `Llama`, `LlamaShape`, `NAMES`, `RootMeanSquareNorm`, `SHAPES`, `VOCAB_SIZE`,
`parameters`, `rotate`.
"""
