"""Joules with their uncertainty.

- `coverage`: how complete the readings of a GPU are in a window.
- `curves`: pure arrays, no files.
- `gpu_energy`: one GPU of a run, its energy over time and what its sensor can resolve.
- `gpu_state`: how warm and how fast a GPU was at both ends of the measured window, and what
  held it.
- `methods`: the three readings of a GPU's energy, and which is preferred.
- `phase_energy`: what each rank's GPU took in each phase of the job, and what idle GPUs took.
- `readings`: all power and energy readings of a run, and the GPUs that they tell of.
- `run_energy`: one run's energy by GPU and phase, joined on GPU UUID and time.
- `uncertain`: a number with its uncertainty, or the reason why there is none.

Public: `Behaviour`, `Covered`, `Curve`, `GAP_PERIODS`, `Gpu`, `GpuState`, `NO_RANK`,
`POLLED_COUNTER`, `POWER_INTEGRAL`, `PhaseEnergy`, `RANK_COUNTER`, `RunEnergy`, `SHORT_PHASES`,
`Uncertain`, `gap_share`, `idle_gpu_energy`, `in_words`.
"""
