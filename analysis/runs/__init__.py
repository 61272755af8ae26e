"""Sealed runs as arrays.

- `rank_spans`: what each rank did and when, as arrays.
- `sealed_runs`: the sealed runs of a results folder, and by name everything that does not
  count.
- `series`: one reading of one GPU over time, as arrays.

Public: `FloatArray`, `IntArray`, `Loaded`, `NotCounted`, `RankSpans`, `Run`, `Series`,
`UNREADABLE`, `find_runs`, `load`, `open_run`, `rank_spans`, `shortened`.
"""
