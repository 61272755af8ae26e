"""What every engine is and gives.

- `context`: all that an engine is opened with, whatever loads its weights.
- `engine`: what every engine is and gives.
- `finite_logits`: a step whose logits are not numbers ends the run.
- `generation`: what an engine makes of one batch of prompts, and when.
- `node_address`: where ranks of other nodes reach this one, for libraries that open own
  sockets.
- `sampling`: from logits to the next token, alike on all ranks.
- `step_clock`: when each decoding step's tokens were there, without stopping the device to
  ask.

Public: `Decoding`, `EncodingEngine`, `Engine`, `EngineContext`, `Generation`, `LogitRanges`,
`Model`, `NonFiniteLogitsError`, `PhasedEngine`, `RequestTimes`, `ServingEngine`, `StepClock`,
`WholeEngine`, `node_address`, `prompt_lens`, `sample`.
"""
