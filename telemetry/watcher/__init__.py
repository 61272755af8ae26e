"""One process a node that polls a source onto disk, and the handle its owner holds.

- `__main__`: one process per node that polls a source and writes what it reads.
- `gpu_settings`: caps and clocks of a watcher's node, from before its sensors open to its end.
- `heads`: how far the chains of others are, read in a thread, so that no poll waits for a
  disk.
- `log`: how the watching itself went; ClockGuard: steps of the wall clock.
- `loop`: polls a source and writes what it reads, until the owner lets go.
- `node`: all of a node: the host's own readings and its GPUs' by one or more sensors.
- `process`: the owner's side of a watcher; a rank holds it while its node is watched.
- `screen`: what a source gives, with what cannot be made null, whichever source it is.
- `select_source`: which source a launch names, and what `auto` is on this node.
- `spool`: readings on their way to disk, kept while the disk is full.
- `stop_signal`: how a watcher learns that it is to end.

Public: `WatcherProcess`.
"""
