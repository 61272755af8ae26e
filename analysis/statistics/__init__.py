"""Repeats and comparisons.

- `intervals`: mean and confidence interval of repeats.

Public: `Interval`, `interval_95`, `width_of_mean`.
"""
