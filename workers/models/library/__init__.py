"""Families whose layers the library transformers alone has, as planning knows them.

- `gpt2`: the four published sizes, DistilGPT-2, and a tiny twin.
- `shape`: the sizes of a model whose layers the library transformers alone has, without torch.

Public: `GPT2`, `LibraryShape`.
"""
