"""What repeats and grid points say of one another: variance, comparisons, a model of all.

- `comparisons`: the table with one row for each two levels of a factor, over all pairs of
  points.
- `factor`: one thing in which grid points differ on purpose, and how its levels are called.
- `pairing`: grid points that differ in one factor alone, two by two.
- `wording`: how numbers stand in the sentences of comparisons.

Public: `COMPARISONS`.
"""
