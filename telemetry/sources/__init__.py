"""What every sensor gives and how it is asked.

- `background`: a slow sensor polled in a thread of its own, so that it holds no other reading
  up.
- `base`: where readings come from; every sensor stands behind this one Protocol.
- `dcgm/`: one job's GPUs by a DCGM engine.
- `host/`: what a node knows of itself: CPUs, ranks, zones, rails, IPMI.
- `nvml/`: one job's GPUs by NVIDIA's management library.
- `previous_watcher`: what a watcher that died left behind for the one that follows it.
- `restart_gap`: how a watcher follows one that died, and what was lost between the two.
- `schedule`: how often each reading of a GPU is asked for, of the driver or of an engine.
- `simulated/`: a stated power model in place of GPUs.

Public: `Absences`, `Assignment`, `BackgroundPoller`, `Description`, `PreviousWatcher`, `Reading`,
`Remarks`, `Schedule`, `Source`, `cadence_us`, `restart_gap`.
"""
