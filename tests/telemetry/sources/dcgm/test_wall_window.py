"""An engine's wall-clock stamps keep their place on the host's clock, whatever the wall does."""

from dataclasses import dataclass

from telemetry.clock import HostClock
from telemetry.sources.dcgm.wall_window import OVERLAP_US, WallWindow

START_US = 1_000_000_000
HOUR_US = 3_600_000_000


@dataclass(kw_only=True)
class Times:
    """The two clocks of a host, set by hand."""

    steady_us: int = START_US
    step_us: int = 0


class SetClock(HostClock):
    """A host's clock whose time and step a test sets."""

    def __init__(self, times: Times) -> None:
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "offset_us", 0)

    def now_us(self) -> int:
        times: Times = self.__dict__["times"]
        return times.steady_us

    def step_us(self) -> int:
        times: Times = self.__dict__["times"]
        return times.step_us


def test_drain_asks_again_for_what_was_on_its_way() -> None:
    times = Times()
    window = WallWindow(SetClock(times), since_us=START_US - 10 * OVERLAP_US)
    times.steady_us += 1_000_000
    window.open()
    times.steady_us += 1_000_000
    assert window.open() == START_US + 1_000_000 - OVERLAP_US


def test_drain_never_asks_for_what_was_before_the_watch() -> None:
    times = Times()
    window = WallWindow(SetClock(times), since_us=START_US)
    times.steady_us += 1_000_000
    assert window.open() == START_US
    assert window.steady_us(START_US - 1) is None


def test_step_forward_between_two_drains_loses_nothing_and_moves_nothing() -> None:
    times = Times()
    window = WallWindow(SetClock(times), since_us=START_US)
    window.open()
    before_wall_us = START_US + 400_000
    times.step_us = HOUR_US
    after_wall_us = START_US + 600_000 + HOUR_US
    times.steady_us += 1_000_000
    assert window.open() <= before_wall_us
    assert window.steady_us(before_wall_us) == START_US + 400_000
    assert window.steady_us(after_wall_us) == START_US + 600_000


def test_step_back_between_two_drains_loses_nothing_and_moves_nothing() -> None:
    times = Times()
    window = WallWindow(SetClock(times), since_us=START_US)
    window.open()
    before_wall_us = START_US + 400_000
    times.step_us = -HOUR_US
    after_wall_us = START_US + 600_000 - HOUR_US
    times.steady_us += 1_000_000
    assert window.open() <= after_wall_us
    assert window.steady_us(before_wall_us) == START_US + 400_000
    assert window.steady_us(after_wall_us) == START_US + 600_000


def test_old_wall_is_forgotten_when_the_overlap_has_passed_it() -> None:
    times = Times()
    window = WallWindow(SetClock(times), since_us=START_US)
    times.step_us = HOUR_US
    asked_us = 0
    for _ in range(5):
        times.steady_us += 1_000_000
        asked_us = window.open()
    assert asked_us == START_US + 4_000_000 - OVERLAP_US + HOUR_US


def test_slewed_clock_leaves_a_stamp_where_it_was() -> None:
    times = Times()
    window = WallWindow(SetClock(times), since_us=START_US)
    window.open()
    first_us = window.steady_us(START_US + 100_000)
    # 0.05 %, the most that the kernel slews by.
    times.steady_us += 1_000_000
    times.step_us = 500
    window.open()
    assert window.steady_us(START_US + 100_000) == first_us
