"""Latency, rates and the share of the bound.

- `families`: by architecture the formula that a model's arithmetic is worked out with once
  more.
- `latency`: when a run's tokens were chosen, request by request and step by step.
- `llama`: the arithmetic of its models from their sizes.
- `logit_error`: how far a grid point's logits are from fp32's, or why nobody knows.
- `model_record`: what a run says it worked with (model.json), or why it does not say.
- `roofline`: the least time in which the same answers could be had, from bytes and arithmetic.
- `run_performance`: how fast a run was, phase by phase, and how near to what its GPUs allow.
- `warmup`: what was spent before the window on getting ready, and of it on compiling.

Public: `FAMILIES`, `FAMILY_BEFORE`, `KINDS`, `Latency`, `LogitError`, `MEASURED`, `ModelFacts`,
`Performance`, `PhaseWork`, `RowWork`, `STATED`, `STEPS_NOT_RECORDED`, `STEPS_NOT_TOLD`,
`compile_energy`, `compile_seconds`, `no_steps_reason`, `warmup_energy`, `warmup_seconds`.
"""
