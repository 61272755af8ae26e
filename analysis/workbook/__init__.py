"""Every table that there is, made and written.

- `build`: every table that there is, made from the sealed runs of a results folder.
- `dictionary`: what each column of each table means, as a table for whoever reads the CSV
  files.
- `write`: tables as CSV and Parquet, with what their columns mean.

Public: `DICTIONARY`, `RunRows`, `build_tables`, `dictionary`, `run_rows`, `write_tables`.
"""
