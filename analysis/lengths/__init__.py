"""What lengths of prompts and answers take: by token, by phase, and as a formula of both.

- `family`: grid points that are the same but for prompts and lengths, and what they say
  together.
- `length_fit`: J = a + b in + c out + d in out, of runs of exact lengths.
- `models`: what a token of a prompt and of an answer cost, model by model.
- `point_lengths`: energy of a token of a prompt, of a token of an answer, and by phase.
- `published`: what others printed of energy against lengths, and what becomes of it here.
- `residuals`: what the formula of both lengths leaves of each run.
- `run_lengths`: how many tokens each prompt and answer of a run had, and what a response took
  of it.

Public: `SEQUENCE_LENGTHS`, `SEQUENCE_MODELS`, `SEQUENCE_PUBLISHED`, `SEQUENCE_RESIDUALS`,
`SEQUENCE_RUNS`.
"""
