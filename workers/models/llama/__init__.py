"""LLaMA v1 on FairScale's layers.

- `model`: LLaMA v1 on FairScale's tensor-parallel layers (arXiv 2302.13971).

Public: `Block`, `Llama`, `RootMeanSquareNorm`, `rotate`, `skeleton`.
"""
