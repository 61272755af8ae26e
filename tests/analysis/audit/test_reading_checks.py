"""Readings that were dropped, cannot be or contradict each other fail the check of readings."""

from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.audit.check import Case, Outcome
from analysis.audit.reading_checks import readers_agree, readings_taken
from telemetry.record.paths import RunPaths
from tests.analysis.audit.forging import Columns, close, copy, edit_shards
from tests.support.recordings import FOLDER, SUFFIX, unpack

BASE = "7b-fixed-synthetic-h200-g4-b64-l128-r0-8bd64a63"
FIRST = "GPU-779d089a"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    results = tmp_path_factory.mktemp("recorded")
    unpack(FOLDER / f"{BASE}{SUFFIX}", results)
    return RunPaths(results=results, run_id=BASE)


def changed(
    field: str, change: Callable[[float], float], device: str = "GPU-"
) -> Callable[[Columns], object]:
    def edit(columns: Columns) -> None:
        for at, (one, name) in enumerate(zip(columns["device"], columns["field"], strict=True)):
            if name == field and one.startswith(device) and columns["value"][at] is not None:
                columns["value"][at] = change(columns["value"][at])

    return edit


def dropped(field: str, device: str = "GPU-") -> Callable[[Columns], object]:
    def edit(columns: Columns) -> None:
        keep = [
            at
            for at, (one, name) in enumerate(zip(columns["device"], columns["field"], strict=True))
            if name != field or not one.startswith(device)
        ]
        for name in list(columns):
            columns[name] = [columns[name][at] for at in keep]

    return edit


def forged(base: RunPaths, results: Path, change: Callable[[Columns], object]) -> Case:
    run = copy(base, results)
    edit_shards(run, "samples", change)
    return Case(close(run))


def test_a_recorded_run_has_what_was_to_be_read(base: RunPaths) -> None:
    case = Case(base)
    assert readings_taken(case).outcome is Outcome.PASSED
    assert readers_agree(case).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    "field", ["gpu_utilization", "sm_clock_mhz", "power_limit_w", "dram_active", "xid"]
)
def test_a_field_that_was_to_be_read_and_is_gone_fails(
    base: RunPaths, tmp_path: Path, field: str
) -> None:
    finding = readings_taken(forged(base, tmp_path, dropped(field)))
    assert finding.outcome is Outcome.FAILED
    assert f"{field} was to be read" in finding.evidence


def test_a_field_of_one_gpu_that_is_gone_fails(base: RunPaths, tmp_path: Path) -> None:
    finding = readings_taken(forged(base, tmp_path, dropped("gpu_temperature_c", FIRST)))
    assert finding.outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gpu_utilization", 1.5),
        ("gpu_utilization", float("nan")),
        ("gpu_temperature_c", 500.0),
        ("gpu_memory_used_bytes", 3e11),
        ("sm_clock_mhz", 4_500.0),
        ("memory_clock_mhz", float("inf")),
        ("throttle_reasons", -1.0),
        ("power_limit_w", 5_000.0),
    ],
)
def test_readings_that_cannot_be_throughout_fail(
    base: RunPaths, tmp_path: Path, field: str, value: float
) -> None:
    finding = readings_taken(forged(base, tmp_path, changed(field, lambda _: value)))
    assert finding.outcome is Outcome.FAILED
    assert field in finding.evidence


def test_what_boards_without_a_sensor_give_could_not_be_looked_at(
    base: RunPaths, tmp_path: Path
) -> None:
    finding = readings_taken(forged(base, tmp_path, changed("memory_temperature_c", lambda _: 0.0)))
    assert finding.outcome is Outcome.UNSEEN


def test_a_gpu_that_was_busy_at_no_reading_of_its_work_fails(
    base: RunPaths, tmp_path: Path
) -> None:
    finding = readings_taken(
        forged(base, tmp_path, changed("gpu_utilization", lambda _: 0.0, FIRST))
    )
    assert finding.outcome is Outcome.FAILED
    assert "is 0 at all" in finding.evidence


@pytest.mark.parametrize("field", ["power_instant_w", "power_average_w"])
def test_a_power_field_that_another_contradicts_fails(
    base: RunPaths, tmp_path: Path, field: str
) -> None:
    finding = readers_agree(
        forged(base, tmp_path, changed(field, lambda value: round(value * 0.5, 3)))
    )
    assert finding.outcome is Outcome.FAILED
    assert field in finding.evidence
