"""A steady clock for all processes of a host, and what notices that the wall clock was set.

The wall clock of the machine is not set by a test: `wall_us` stands in for it and jumps.
"""

import subprocess
import sys

import pytest

import telemetry.clock
from telemetry.clock import HostClock, monotonic_us, wall_us
from telemetry.watcher.log import ClockGuard
from tests.conftest import REPOSITORY

# Linux slews the wall clock by 500 ppm at most (adjtimex): two seconds' worth.
SLEWED_US = 1_000


@pytest.fixture
def step_wall(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list whose sum the wall clock is off by."""
    steps: list[int] = []
    monkeypatch.setattr(telemetry.clock, "wall_us", lambda: wall_us() + sum(steps))
    return steps


def test_clock_agrees_with_the_wall_clock_when_set() -> None:
    began_us = monotonic_us()
    step_us = HostClock.set_now().step_us()
    assert abs(step_us) <= monotonic_us() - began_us + SLEWED_US


def test_step_of_the_wall_clock_does_not_move_the_host_s_clock(step_wall: list[int]) -> None:
    began_us = monotonic_us()
    clock = HostClock.set_now()
    before_us = clock.now_us()
    step_wall.append(-3_600_000_000)
    assert 0 <= clock.now_us() - before_us <= monotonic_us() - began_us
    step_us = clock.step_us()
    assert abs(step_us + 3_600_000_000) <= monotonic_us() - began_us + SLEWED_US


def test_driver_s_stamp_after_a_step_is_brought_onto_the_clock(step_wall: list[int]) -> None:
    began_us = monotonic_us()
    clock = HostClock.set_now()
    step_wall.append(5_000_000)
    stamp_us = telemetry.clock.wall_us()
    off_us = clock.from_wall_us(stamp_us) - clock.now_us()
    assert abs(off_us) <= 2 * (monotonic_us() - began_us) + SLEWED_US


def test_another_process_with_the_offset_reads_the_same_time() -> None:
    clock = HostClock.set_now()
    read = f"HostClock(offset_us={clock.offset_us}).now_us()"
    code = f"from telemetry.clock import HostClock; print({read})"
    before_us = clock.now_us()
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=REPOSITORY
    )
    assert before_us < int(printed.stdout) < clock.now_us()


class Interrupted:
    """Two clocks 1,700,000,000 s apart, and a thread that is put aside around some readings."""

    AHEAD_US = 1_700_000_000_000_000
    TICK_US = 4_000

    def __init__(self, before: set[int], after: set[int]) -> None:
        """Put aside just before, or just after, the wall clock's readings of these numbers."""
        self._before, self._after = before, after
        self._now_us, self._readings = 0, 0

    def stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Be the machine's clocks."""
        monkeypatch.setattr(telemetry.clock, "monotonic_us", lambda: self._now_us)
        monkeypatch.setattr(telemetry.clock, "wall_us", self._wall_us)

    def _wall_us(self) -> int:
        self._now_us += self.TICK_US * (self._readings in self._before)
        wall_us = self._now_us + self.AHEAD_US
        self._now_us += self.TICK_US * (self._readings in self._after)
        self._readings += 1
        return wall_us


@pytest.mark.parametrize(
    ("before", "after"),
    [(set(), {0}), ({1}, {0}), ({0, 1}, {2, 3}), ({1, 2, 3, 4}, set()), (set(), {0, 1, 2, 3})],
)
def test_being_put_aside_between_two_readings_sets_no_clock_wrong(
    monkeypatch: pytest.MonkeyPatch, before: set[int], after: set[int]
) -> None:
    Interrupted(before, after).stand_in(monkeypatch)
    assert HostClock.set_now().offset_us == Interrupted.AHEAD_US


def test_being_put_aside_is_no_step_of_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    Interrupted({1, 3}, {0, 2}).stand_in(monkeypatch)
    assert HostClock(offset_us=Interrupted.AHEAD_US).step_us() == 0


def test_monotonic_time_counts_up() -> None:
    stamps = [monotonic_us() for _ in range(100)]
    assert stamps == sorted(stamps)


def test_guard_tells_each_step_once(step_wall: list[int]) -> None:
    guard = ClockGuard(HostClock.set_now())
    assert guard.new_step_us() is None
    step_wall.append(2_000_000)
    assert guard.new_step_us() == pytest.approx(2_000_000, abs=50_000)
    assert guard.new_step_us() is None
    step_wall.append(-2_000_000)
    assert guard.new_step_us() == pytest.approx(-2_000_000, abs=50_000)


def test_guard_takes_slewing_for_no_step(step_wall: list[int]) -> None:
    guard = ClockGuard(HostClock.set_now())
    for _ in range(50):
        step_wall.append(500)
        assert guard.new_step_us() is None
