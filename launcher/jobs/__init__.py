"""Attempts become jobs; what a job runs on every rank.

- `job`: what submitit runs on every rank of one attempt.
- `outside_witness`: a chain's head goes where the folder's owner cannot write later.
- `own_gpus`: which of this machine's GPUs a job that no batch system placed may take.
- `permissions`: what the launcher and its jobs make is closed to others than owner and group.
- `setup_lines`: a site's shell lines in a batch script, of which one that fails ends the job.
- `shapes`: attempts of one shape, nodes, ranks a node and time, that can become one job array.
- `submit`: attempts become submitit jobs, one job array for each shape.

Public: `JobShape`, `RefusedError`, `Trial`, `arrays_of`, `by_shape`, `close_to_others`, `own_gpus`,
`process_identity`, `require_slurm_path`, `submit_array`, `submit_each`.
"""
