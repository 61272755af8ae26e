"""What a machine can measure, asked before any job.

- `__main__`: `python -m launcher.doctor`, on a login node or on a node: what is here to
  measure with?
- `clock_sync`: is this machine's wall clock kept in step with others' by anybody?
- `dcgm_engine`: its bindings, an engine that answers, and who may read its profiling fields.
- `examination`: looks at a machine side by side, each bounded in time, in a process of its
  own.
- `gpu`: is the driver there, and what does it let this process read and set?
- `host_sensors`: what the node tells of its own power: CPU packages, rails, service processor.
- `observation`: what one look at the machine found, and what it costs a measurement if it
  lacks.
- `page`: the observations for people and for programs, the summary first.
- `process_limits`: what this shell, its container and its machine let a process have.
- `python_packages`: the interpreter and what each extra of the project demands of it.
- `results_disk`: the file system of the results folder, tried in a folder that is removed
  again.
- `situation`: what kind of place this is, as far as it decides what is asked of it.
- `slurm_books`: accounting, and what this user's association and quality of service allow.
- `slurm_site`: what its clients, its controller and its configuration say of a job to come.
- `stores`: where prompts, caches and the source lie: staged data sets, the hub, room, git.
- `torch_build`: does the torch that jobs would run fit the driver and the boards here?
"""
