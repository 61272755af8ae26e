"""What a run is and where its record lies: the contract that all packages share.

- `arithmetic`: what one model moves and computes, as coefficients that no family's formula is
  in.
- `attempt_state`: where an attempt stands, from its files and the processes behind them.
- `bulk_files`: thousands of small files written at once, and put on the disk once.
- `clock_offset`: how far a host's clock is ahead of the reference host's, measured in the job.
- `differing`: which fields set runs apart, and how plan, status and tables say so.
- `disk`: can a folder's file system take one file more?
- `exported`: a sealed attempt that is a copy of another without names, and of which.
- `fields`: one row each, with unit and meaning.
- `files`: what a reader finds is whole or not there.
- `folders`: one takes the place of another at once, or as nearly so as the file system can.
- `foreseen`: what an attempt was expected to take before it was queued, with intervals.
- `launch`: what a job needs beside its RunSpec, written by the launcher before submission.
- `paths`: every path of a results folder in one place.
- `place`: what a folder is that somebody named: a results folder, a run, an attempt, or none.
- `reading_bounds`: what a reading of a field can be, of any device and of a board that is
  known.
- `reproduces`: which sealed run another was made after, as the later one's record says it.
- `roots`: one hash of all seals of a results folder at a time, to be lodged where nobody can
  edit.
- `schema`: the tables of a run, their columns and units, and the words they use.
- `seal`: SHA-256 of every file of a completed run, written last and never edited.
- `signature`: who answers for a seal, by an SSH key that its holder alone has.
- `source_registry`: which sensor sources there are, and where each one's opener lies.
- `spec`: what a grid point is.
- `validation`: what a number of a spec or a launch must be.
- `way_on`: what comes next for a results folder, by what was done with it already.

Public: `AUDIT`, `Arithmetic`, `AttemptPaths`, `AttemptState`, `BadSignatureError`, `Basis`,
`Bounds`, `COEFFICIENTS`, `CounterHistory`, `DEVICES`, `DTYPES`, `EXPORT`, `EXPORT_SCHEMA`,
`EXPORT_VERSION`, `EndState`, `Expected`, `Exported`, `FIELDS`, `Field`, `Foreseen`, `HostOffset`,
`ITEM_BYTES`, `KEY`, `Kind`, `LABELS`, `LATER`, `LEVEL`, `LaunchConfig`, `Line`, `MAX_THREADS`,
`MEASUREMENT_FIELDS`, `METADATA_KEY`, `MOST_WHOLE`, `NVIDIA_SOURCES`, `OffsetReading`, `PAGE`,
`Phase`, `Place`, `PlaceKind`, `QUEUED`, `REPORT`, `RESPONSES`, `RUNNING`, `RecordPlace`,
`Reproduces`, `Root`, `RunPaths`, `RunSpec`, `SAMPLES`, `SCHEMA_VERSION`, `SEALED`, `SETTINGS`,
`SPANS`, `SPEC_FIELDS`, `STEPS`, `STILL_US`, `SharedJson`, `Signer`, `SigningError`, `Subject`,
`TABLES`, `WayOn`, `attempt_state`, `audit_digest`, `bounds_of`, `breaks_counter`,
`campaigns_folder`, `check_signature`, `checkpoints_folder`, `correct_end`, `create_json`,
`differing`, `disk_fault`, `disk_trouble`, `field_value`, `file_sha256`, `find_runs`, `flush`,
`has_source`, `holds_results`, `impossible`, `impossible_setting`, `is_alive`, `is_energy_counter`,
`json_text`, `list_roots`, `list_runs`, `load_opener`, `most_power_w`, `named_place`, `place_of`,
`prompts_folder`, `read_json`, `read_plain`, `read_sealed`, `record_end`, `replace_folder`,
`replace_text`, `report_folder`, `require_plain`, `require_whole`, `runs_above`, `scaled`,
`schema_of`, `seal_attempt`, `seals_digest`, `short_text`, `shown`, `sign`, `sign_as_launched`,
`sign_file`, `signature_of`, `source_names`, `this_host`, `told`, `verify_seal`, `write_bytes`,
`write_json`.
"""
