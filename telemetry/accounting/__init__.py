"""What a center's own books say of the runs' jobs.

- `answer`: what accounting said, kept beside the runs, whole, with its digest and where it is
  from.
- `attempt_books`: what kept answers say of one attempt's job, the latest that has it first.
- `job`: the job of one attempt, as it was recorded and as accounting has it.
- `row`: one line of what Slurm's accounting says: an allocation or a step of one.

Public: `AccountedJob`, `Answer`, `AttemptBooks`, `CLOCKS_US`, `FIELDS`, `MOST_BYTES`,
`RecordedJob`, `accounting_folder`, `asking`, `attempt_books`, `find_job`, `list_answers`.
"""
