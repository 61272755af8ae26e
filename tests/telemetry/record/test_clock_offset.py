from pathlib import Path
from typing import Any

import numpy as np
import pytest

from telemetry.merge.alignment import Clocks
from telemetry.record.clock_offset import HostOffset, OffsetReading
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths
from tests.support.clock_offsets import offset_us_at


def reading(t_us: int, offset_us: int, **changes: Any) -> OffsetReading:
    values = {"t_us": t_us, "offset_us": offset_us, "error_us": 40, "round_trip_us": 78}
    return OffsetReading(**{**values, **changes})


def offset(**changes: Any) -> HostOffset:
    values = {
        "host": "n2",
        "reference_host": "n1",
        "start": reading(1_000_000, 500),
        "end": reading(2_000_000, 700),
    }
    return HostOffset(**{**values, **changes})


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptPaths:
    return AttemptPaths(folder=tmp_path)


@pytest.mark.parametrize("end", [None, reading(2_000_000, -700)])
def test_what_is_written_is_read_again(attempt: AttemptPaths, end: OffsetReading | None) -> None:
    offset(end=end).write(attempt)
    assert HostOffset.read(attempt.clocks / "n2.json") == offset(end=end)


def test_the_file_has_the_form_that_the_module_states(attempt: AttemptPaths) -> None:
    offset(end=None).write(attempt)
    assert read_json(attempt.clocks / "n2.json") == {
        "host": "n2",
        "reference_host": "n1",
        "start": {"t_us": 1_000_000, "offset_us": 500, "error_us": 40, "round_trip_us": 78},
        "end": None,
    }


@pytest.mark.parametrize(
    ("t_us", "expected_us"),
    [(0, 500.0), (1_000_000, 500.0), (1_500_000, 600.0), (2_000_000, 700.0), (9_000_000, 700.0)],
)
def test_the_offset_moves_evenly_between_its_measurements(t_us: int, expected_us: float) -> None:
    clocks = Clocks({"n2": offset()}, {})
    stamp = np.array([t_us], dtype=np.int64)
    assert (stamp - clocks.to_reference("n2", stamp)).tolist() == [expected_us]
    assert offset_us_at(offset(), t_us) == expected_us


def test_one_measurement_alone_holds_throughout() -> None:
    clocks = Clocks({"n2": offset(end=None)}, {})
    stamp = np.array([9_000_000], dtype=np.int64)
    assert (stamp - clocks.to_reference("n2", stamp)).tolist() == [500]
    assert offset_us_at(offset(end=None), 9_000_000) == 500.0


def test_the_error_is_the_larger_one_of_both_ends() -> None:
    assert offset(end=reading(2_000_000, 700, error_us=90)).error_us == 90
    assert offset(end=None).error_us == 40


@pytest.mark.parametrize("value", [-1, 0.5, True, None])
def test_an_error_bound_that_is_no_whole_number_of_microseconds_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"`error_us` must be a whole number .* but is"):
        reading(0, 0, error_us=value)


@pytest.mark.parametrize("host", ["", "../n1", "a/b", "n1\n"])
def test_a_host_that_would_be_another_path_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="`host` must be a host name"):
        offset(host=host)


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="`end` must not be before `start`"):
        offset(end=reading(999_999, 0))


@pytest.mark.parametrize(
    "content", [{}, {"host": "n2", "reference_host": "n1", "start": {"t_us": 1}, "end": None}]
)
def test_a_file_that_holds_no_offset_is_named(tmp_path: Path, content: dict[str, Any]) -> None:
    path = tmp_path / "n2.json"
    write_json(path, content)
    with pytest.raises(ValueError, match=r"n2\.json must hold a clock offset"):
        HostOffset.read(path)
