"""What points are expected to take in time and energy, before they are queued.

- `constants`: what is taken for granted where no sealed run of this board tells better.
- `expectation`: a job's time and energy put together from what is believed of its parts.
- `forecaster`: planned points get what they are expected to take, with intervals.
- `history`: the sealed runs that a forecast learns from: which are read, and by which rule.
- `kernels`: whether a job must compile its kernels first, as the runs of its host tell.
- `learning`: what sealed runs say of one quantity, beside its formula.
- `left`: how long a started campaign still takes, by what was foreseen and how far each job
  is.
- `lesson`: what one sealed run took, measured as the tables measure it.
- `place`: what names a host, so that runs of it teach how long its processors take.
- `quantity`: one thing of a job that a formula tells and sealed runs correct.
- `served`: how long a pass of a served load takes, and how much of it any request is in flight.
- `totals`: what a grid costs in all, and how that and a point's part of it are said.
- `work`: what a batch of a point moves and computes, in seconds at its GPUs' peaks.
- `workload`: all of a point, or of a sealed run, that its time and energy are expected from.

Public: `cost_lines`, `energy_cell`, `foresee`, `foreseen_of`, `job_left_s`, `late_notes`,
`most_line`, `most_totals`, `spanned_time`, `time_cell`, `time_text`, `totals`.
"""
