"""Repeats and comparisons.

- `design`: what so many repeats can show, and how many an interval needs, before anything is
  run.
- `intervals`: mean and confidence interval of repeats.
- `ratio`: how one side's mean lies to another's, with an interval and the tests of a verdict.
- `resampled`: intervals by the bootstrap, where there are repeats enough to resample.

Public: `Interval`, `LEVEL`, `Ratio`, `Repeats`, `holm`, `interval_95`, `interval_by_rule`,
`mean_ratio`, `ratio_of`, `smallest_effect`, `width_of_mean`.
"""
