"""Every claim again, from files.

- `__main__`: every claim a sealed run makes, checked from its files again.
- `accounting_checks`: do the center's own books know the job, and was it this one?.
- `answer_checks`: were the prompts asked as ordered, and could the model have said that?
- `authorship_checks`: who answers for the record, and what was lodged outside of it.
- `board_checks`: are the GPUs those asked for, whole, and each what its node says?
- `campaign`: what is left of every run once it was audited, and the checks that need all of
  them.
- `check`: what one check of the audit saw in one run, and the case it looked at.
- `copies`: one trace of readings under two names is a copy, as no two measurements are alike.
- `energy_checks`: do they sum up, and stay within what their sensors see?
- `export_checks`: is it the record as it was sealed first, or a copy without names?.
- `meter_checks`: does an outside meter say the same, and is it one?.
- `model_checks`: do a model's bytes and operations come out again, and does no run beat them?
- `power_checks`: can a board of its kind have drawn what it is said to have?
- `reading_checks`: is what a node's source was to read there, possible, and told alike by all?
- `record_checks`: is it whole, unchanged, ordered and complete?
- `registry`: which checks the audit makes of every run.
- `release`: what a record must hold, by what its own files say that its release wrote.
- `report_checks`: does what the report says come out of the sealed runs again?.
- `result_checks`: do tokens, words, labels and identities agree with each other?
- `run`: every check over every sealed run, from files alone.
- `spec_checks`: was what the spec says also asked for, loaded and answered with?
- `time_checks`: do independent writers agree on what was done when, and for how long?
- `traces`: the digests by which a trace of readings is known again, whatever it is called.
- `trust`: what an auditor brings along, which the record's owner cannot have written.
- `witness_checks`: three readings of each GPU's energy, held against each other where they can
  be.
- `work_checks`: do steps, windows, warm-ups and memory agree?

Public: `Outcome`.
"""
