"""Every claim again, from files.

- `__main__`: every claim a sealed run makes, checked from its files again.
- `accounting_checks`: do the center's own books know the job, and was it this one?.
- `answer_checks`: were the prompts asked as ordered, and could the model have said that?
- `arrival_checks`: did a served load come as its spec says, and was it served when it came?.
- `authorship_checks`: who answers for the record.
- `board_checks`: are the GPUs those asked for, whole, and each what its node says?
- `campaign`: what is left of every run once it was audited, and the checks that need all of
  them.
- `chain_checks`: is the record what was written while the run went on, and who held it?.
- `chains`: an attempt's shards with their writers' chains, and what contradicts them.
- `check`: what one check of the audit saw in one run, and the case it looked at.
- `copies`: one trace of readings under two names is a copy, as no two measurements are alike.
- `energy_checks`: do they sum up, and stay within what their sensors see?
- `enforcement_checks`: were caps and clocks that were asked for in force, kept, and put back?.
- `evidence`: which kinds of evidence a record stands on, and what each rules out, in a
  paragraph.
- `explained`: one check in words, as an auditor asks for it: what holds against what, and why.
- `export_checks`: is it the record as it was sealed first, or a copy without names?.
- `handover_checks`: did each run find on its GPUs what the one before says it put back there?.
- `job_checks`: had the job its GPUs and nodes to itself, and is every one that it had
  watched?.
- `junit`: the audit as build servers and test viewers read it.
- `kept_format`: was what a spec says of cached keys and values asked for, and done?.
- `lodging_checks`: what was put elsewhere than in the folder, and whether the folder is still
  as it says.
- `merged_again`: do the shards give the tables and the manifest that lie beside them?.
- `meter_checks`: does an outside meter say the same, and is it one?.
- `model_checks`: do a model's bytes and operations come out again, and does no run beat them?
- `near_copies`: traces whose noise is another's, though no reading of them is the same.
- `noise`: what is a trace's own in its power, apart from how high it is, when, and in which
  phase.
- `pace_checks`: are times and tokens each batch's own, or another's told again?.
- `paces`: the digests by which the times and the tokens of a batch are known again.
- `page_checks`: are the report's page, drawings and LaTeX what the sealed runs give?.
- `paging_checks`: did an engine of pages have as many as its requests need?.
- `phase_switches`: did the settings of each phase stand in it, by the record and by the
  samples?.
- `pieces`: the vocabulary of a SentencePiece model, read from its file, and the text that ids
  make.
- `plan_checks`: is all there that was planned and begun, or only what was liked?.
- `plans`: what the launcher's calls were to run, and what attempts say of their plan.
- `power_checks`: can a board of its kind have drawn what it is said to have?
- `processes`: sealed runs spread over processes, of which only what is kept of a run comes
  back.
- `reach_checks`: could everything that lies there be looked at at all?.
- `reading_checks`: is what a node's source was to read there, possible, and told alike by all?
- `record_checks`: is it whole, unchanged, ordered and complete?
- `record_rules`: what is asked of a record as a whole, and what each answer is worth.
- `reference`: every check of the audit in one table, as docs/audit.md shows it.
- `registry`: which checks the audit makes of every run.
- `release`: what a record must hold, by what its own files say that its release wrote.
- `report_checks`: does what the report says come out of the sealed runs again?.
- `result_checks`: do tokens, words, labels and identities agree with each other?
- `run`: every check over every sealed run, from files alone.
- `run_audit`: every check over one sealed run, and what is left of it once its arrays are let
  go.
- `setting_checks`: are a run's nodes alike, and a point's repeats made with one and the same?.
- `setting_records`: what a node's own record of its GPUs says that contradicts itself or the
  boards.
- `settings`: what each node of a run was, and which code worked there, as far as it is on
  record.
- `signers`: who vouched for a seal or a root, by whom an auditor allows.
- `spec_checks`: was what the spec says also asked for, loaded and answered with?
- `spec_rules`: what is asked of what was asked for, and what each answer is worth.
- `stamp_checks`: by which time a seal or a root was there, by the word of a time stamp
  authority.
- `switch_rules`: what a record of phases must say to be that of this spec and of these spans.
- `tenure_checks`: did every GPU do one run's work at a time, in one place, since one boot?.
- `tenures`: which attempt held which GPUs of which host, from when to when, and since which
  boot.
- `text_checks`: are texts those of their ids, and their tokens, by the tokenizer on record?.
- `time_checks`: do independent writers agree on what was done when, and for how long?
- `time_rules`: what is asked of times, and what each answer is worth.
- `traces`: the digests by which a trace of readings is known again, whatever it is called.
- `trust`: what an auditor brings along, which the record's owner cannot have written.
- `verdict_page`: what an audit came to on one page, to be printed, signed by hand and filed.
- `witness_checks`: three readings of each GPU's energy, held against each other where they can
  be.
- `work_checks`: do steps, windows, warm-ups and memory agree?
- `written`: the files of an audit: JSON and a page beside the report, and what was asked for.

Public: `Finding`, `Outcome`, `alike`, `failed`, `is_copy`, `judged`, `marks_of_run`,
`noise_of_run`, `passed`, `skipped`, `unseen`.
"""
