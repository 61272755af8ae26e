"""One job's GPUs by a DCGM engine.

- `bindings`: NVIDIA's own Python bindings of DCGM, found, loaded and held to one folder.
- `config`: a power limit and application clocks by a host engine's configuration of a GPU.
- `connection`: where an engine is, who listens there, and a connection to it.
- `decoder`: an engine's values as readings, each absence and each reset of a counter once.
- `drain_thread`: talks to the engine, finds it again when it is lost, and lets go of it.
- `fields`: which fields of the table DCGM reads, and how often each may be asked for.
- `liveness`: whether an engine answers, and whether its answers hold anything new.
- `outbox`: readings and remarks on their way from the thread that drains to the watcher.
- `request`: what an engine is asked to watch, and how a session of it is opened.
- `session`: one connection to an engine: a group of GPUs, its field groups and its watches.
- `source`: what a DCGM engine samples of this job's GPUs, every sample with its own time.
- `values`: what DCGM hands out, as numbers in SI units or as an absence with its reason.
- `wall_window`: the engine's wall-clock stamps on the host's steady clock, across steps of the
  wall.

Public: `DEFAULT_ADDRESS`, `DcgmConfig`, `DcgmMissingError`, `DcgmReadings`, `connect`,
`find_bindings`, `load_bindings`, `probe`.
"""
