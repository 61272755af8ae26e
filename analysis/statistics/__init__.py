"""Repeats and comparisons.

- `components`: how much of a scatter is between runs, between nodes of a run and between their
  GPUs.
- `design`: what so many repeats can show, and how many an interval needs, before anything is
  run.
- `effect_size`: a difference of logarithms over the scatter, with the correction for few of
  them.
- `intervals`: mean and confidence interval of repeats.
- `mixed_model`: what each factor of a grid multiplies a number by, all else the same.
- `ratio`: how one side's mean lies to another's, with an interval and the tests of a verdict.
- `resampled`: intervals by the bootstrap, where there are repeats enough to resample.
- `trend`: whether repeats of the same work drift with the time at which they were measured.
- `width`: how uncertain a difference is by its scatter and by what no repeat tells, together.

Public: `Component`, `Effect`, `Interval`, `LEAST_RESAMPLED`, `LEVEL`, `LEVELS`, `MixedModel`,
`NestedReading`, `POORLY_CONDITIONED`, `Ratio`, `Repeats`, `Term`, `Trend`, `Width`, `bca_of_mean`,
`components`, `holm`, `interval_by_rule`, `intervals_by_rule`, `mean_ratio`, `mixed_model`,
`p_told`, `ratio_of`, `ratio_of_pairs`, `smallest_effect`, `t_quantile_95`, `told`, `trend_within`,
`widened`, `width_of_mean`.
"""
