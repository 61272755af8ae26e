"""Sealed runs of several sides, cell by cell, with a verdict each.

- `__main__`: sealed runs of several folders, or of one, cell by cell, with a verdict each.
- `axes`: what may differ between two sides on purpose, and what makes the sides.
- `cells`: points of two sides that are the same work, and why another has no counterpart.
- `checked`: whether a verdict still holds: its signature, its page, both roots and its
  numbers.
- `claims`: what the sides say of both papers' claims, one beside the other.
- `comparison`: sides, their cells, the verdicts, and what is in none of them.
- `copied`: whether a run of one side is a run of the other under another name.
- `facts`: what runs were made of and under, and what a reader has to know of two sides of a
  cell.
- `figure`: the ratios of all cells with their intervals, one panel a metric.
- `machine`: on what a run was made, by its own record: GPUs, driver, center.
- `printed`: what a terminal says of a comparison: the whole first, then the numbers, then why.
- `reproduced`: whether one side was made after the other, by its own record, and came out so.
- `sentences`: what is said of a comparison in plain words, of a cell and of the whole.
- `sides`: what is held against what: folders of sealed runs, or parts of one folder.
- `signers`: who answers for a side's seals.
- `table`: a comparison as rows, one a cell and metric, for CSV, Parquet and LaTeX.
- `verdict`: a metric of a cell, side by side, with the tests behind what is said of it.
- `verdict_document`: what came of a reproduction, for whoever was not there, to be signed.
- `written`: a comparison as JSON, and as a folder of files.
"""
