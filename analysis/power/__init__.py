"""What clocks, power and temperature do to speed and joules.

- `best_caps`: the cap or clock of least energy where one may be so much slower, all else
  alike.
- `cap_changes`: what a cap or a clock lock changes against the same work without one.
- `cap_effects`: whether what differs between two points can be the doing of a cap at all.
- `clock_family`: points that differ in a lock of the multiprocessors' clock alone, and held
  it.
- `clock_readings`: how fast tokens came, and at what power, whenever a clock was read
  meanwhile.
- `curves`: time, energy and their product of a token at each cap and clock, phase by phase.
- `dvfs`: task by task and phase by phase, the clock at which a token takes the least energy.
- `dvfs_published`: what arXiv 2501.08219 says of clocks, version by version, and what becomes
  of it.
- `family`: grid points that are the same but for caps and clocks, and what each phase of them
  took.
- `observed`: what the clocks and temperatures that came by themselves went with.
- `regression`: what a clock and a temperature that nobody set went with.
- `task`: what a run was asked to do, and a clock as a share of its board's highest.
- `transition`: the clock below which time rises more than energy falls.

Public: `ALL`, `BEST_CAPS`, `CAP_CHANGES`, `CAP_CURVES`, `CLOCK_READINGS`, `DVFS`, `DVFS_PUBLISHED`,
`OBSERVED_CLOCK`, `TRANSITIONS`, `beside_position`, `observed`.
"""
