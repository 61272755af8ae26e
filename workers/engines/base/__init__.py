"""What every engine is and gives.

- `engine`: what every engine is and gives.
- `generation`: what an engine makes of one batch of prompts, and when.
- `sampling`: from logits to the next token, alike on all ranks.
- `step_clock`: when each decoding step's tokens were there, without stopping the device to ask.

Public: `Decoding`, `Engine`, `EngineKind`, `Generation`, `Model`, `StepClock`, `sample`.
"""
