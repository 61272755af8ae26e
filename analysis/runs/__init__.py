"""Sealed runs as arrays.

- `campaign`: which call of the launcher made a run, and which sealed run it says it
  reproduces.
- `labels`: what a reader of any number of a run has to know of the run first.
- `possible_values`: what no count and no stamp of a run's own tables can be.
- `processes`: work on sealed runs spread over processes, of which only what is kept comes
  back.
- `rank_spans`: what each rank did and when, as arrays.
- `sealed_files`: the bytes of a run's files, hashed against its seal as they are read.
- `sealed_runs`: the sealed runs of a results folder, and by name everything that does not
  count.
- `sealed_table`: one merged table of a run, read within limits from the bytes that were
  sealed.
- `series`: one reading of one GPU over time, as arrays.
- `table_arrays`: columns of the record's tables as arrays.
- `unreadable`: what a damaged record may raise, and what is refused before anything relies on
  it.

Public: `DAMAGED`, `FloatArray`, `IntArray`, `Label`, `Loaded`, `NOT_AS_SEALED`, `NotCounted`,
`RankSpans`, `Run`, `RunLabels`, `Series`, `UNREADABLE`, `UNREADABLE_STATE`, `attempt_progress`,
`campaign_of`, `changed_code`, `cores`, `in_order`, `int_array`, `jobs_for`, `labels_of_other`,
`labels_of_state`, `labels_on_record`, `legend_of`, `load`, `marks_of`, `measured_window_us`,
`of_words`, `open_run`, `partial_record`, `random_weights`, `rank_spans`, `recorded_labels`,
`reproduces`, `require_possible_values`, `shortened`, `spread`, `table_bytes`, `told_left`,
`words_of`.
"""
