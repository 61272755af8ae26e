"""Ranks: who they are, how they meet, fail and leave together.

- `clock_sync`: the hosts of a run measure their clocks against rank 0's, at start and end.
- `out_of_memory`: a rank that is out of memory, told with what it asked for and what there
  was.
- `peer_watchdog`: ends a rank that waits in vain for one that failed.
- `process_group`: a run's ranks joined by torch.distributed and FairScale's model parallelism.
- `rank`: one process of a run and its place among the others; `run_rank` is all its work.
- `rendezvous`: where the ranks of a run find each other and talk before there is any device.

Public: `BACKENDS`, `ClockSync`, `ExitBarrier`, `Mesh`, `Rank`, `RankOutOfMemoryError`,
`Rendezvous`, `asked_bytes`, `find_shortage`, `is_of_host`, `open_mesh`, `open_rendezvous`.
"""
