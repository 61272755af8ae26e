"""Which engines there are.

- `base/`: what every engine is and gives.
- `fast/`: the same weights near the memory bound.
- `reference/`: the published LLaMA v1 loop, cost included.
- `registry`: opens the engine that a spec names, by the row of its facts.
- `transformers/`: the library that most people measure with, on the same weights.
- `vllm/`: the library that centers serve with, on the same weights.

Public: `open_engine`.
"""
