"""Shards of an ended attempt become sorted tables and a manifest.

- `__main__`: an attempt's shards become its tables and manifest, and a completed attempt is
  sealed.
- `alignment`: the stamps of every node on the reference host's time.
- `attempt`: the shards of one attempt become its tables and manifest, and its seal if it
  completed.
- `chunks`: a stretch of a part that is read at once, with the first key it holds.
- `coverage`: how many readings each field of each device should have given, and how many it
  did.
- `deduplicate`: one row for each time, host, device and field.
- `manifest`: what a merge found, with no time of the merge in it: merging twice says the same.
- `merge_samples`: many shards in, one sorted sequence of blocks out, in bounded memory.
- `merge_sorted`: all but samples in sorted blocks; they are a few rows a batch of prompts.
- `packing`: a chunk's table as sorted samples, words and remarks numbered within the chunk
  alone.
- `part_index`: what a part holds, found before its rows are read.
- `sample_arrays`: rows of the samples table as arrays of numbers, 20 bytes a row.
- `screen`: rows of old watchers whose readings cannot be, made null with their reason and
  counted.
- `series_keys`: one small whole number for each host, device and field that a table has met.
- `table_file`: a merged table on its way to disk, in place only when it is whole.

Public: `SORT_KEYS`, `merge_attempt`.
"""
