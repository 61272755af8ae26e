"""One rank's life in an attempt, phase by phase, and what it writes.

- `agreement`: what a rank stands on and has loaded, held against its spec before anything
  counts.
- `granted_gpus`: which GPUs Slurm gave a job, against those that a rank would take.
- `lifecycle`: all that one rank does in an attempt, phase by phase, from startup to shutdown.
- `loaded_engine`: a rank's engine with its model, and how far its logits are from fp32's.
- `measurement`: the batches that a rank answers, thrown away until the machine is steady, then
  kept.
- `memory_usage`: the memory that one rank takes of its GPU, beside what was estimated.
- `model_record`: what a run worked with (model.json): weights, engine, memory, warm-up and
  window.
- `phase_switching`: the ranks have their nodes' watchers change settings as phases begin.
- `placement`: what a rank stands on: its host's clock, its GPU and its threads, registered.
- `progress`: how far a run is, for the people who wait for it; no result depends on it.
- `readiness`: what one rank holds while it works; what one lacks, all hear, and none begins.
- `responses`: what a batch was asked and answered, one row per prompt, and its steps.
- `software`: which packages, container and code a rank works with, as its own process has
  them.
- `spans`: what a rank was doing from when to when, without a hole between.
- `token_times`: when a batch's tokens were chosen, on the run's clock.
- `warmup`: batches are answered and thrown away until they take equally long, by a stated
  rule.

Public: `run_session`.
"""
