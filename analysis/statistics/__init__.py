"""Repeats and comparisons.

- `intervals`: mean and confidence interval of repeats.

Public: `interval_95`, `width_of_mean`.
"""
