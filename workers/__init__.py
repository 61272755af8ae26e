"""The work: LLaMA on FairScale ranks, prompts in, generated tokens and spans out.

- `checkpoints/`: published weights on disk: which files, whose, whole?
- `distributed/`: ranks: who they are, how they meet, fail and leave together.
- `engines/`: which engines there are.
- `inputs/`: files that a user hands us: what they are, if not what they should be.
- `models/`: architectures, and how their weights get onto a device.
- `planning/`: what a login node must know of a model, without torch.
- `prompts/`: which texts a run answers.
- `run`: what a job calls on every rank.
- `session/`: one rank's life in an attempt, phase by phase, and what it writes.
- `tokenizers/`: text to ids and back.

Public: `run_rank`.
"""
