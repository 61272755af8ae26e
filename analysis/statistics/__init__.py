"""Repeats and comparisons.

- `intervals`: mean and confidence interval of repeats.
- `ratio`: how one side's mean lies to another's, with an interval and the tests of a verdict.

Public: `Interval`, `interval_95`, `width_of_mean`.
"""
