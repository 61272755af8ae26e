"""Stamps of several nodes on one clock, and what the record says where that could not be had."""

from pathlib import Path

import numpy as np
import pytest

from telemetry.merge.alignment import Clocks
from telemetry.record.clock_offset import HostOffset, OffsetReading
from telemetry.record.paths import AttemptPaths
from tests.support.clock_offsets import offset_us_at
from tests.support.watched_attempts import make_attempt

T0_US = 1_790_000_000_000_000
HOUR_US = 3_600_000_000


def offset(start_us: int, end_us: int | None, *, length_us: int = HOUR_US) -> HostOffset:
    edges = [
        None
        if us is None
        else OffsetReading(t_us=T0_US + at_us, offset_us=us, error_us=error_us, round_trip_us=60)
        for at_us, us, error_us in ((0, start_us, 20), (length_us, end_us, 30))
    ]
    assert edges[0] is not None
    return HostOffset(host="n2", reference_host="n1", start=edges[0], end=edges[1])


def clocks_of(attempt: AttemptPaths, *offsets: HostOffset) -> Clocks:
    for one in offsets:
        one.write(attempt)
    return Clocks.read(attempt)


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptPaths:
    return make_attempt(tmp_path)[1]


def test_offset_is_linear_between_the_measurements_and_constant_outside(
    attempt: AttemptPaths,
) -> None:
    known = offset(1_000, 19_000)
    clocks = clocks_of(attempt, known)
    stamps = T0_US + np.array([-5, 0, HOUR_US // 2, HOUR_US, HOUR_US + 5])
    moved = clocks.to_reference("n2", stamps)
    assert (stamps - moved).tolist() == [1_000, 1_000, 10_000, 19_000, 19_000]
    assert (stamps - moved).tolist() == [round(offset_us_at(known, int(t))) for t in stamps]


def test_stamps_keep_their_order_at_the_steepest_drift_that_is_taken(
    attempt: AttemptPaths,
) -> None:
    clocks = clocks_of(attempt, offset(0, 100, length_us=1_000))
    moved = clocks.to_reference("n2", T0_US + np.arange(-100, 1_100))
    assert np.diff(moved).min() >= 0


def test_host_without_a_measurement_keeps_its_stamps_and_is_named(attempt: AttemptPaths) -> None:
    clocks = clocks_of(attempt, offset(1_000, 1_000))
    assert clocks.to_reference("n3", np.array([7])).tolist() == [7]
    assert clocks.notes({"n2", "n3"}) == ["n3: clock offset taken as 0: none was measured"]


def test_one_node_alone_needs_no_offset(attempt: AttemptPaths) -> None:
    assert Clocks.read(attempt).notes({"n1"}) == []


def test_offset_measured_once_is_constant_and_says_so(attempt: AttemptPaths) -> None:
    clocks = clocks_of(attempt, offset(1_000, None))
    assert clocks.to_reference("n2", T0_US + np.array([0, HOUR_US])).tolist() == [
        T0_US - 1_000,
        T0_US + HOUR_US - 1_000,
    ]
    assert clocks.notes({"n2"}) == ["n2: clock offset measured at the start only, drift unknown"]


def test_what_was_applied_stands_in_the_manifest_with_its_bound(attempt: AttemptPaths) -> None:
    assert clocks_of(attempt, offset(1_000, 19_000)).to_mapping() == {
        "n2": {
            "reference_host": "n1",
            "start_offset_us": 1_000,
            "end_offset_us": 19_000,
            "drift_ppm": 5.0,
            "error_us": 30,
        }
    }


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"host": "n2", "start": 5}'])
def test_file_that_holds_no_offset_is_named_and_costs_nothing_else(
    attempt: AttemptPaths, text: str
) -> None:
    attempt.clocks.mkdir()
    (attempt.clocks / "n2.json").write_text(text)
    clocks = Clocks.read(attempt)
    assert clocks.to_reference("n2", np.array([7])).tolist() == [7]
    (note,) = clocks.notes({"n1", "n2"} - {"n1"})
    assert note.startswith("n2: clock offset taken as 0: n2.json must")
    assert str(attempt.folder) not in note


def test_drift_that_no_clock_has_is_not_applied(attempt: AttemptPaths) -> None:
    clocks = clocks_of(attempt, offset(0, 2_000_000, length_us=1_000_000))
    assert clocks.to_reference("n2", np.array([T0_US])).tolist() == [T0_US]
    assert clocks.notes({"n2"}) == [
        "n2: clock offset taken as 0: n2.json drifts by 2000000 ppm, at most 100000 are a clock's"
    ]


def test_offset_under_another_host_s_name_is_not_applied(attempt: AttemptPaths) -> None:
    offset(1_000, 1_000).write(attempt)
    (attempt.clocks / "n2.json").rename(attempt.clocks / "n3.json")
    assert Clocks.read(attempt).notes({"n3"}) == [
        "n3: clock offset taken as 0: n3.json is about n2"
    ]
