"""What Slurm knows and how it is asked.

- `ends`: what Slurm says of a job that is over, in the record's words.
- `job_arrays`: the job arrays that a results folder knows of, and what became of their
  submission.
- `node_events`: which node of a job failed, by Slurm's books and by its controller.
- `partitions`: what Slurm lets a job of a partition have, asked before one is queued for ever.
- `queue`: what they say about jobs of a given name.
- `reconcile`: what Slurm knows of a job that is gone becomes the end of its attempt.
- `record`: from within the job, and after it.
- `signals`: how a running job learns that Slurm ends it, and what Slurm says why.
- `view`: what Slurm knows about the open attempts of a results folder.

Public: `DISK_EXIT_CODE`, `JobArray`, `LAG_US`, `Partition`, `PartitionFinder`, `SlurmError`,
`SlurmView`, `Stopped`, `Submission`, `TOLD_TO_STOP`, `ask_slurm`, `closing_command`,
`cluster_name`, `configuration`, `heed_no_more`, `heed_slurm`, `list_arrays`, `one_line`, `queued`,
`reconcile`, `record_accounting`, `record_job`, `record_submission`, `restarts`, `slurm_verdict`.
"""
