"""Sealed runs as arrays.

- `campaign`: which call of the launcher made a run, and which sealed run it says it reproduces.
- `rank_spans`: what each rank did and when, as arrays.
- `run_folder`: whose folder it is that somebody names: all runs', one run's or one attempt's.
- `sealed_files`: the bytes of a run's files, hashed against its seal as they are read.
- `sealed_runs`: the sealed runs of a results folder, and by name everything that does not
  count.
- `series`: one reading of one GPU over time, as arrays.
- `table_arrays`: columns of the record's tables as arrays.
- `unreadable`: what a damaged record may raise, and what is refused before anything relies on
  it.

Public: `DAMAGED`, `FloatArray`, `IntArray`, `Loaded`, `NOT_AS_SEALED`, `NotCounted`, `RankSpans`,
`Run`, `Series`, `UNREADABLE`, `UNREADABLE_STATE`, `campaign_of`, `find_runs`, `int_array`,
`load`, `measured_window_us`, `open_run`, `rank_spans`, `reproduces`, `run_of`, `shortened`.
"""
