"""One job's GPUs by NVIDIA's management library.

- `device`: the readings of one GPU by NVML, each on its own schedule, and why one is missing.
- `energy_counter`: a rank's own look at its GPU's energy counter, beside and without any
  watcher.
- `gpm`: the performance monitors that Hopper and newer boards have (NVML GPM), without DCGM.
- `inventory`: what a GPU is and how it is set, for the record and for whoever audits it.
- `library`: NVIDIA's management library (NVML) as this machine has it, and what its errors
  mean.
- `power_samples`: the power samples that NVIDIA's driver keeps by itself, with their own
  times.
- `present_boards`: which boards the driver of this node names, before anything is planned.
- `processes`: does anything but the job's own ranks compute on its GPUs?.
- `queries`: how NVIDIA's management library is asked for each reading of a GPU.
- `rights`: what this process may read and set of each GPU; told, and nothing is set.
- `settings`: what of one GPU can be set by NVML, read and set one quantity at a time.
- `source`: GPU readings by NVIDIA's management library, for nodes with or without DCGM.
- `update_periods`: how often a board's readings change and what a call costs, by asking.
- `visible_gpus`: which of a node's GPUs are this job's.
- `xid`: the driver's error reports about GPUs, as they come.

Public: `Card`, `Driver`, `DriverRights`, `EnergyCounter`, `GpuRights`, `NoDriverError`,
`NvmlReadings`, `VISIBLE`, `driver_cuda_version`, `is_missing`, `is_refusal`, `is_unsupported`,
`present_boards`, `present_gpus`, `present_numbers`, `read_rights`, `read_visible_gpus`.
"""
