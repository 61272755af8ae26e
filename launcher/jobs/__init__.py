"""Attempts become jobs; what a job runs on every rank.

- `job`: what submitit runs on every rank of one attempt.
- `shapes`: attempts of one shape, nodes, ranks a node and time, that can become one job array.
- `submit`: attempts become submitit jobs, one job array for each shape.

Public: `JobShape`, `RefusedError`, `Trial`, `arrays_of`, `by_shape`, `process_identity`,
`require_slurm_path`, `submit_array`, `submit_each`.
"""
