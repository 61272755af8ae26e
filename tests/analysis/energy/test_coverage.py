"""How complete readings are in a window."""

import numpy as np
import pytest

from analysis.energy.coverage import coverage
from analysis.runs.series import Series


def test_coverage_counts_a_silence_at_the_windows_end_as_a_gap() -> None:
    readings = Series(t_us=np.arange(6, dtype=np.int64) * 100_000, value=np.ones(6))
    share, gap_us = coverage(readings, 0, 1_000_000, 100_000)
    assert share == pytest.approx(0.6)
    assert gap_us == 500_000
