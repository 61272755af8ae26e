"""What points are expected to take in time and energy, before they are queued.

- `constants`: what is taken for granted where no sealed run of this board tells better.
- `expectation`: a job's time and energy put together from what is believed of its parts.
- `forecaster`: planned points get what they are expected to take, with intervals.
- `history`: the sealed runs that a forecast learns from: which are read, and by which rule.
- `learning`: what sealed runs say of one quantity, beside its formula.
- `lesson`: what one sealed run took, measured as the tables measure it.
- `quantity`: one thing of a job that a formula tells and sealed runs correct.
- `work`: what a batch of a point moves and computes, in seconds at its GPUs' peaks.
- `workload`: all of a point, or of a sealed run, that its time and energy are expected from.

Public: `foresee`.
"""
