"""Families whose layers the library transformers alone has, as planning knows them.

- `bloom`: the published sizes from 560m to 176b, and a tiny twin.
- `counted`: an architecture that only the library knows, as its own model was counted.
- `falcon`: the published 7B and 40B, and tiny twins of both layouts.
- `gpt2`: the four published sizes, DistilGPT-2, and a tiny twin.
- `gpt_neo`: the three published sizes and a tiny twin.
- `gptj`: the published 6B and a tiny twin.
- `opt`: the published sizes from 125m to 66b, and tiny twins of both layouts.
- `shape`: the sizes of a model whose layers the library transformers alone has, without torch.
- `t5`: an encoder and a decoder; the five published sizes, those of version 1.1, and tiny
  twins.

Public: `BLOOM`, `COUNTED`, `CountedShape`, `FALCON`, `GPT2`, `GPTJ`, `GPT_NEO`, `GptJShape`,
`LibraryShape`, `NUMBER`, `OPT`, `T5`, `T5Shape`.
"""
