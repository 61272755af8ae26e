"""Caps and clocks of a job's GPUs: what was there, asked, enforced, and put back.

- `__main__`: what this node's GPUs are set to, and old values put back that a crash left
  changed.
- `advice`: what to hand to administrators where nobody may set what a run asks for.
- `application_clocks`: they stand in for a lock of the SM clock where none is to be had.
- `board_shares`: percentages that were asked for are of the boards that are there.
- `book`: what GPUs of this node were set to before a run changed them, on disk before the
  change.
- `card`: one GPU as whoever sets it sees it, and what is read of it for the record.
- `dcgm_card`: a GPU that is read by its driver and set by a host engine that runs as root.
- `dead_run`: what its record says once somebody else has put back what it left set.
- `giving_back`: what stood on a card stands there again; what is somebody else's is left.
- `in_force`: a quantity that was set is waited for until it acts, as far as a driver tells.
- `leftovers`: what dead runs left set is put back before a run measures that asks for nothing.
- `node`: how one node's GPUs come to stand as a run asks, by whom, and how they are given
  back.
- `phase_channel`: a rank tells its node's watcher which phase begins, and hears what became of
  it.
- `phase_settings`: what a node's watcher does when a rank asks it to switch between phases.
- `phase_values`: what every set quantity is to be in each phase, and who can switch it.
- `phases`: switches of caps and clocks within a run: their delay, the rule, and each on
  record.
- `record`: how one node's GPUs were set: limits, before, asked, enforced, restored; each read
  back.
- `restoring`: what dead runs left set on this node is put back, from what was remembered
  before.
- `setting`: cards are set, all of them or none, read back, and given back what they had.
- `slurm_frequency`: the word of `--gpu-freq` for a wish, and what Slurm says of it on the
  node.
- `switcher`: the set cards of a node go from one phase's settings to the other's, timed and
  read.
- `wish`: which caps and clocks a run wants of its GPUs, and how its job's comment says so.

Public: `GpuSwitch`, `Knob`, `LEAST_FACTOR`, `NodePhases`, `NodePower`, `NodeSettings`, `PHASES`,
`PhaseClient`, `PhaseSettings`, `ReadValue`, `Setting`, `Switch`, `Way`, `Wish`, `engine_address`,
`for_administrators`, `gpu_freq`, `needs_restore`, `put_back_leftovers`, `remembered`, `switches`,
`unswitched`, `wanted`.
"""
