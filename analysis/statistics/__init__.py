"""Repeats and comparisons.

- `intervals`: mean and confidence interval of repeats.
- `ratio`: how one side's mean lies to another's, with an interval and the tests of a verdict.

Public: `Interval`, `LEVEL`, `Ratio`, `Repeats`, `holm`, `interval_95`, `mean_ratio`, `ratio_of`,
`width_of_mean`.
"""
