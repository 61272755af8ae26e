"""What a run is and where its record lies: the contract that all packages share.

- `arithmetic`: what one model moves and computes, as coefficients that no family's formula is
  in.
- `arrivals`: when the prompts of a served load come, drawn from the spec alone.
- `attempt_state`: where an attempt stands, from its files and the processes behind them.
- `beside`: what lies beside a file that somebody vouched for, and is no part of what it
  vouches for.
- `bulk_files`: thousands of small files written at once, and put on the disk once.
- `clock_offset`: how far a host's clock is ahead of the reference host's, measured in the job.
- `differing`: which fields set runs apart, and how plan, status and tables say so.
- `disk`: can a folder's file system take one file more?
- `exported`: a sealed attempt that is a copy of another without names, and of which.
- `fields`: one row each, with unit and meaning.
- `files`: what a reader finds is whole or not there, and what is read is a plain file of its
  size.
- `folders`: one takes the place of another at once, or as nearly so as the file system can.
- `foreseen`: what an attempt was expected to take before it was queued, with intervals.
- `json_text`: an object out of bytes that anybody may have written.
- `launch`: what a job needs beside its RunSpec, written by the launcher before submission.
- `limits`: how much of a foreign folder is read, each limit with its reason.
- `minisign`: who answers for a file, by an Ed25519 key in the form of the program of that
  name.
- `parquet_file`: a table that anybody may have written, decoded a row group at a time within
  limits.
- `parquet_pages`: what a column chunk's pages say of themselves, read before any is unpacked.
- `paths`: every path of a results folder in one place.
- `place`: what a folder is that somebody named: a results folder, a run, an attempt, or none.
- `plain_file`: a file of a foreign folder, and no link, pipe or device in its place.
- `planned`: which call of the launcher an attempt belongs to, and that call's plan by its
  digest.
- `reading_bounds`: what a reading of a field can be, of any device and of a board that is
  known.
- `reproduces`: which sealed run another was made after, as the later one's record says it.
- `roots`: one hash of all seals of a results folder at a time, to be lodged where nobody can
  edit.
- `schema`: the tables of a run, their columns and units, and the words they use.
- `seal`: SHA-256 of every file of a completed run, written last and never edited.
- `shares`: caps and clocks that are asked for in per cent of the board's own.
- `signature`: who answers for a seal or a root, by a key that its holder alone has.
- `signer`: who signed, and why nobody can tell.
- `source_registry`: which sensor sources there are, and where each one's opener lies.
- `spec`: what a grid point is.
- `ssh_signature`: who answers for a file, by an SSH key that its holder alone has.
- `task`: what a data set's rows are asked as, what answers are held to, and how that is
  scored.
- `time_limit`: what looks at a foreign record has so much processor time for it, and no more.
- `validation`: what a number of a spec or a launch must be.
- `way_on`: what comes next for a results folder, by what was done with it already.
- `when`: a time of the record as people and other tools read it: UTC, to the second.

Public: `AUDIT`, `Allowed`, `Arithmetic`, `AttemptPaths`, `AttemptState`, `BEFORE`, `BUNDLE`,
`BadSignatureError`, `Basis`, `BoundedParquet`, `Bounds`, `CAP_FIELDS`, `CHECK_SECONDS`,
`COEFFICIENTS`, `ClosedRun`, `CounterHistory`, `DEVICES`, `DTYPES`, `EVIDENCE_CHARS`, `EXPORT`,
`EXPORT_SCHEMA`, `EXPORT_VERSION`, `EncoderArithmetic`, `EndState`, `Expected`, `Exported`, `FIELD`,
`FIELDS`, `FOOTER_BYTES`, `Field`, `Foreseen`, `GROUP_ROWS`, `HostOffset`, `ITEM_BYTES`,
`JSON_BYTES`, `KEY`, `KV_DTYPES`, `KV_ITEM_BYTES`, `Kind`, `LABELS`, `LATER`, `LEVEL`,
`LaunchConfig`, `Limit`, `Line`, `MAX_THREADS`, `MEASUREMENT_FIELDS`, `METADATA_KEY`, `MINISIGN`,
`MOST_WHOLE`, `NOBODY`, `NVIDIA_SOURCES`, `NotPlainError`, `OffsetReading`, `PAGE`, `PAGE_BYTES`,
`PLAN`, `Phase`, `Place`, `PlaceKind`, `Planned`, `QUERY`, `QUEUED`, `RANKS`, `REPORT`, `RESPONSES`,
`RUNNING`, `RecordPlace`, `Reproduces`, `Root`, `RunPaths`, `RunSpec`, `SAMPLES`, `SCHEMA_VERSION`,
`SEALED`, `SERIES`, `SETTINGS`, `SETTING_FIELDS`, `SPANS`, `SPEC_FIELDS`, `SSH`, `STAMP`, `STEPS`,
`STILL_US`, `STREAM_BYTES`, `SharedJson`, `SigningError`, `Source`, `Subject`, `TABLES`,
`TABLE_BYTES`, `TAKEN_BACK`, `TEXTS_BYTES`, `TEXT_BYTES`, `Task`, `UnknownSignerError`, `WayOn`,
`arrivals_us`, `attempt_state`, `audit_digest`, `beside`, `bounds_of`, `breaks_counter`,
`campaigns_folder`, `check_signature`, `checkpoints_folder`, `closed_runs`, `correct_end`,
`create_json`, `differing`, `disk_fault`, `disk_trouble`, `field_value`, `file_sha256`, `find_runs`,
`flush`, `has_source`, `holds_results`, `impossible`, `impossible_setting`, `is_alive`,
`is_energy_counter`, `is_host_name`, `json_bytes`, `json_text`, `key_signatures`, `list_folder`,
`list_roots`, `list_runs`, `load_opener`, `most_power_w`, `named_out`, `named_place`, `of_board`,
`open_folder`, `open_parquet`, `own_value`, `parquet_schema`, `parse_json`, `per_cent`, `place_of`,
`plain_file`, `plan_sha256`, `plans_before`, `prompts_folder`, `read_at`, `read_json`,
`read_parquet`, `read_plain`, `read_sealed`, `record_end`, `replace_folder`, `replace_text`,
`report_folder`, `require_allowed`, `require_no_link`, `require_no_run_s`, `require_number`,
`require_plain`, `require_public_keys`, `require_rows`, `require_whole`, `roots_folder`,
`runs_above`, `scaled`, `schema_of`, `seal_attempt`, `seals_digest`, `seals_of`, `short_text`,
`shown`, `sign`, `sign_as_launched`, `sign_file`, `signature_by`, `signature_of`,
`signatures_beside`, `signer_name`, `signers_of`, `source_names`, `spelt`, `this_host`, `told`,
`told_us`, `us_of`, `verify_seal`, `was_of_board`, `within`, `write_at`, `write_bytes`,
`write_json`.
"""
