"""What repeats and grid points say of one another: variance, comparisons, a model of all.

- `comparisons`: the table with one row for each two levels of a factor, over all pairs of
  points.
- `distilled`: models that were distilled beside the larger ones, over every pair of grid
  points.
- `drift`: the table of whether repeats changed with the time at which they were measured.
- `factor`: one thing in which grid points differ on purpose, and how its levels are called.
- `grid_model`: the table of what each factor of the grid multiplies the joules of a token by.
- `ladder`: the engines on the same work, rung by rung: what software alone is worth.
- `ladder_table`: one row an engine of a ladder, with its ratios to the first one.
- `pairing`: grid points that differ in one factor alone, two by two.
- `twins`: the table of what a distilled model saves over the larger one, in joules and
  seconds.
- `variance`: the table of how much of the scatter is between runs, nodes of a run and their
  GPUs.
- `wording`: how numbers stand in the sentences of comparisons.

Public: `COMPARISONS`, `DISTILLED_TWINS`, `DRIFT`, `ENGINE_LADDER`, `MIXED_MODEL`, `VARIANCE`.
"""
