"""What GPUs showed at a moment, gone through at once for all moments, is what each tells alone."""

import numpy as np
import pytest

from analysis.power.clock_readings import nearest
from analysis.runs.series import Series

# Readings a tick apart, one moment read twice, a silence, and one as late as another is early.
T_US = np.array([0, 10, 10, 20, 90, 100], dtype=np.int64)
VALUE = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
MOMENTS_US = np.arange(-40, 150, dtype=np.int64)


def series(shift_us: int = 0) -> Series:
    return Series(t_us=T_US + shift_us, value=VALUE)


@pytest.mark.parametrize("reach_us", [0, 5, 20, 1000])
def test_the_nearest_reading_of_each_moment_is_the_first_of_the_least_far(reach_us: int) -> None:
    both = [series(), series(3)]
    known, found = nearest(both, MOMENTS_US, reach_us)
    for row, at_us in enumerate(MOMENTS_US.tolist()):
        places = [int(np.argmin(np.abs(one.t_us - at_us))) for one in both]
        far_us = [
            abs(int(one.t_us[place]) - at_us) for one, place in zip(both, places, strict=True)
        ]
        assert known[row] == (max(far_us) <= reach_us)
        assert found[row].tolist() == [VALUE[place] for place in places]


def test_a_gpu_without_readings_leaves_no_moment_known() -> None:
    nothing = Series(t_us=T_US[:0], value=VALUE[:0])
    known, _ = nearest([series(), nothing], MOMENTS_US, 1000)
    assert not known.any()
