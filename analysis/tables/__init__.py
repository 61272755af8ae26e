"""One module a table: its columns beside how each is computed.

- `about`: what every file and frame says of the runs that its numbers are of.
- `accounting`: the table with one row a run whose job the center's books were asked for.
- `column`: what one number of a table means, how it is had, and how the page shows it.
- `conditions`: the table of what each run was measured under.
- `contrast`: grid points that differ in one thing alone.
- `definitions`: the columns that count tokens and energy as others do, beside ours.
- `engines`: the table of grid points that several engines ran, all else the same.
- `file_metadata`: what Arrow and Parquet say of a table and its columns, read back.
- `forecasts`: the table of what each run was expected to take beside what it took.
- `formats`: the table of grid points that were run in several formats of numbers and weights.
- `gpus`: the table with one row a GPU that a run was given, at work or idle.
- `groups`: the table with one row a grid point, over its repeats, with their intervals.
- `labels`: the columns that say in every row of a run what its numbers are not.
- `launched`: how a run was to be measured, which its spec does not say.
- `measured`: one sealed run, worked out; what the tables of runs, phases and GPUs are made
  from.
- `not_counted`: the table of what is in a results folder and in no number of its tables.
- `outside_meters`: the table with one row a run, meter and part of the run that it saw.
- `performance`: the table of how fast each run was, and how near to what its GPUs allow.
- `phases`: the table with one row a rank and phase, and one a GPU that was left idle.
- `point`: what tells points of a grid apart, and how every table sorts them.
- `run_energies`: those columns of the table of runs that are joules and watts.
- `runs`: the table with one row a sealed run.
- `sensors`: the table with one row a kind of GPU, driver and reading.
- `sharding`: the table of models that did the same work on several numbers of GPUs.
- `table`: a kind of table, and its rows once they are made.
- `token_counts`: what else than ids kept may be called a run's tokens, or why nobody can tell.

Public: `ACCOUNTING`, `CONDITIONS`, `Cell`, `Column`, `ColumnsOf`, `DRAWN`, `ENGINES`, `FORECASTS`,
`FORMATS`, `GPUS`, `GROUPS`, `HALF_WIDTH`, `HEADLINE`, `LABELS`, `LAUNCHED`, `LAUNCH_SETTINGS`,
`LOCKS`, `Measured`, `NOT_COUNTED`, `OUTSIDE_METERS`, `PAPER_ENGINE`, `PERFORMANCE`, `PHASES`,
`POINT`, `POINT_BY_NAME`, `RANDOM`, `RUNS`, `Results`, `Row`, `SENSORS`, `SEVERAL`, `SHARDING`,
`Table`, `TableKind`, `Tables`, `UNIT_OF_ROW`, `UNQUANTIZED`, `WORDS`, `about`, `alike`,
`arrow_metadata`, `differing`, `engine_order`, `engines_in_order`, `estimated_bytes`,
`expected_bytes`, `families`, `field_metadata`, `format_order`, `gpu_rows`, `half_width`,
`kept_words`, `label_columns`, `launch_key`, `launch_of`, `model_order`, `own_columns`,
`pandas_attrs`, `phase_rows`, `point_columns`, `point_key`, `pooled_label_columns`, `ratio`,
`rounded_part`, `run_order`, `run_row`, `same_meanings`, `setting_words`, `table_metadata`, `union`,
`visible`, `with_pandas_attrs`.
"""
