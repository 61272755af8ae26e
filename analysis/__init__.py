"""From sealed runs to tables, figures, a report and an audit.

- `__main__`: tables, figures and one page from the sealed runs of a results folder.
- `audit/`: every claim again, from files.
- `compare/`: sealed runs of several sides, cell by cell, with a verdict each.
- `energy/`: joules with their uncertainty.
- `figures/`: tables drawn.
- `performance/`: latency, rates and the share of the bound.
- `report/`: one page offline.
- `results/`: the door for people's own tools: a results folder as Arrow, pandas and polars.
- `runs/`: sealed runs as arrays.
- `statistics/`: repeats and comparisons.
- `tables/`: one module a table: its columns beside how each is computed.
"""
