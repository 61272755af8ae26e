"""Joules with their uncertainty.

- `board_power`: what a board can draw at most, and at least while it answers.
- `counter_curve`: energy as a board's own running total tells it.
- `coverage`: how complete the readings of a GPU are in a window.
- `curves`: energy of one GPU over time, evaluated at exact times; pure arrays, no files.
- `gpu_energy`: one GPU of a run, its energy over time and what its sensor can resolve.
- `gpu_state`: how warm and how fast a GPU was at both ends of the measured window, and what
  held it.
- `held`: what kept a run's GPUs from their own pace, and whether a cap that was asked for
  acted.
- `methods`: the three readings of a GPU's energy, and which is preferred.
- `phase_energy`: what each rank's GPU took in each phase of the job, and what idle GPUs took.
- `phase_spans`: when each phase's own settings stood on a GPU, the switch's delay left out.
- `phase_state`: what each phase asks of a GPU, what was read of it there, and its own labels.
- `possible_readings`: what a run's readings are without those that no sensor can mean.
- `power_curve`: energy as the trapezoid under a board's power.
- `power_trace`: a run's power over time, thinned to what a page can carry.
- `readings`: all power and energy readings of a run, and the GPUs that they tell of.
- `run_energy`: one run's energy by GPU and phase, joined on GPU UUID and time.
- `run_labels`: every honest label of a run, of its record and of its readings.
- `spent`: what a sealed run took in all, job and window: what its forecast is held against.
- `uncertain`: a number with its uncertainty, or the reason why there is none.

Public: `Behaviour`, `Break`, `COVERAGE_FACTOR`, `Covered`, `Curve`, `EDGE_PERIODS`, `GAP_PERIODS`,
`Gpu`, `GpuState`, `HOLDS`, `METHODS`, `NO_RANK`, `OwnPhase`, `POLLED_COUNTER`, `POWER_CAP`,
`POWER_INTEGRAL`, `PhaseEnergy`, `PhaseState`, `PowerTrace`, `RANK_COUNTER`, `RunEnergy`,
`SHORT_PHASES`, `SM_CLOCK`, `Spent`, `TEMPERATURE`, `THROTTLE`, `TWO_POINTS`, `Uncertain`,
`board_limit_w`, `board_row`, `cap_bound_share`, `gap_share`, `idle_gpu_energy`, `in_words`,
`labels_of`, `limit_in_force_w`, `net_energy`, `own_labels`, `own_phases`, `packed`, `phase_state`,
`power_integral_curve`, `power_trace`, `spent`, `total`, `unpacked`.
"""
