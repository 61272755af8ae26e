"""What a run is and where its record lies: the contract that all packages share.

- `attempt_state`: where an attempt stands, from its files and the processes behind them.
- `bulk_files`: thousands of small files written at once, and put on the disk once.
- `clock_offset`: how far a host's clock is ahead of the reference host's, measured in the job.
- `fields`: one line each, with unit and meaning.
- `files`: what a reader finds is whole or not there.
- `launch`: what a job needs beside its RunSpec, written by the launcher before submission.
- `paths`: where a run's record lies: every path of a results folder in one place.
- `schema`: the tables of a run, their columns and units, and the words they use.
- `seal`: SHA-256 of every file of a completed run, written last and never edited.
- `spec`: what a grid point is.
- `validation`: what a number of a spec or an order must be.

Public: `AttemptPaths`, `AttemptState`, `DEVICES`, `DTYPES`, `EndState`, `FIELDS`, `Field`,
`HostOffset`, `ITEM_BYTES`, `Kind`, `LATER`, `LaunchConfig`, `METADATA_KEY`, `OffsetReading`,
`Phase`, `QUEUED`, `RESPONSES`, `RUNNING`, `RunPaths`, `RunSpec`, `SAMPLES`, `SCHEMA_VERSION`,
`SOURCES`, `SPANS`, `STEPS`, `SharedJson`, `Subject`, `TABLES`, `attempt_state`,
`campaigns_folder`, `checkpoints_folder`, `create_json`, `file_sha256`, `flush`, `is_alive`,
`json_text`, `list_runs`, `prompts_folder`, `read_json`, `record_end`, `replace_text`,
`require_whole`, `schema_of`, `seal_attempt`, `this_host`, `verify_seal`, `write_bytes`,
`write_json`.
"""
