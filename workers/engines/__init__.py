"""Which engines there are.

- `base/`: what every engine is and gives.
- `fast/`: the same weights near the memory bound.
- `reference/`: the published LLaMA v1 loop, cost included.
- `registry`: the ways to turn a batch of prompts into answers, by the name specs use.

Public: `ENGINES`, `engine_fault`, `make_engine`.
"""
