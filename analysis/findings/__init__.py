"""What the data say: the best points, what sets energy, where a joule goes.

- `best`: which choice takes the least energy where it may be so much slower than the fastest.
- `delay`: energy times time, of a token and of a pass, for each grid point.
- `estimate`: a mean over repeats with its interval, and what two of them say of one another.
- `goodput`: what a joule gives where only answers in time count.
- `pareto`: which grid points of the same work nothing beats in both time and energy.
- `point_columns`: the columns that say in every finding which work and which choice it is of.
- `scaling`: one model and work on several numbers of GPUs, and how far each is off a law.
- `scaling_tables`: the points of each family of GPUs, and the laws that they follow.
- `works`: grid points that did the same work, and so may be held against each other.

Public: `BEST`, `ENERGY_DELAY`, `GOODPUT`, `PARETO`, `SCALING`, `SCALING_LAWS`.
"""
