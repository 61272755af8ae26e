"""Every table that there is, made and written.

- `build`: every table that there is, made from the sealed runs of a results folder.
- `dictionary`: what each column of each table means, as a table for whoever reads the CSV
  files.
- `kept_rows`: what each run gave to the tables, kept beside a report, so that a second is
  quick.
- `rows_made`: what each run gives to the tables, made once, by as many processes as are worth
  it.
- `write`: tables as CSV and Parquet, with what their columns mean.

Public: `DICTIONARY`, `FOLDER`, `GRID_POINTS`, `KeptRows`, `RunRows`, `build_tables`, `dictionary`,
`rows_made`, `run_rows`, `unreadable_runs`, `worth_keeping`, `write_tables`.
"""
