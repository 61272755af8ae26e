"""What every engine is and gives.

- `context`: all that an engine is opened with, whatever loads its weights.
- `engine`: what every engine is and gives.
- `finite_logits`: a step whose logits are not numbers ends the run.
- `generation`: what an engine makes of one batch of prompts, and when.
- `sampling`: from logits to the next token, alike on all ranks.
- `step_clock`: when each decoding step's tokens were there, without stopping the device to
  ask.

Public: `Decoding`, `EncodingEngine`, `Engine`, `EngineContext`, `Generation`, `LogitRanges`,
`Model`, `NonFiniteLogitsError`, `PhasedEngine`, `RequestTimes`, `ServingEngine`, `StepClock`,
`WholeEngine`, `prompt_lens`, `sample`.
"""
