"""The screen: what no sensor can have read goes to disk as null with its reason."""

import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from telemetry.clock import US_PER_S, HostClock
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths
from telemetry.shards.writer import list_parts
from telemetry.sources.base import Reading
from telemetry.watcher.log import WatchLog
from telemetry.watcher.process import WatcherProcess
from telemetry.watcher.screen import Screen
from tests.conftest import REPOSITORY
from tests.doubles.dcgm.station import DOUBLE, DoubleEngine
from tests.doubles.nvml.library import SONAME, World, build
from tests.support.watched_attempts import make_attempt

A100 = {"uuid": "GPU-1", "name": "NVIDIA A100-SXM4-80GB", "power_limit_max_w": 400.0}
ABOVE = "the sensor gave a value above 800 W, 2 times the board's power limit of 400 W, " + (
    "which cannot be"
)
BELOW = "the sensor gave a value below 0.5 W, which cannot be"


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptPaths:
    return make_attempt(tmp_path)[1]


@pytest.fixture
def screen(attempt: AttemptPaths) -> Screen:
    return Screen([A100], WatchLog(attempt, "n1", HostClock.set_now()))


def power(*values: float | None, field: str = "power_instant_w") -> list[Reading]:
    """Readings of one GPU, a second apart."""
    return [
        Reading(
            t_us=place * US_PER_S,
            device="GPU-1",
            field=field,
            value=value,
            reason=None if value is not None else "the driver said so",
        )
        for place, value in enumerate(values)
    ]


def told(readings: Sequence[Reading]) -> list[float | str | None]:
    return [one.reason if one.value is None else one.value for one in readings]


def test_a_reading_that_cannot_be_is_null_once_and_the_next_good_one_stands(
    screen: Screen,
) -> None:
    passed = screen.pass_on(power(300.0, 1_500.0, 1_501.0, 310.0, 1_500.0))
    assert told(passed) == [300.0, ABOVE, 310.0, ABOVE]
    assert [reading.t_us // US_PER_S for reading in passed] == [0, 1, 3, 4]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.001, 0.0, 1e300], ids=str)
def test_what_is_no_power_is_null_with_its_reason(screen: Screen, value: float) -> None:
    (reading,) = screen.pass_on(power(value))
    assert reading.value is None
    assert reading.reason is not None
    assert reading.reason.startswith("the sensor gave")


def test_a_source_s_own_null_is_passed_on_and_ends_what_was_told_before(screen: Screen) -> None:
    passed = screen.pass_on(power(0.0, None, 0.0))
    assert told(passed) == [BELOW, "the driver said so", BELOW]


def test_a_counter_that_stands_or_goes_back_is_null(screen: Screen) -> None:
    passed = screen.pass_on(power(100.0, 100.0, 100.0, 300.0, 5.0, 205.0, field="energy_j"))
    assert told(passed) == [
        100.0,
        "the counter stood still at 100.000 J while power flowed",
        300.0,
        "the counter began anew, from 300.000 J to 5.000 J",
        205.0,
    ]


def test_a_counter_that_its_source_says_began_anew_goes_on(screen: Screen) -> None:
    assert told(screen.pass_on(power(900.0, None, 5.0, field="energy_j")))[2] == 5.0


def test_the_log_has_the_first_value_and_how_many_there_were(
    screen: Screen, attempt: AttemptPaths
) -> None:
    screen.pass_on(power(1_500.0, 1_600.0, math.nan))
    screen.close()
    first, all_of_them = read_json(attempt.watchers / "n1.json")["events"]
    assert (first["what"], first["value"], first["reason"]) == ("impossible_reading", "1500", ABOVE)
    assert (all_of_them["what"], all_of_them["readings"]) == ("impossible_readings", 3)
    assert (all_of_them["device"], all_of_them["field"]) == ("GPU-1", "power_instant_w")


Rows = list[dict[str, Any]]


def watched(folder: Path, *, seconds: float, gpu: str = "simulated-a100", **order: Any) -> Rows:
    """What a watcher's process has written after that long."""
    run, attempt = make_attempt(folder, spec={"gpu": gpu}, launch={"period_ms": 100, **order})
    with WatcherProcess(run.results, run.run_id, 1, "n1") as watch:
        watch.wait_ready(60)
        time.sleep(seconds)
    return [
        row
        for part in list_parts(attempt.samples_shard("n1"))
        for row in pq.read_table(part.path).to_pylist()
    ]


def of(rows: Rows, field: str) -> Rows:
    return [row for row in rows if row["field"] == field]


@pytest.fixture(scope="session")
def nvml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nvml")
    assert build(folder).name == SONAME
    return folder


# The call and NVML's own word for "not available", or what a fault has been seen to give.
WILD_NVML = {
    "power_instant_w": ("field_186", 4_294_967_295.0),
    "power_average_w": ("field_185", 0.0),
    "power_sample_w": ("samples_0", 1_500_000.0),
    "memory_temperature_c": ("field_82", 0.0),
    "gpu_temperature_c": ("temperature", float(1 << 31)),
    "gpu_utilization": ("utilization", 808_334_905.0),
    "sm_clock_mhz": ("clock_1", 4_294_967_295.0),
    "memory_clock_mhz": ("clock_2", 9_999.0),
    "gpu_memory_used_bytes": ("memory_used", 1.8e19),
    "power_limit_w": ("limit", 4_294_967_295.0),
    "power_limit_requested_w": ("limit_requested", 0.0),
    "throttle_reasons": ("throttle", 4_294_967_295.0),
    "sm_active": ("gpm_2", math.nan),
}


def test_a_driver_s_wild_answers_are_nulls_with_their_reasons_on_disk(
    nvml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "world")
    for call, value in WILD_NVML.values():
        world.wild(call, value)
    world.wild("energy", 0.0).wild("limit_bounds", 4_294_967_295.0)
    for name, path in world.environment.items():
        monkeypatch.setenv(name, path)
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{nvml}:{os.environ.get('LD_LIBRARY_PATH', '')}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    rows = watched(tmp_path, seconds=1.0, telemetry="nvml", gpu_fields=None)
    for field in WILD_NVML:
        assert {row["value"] for row in of(rows, field)} == {None}, field
        assert all(row["reason"].startswith("the sensor gave") for row in of(rows, field)), field
    log = read_json(next(tmp_path.glob("*/attempt-001/watchers/n1.json")))
    logged = {event["field"] for event in log["events"] if event["what"] == "impossible_reading"}
    assert set(WILD_NVML) <= logged
    (gpu,) = read_json(next(tmp_path.glob("*/attempt-001/hosts/n1.json")))["gpus"]
    assert gpu["power_limit_max_w"] is gpu["power_limit_w"] is None
    assert "above 3000 W" in gpu["unavailable"]["power_limit_max_w"]


def test_an_engine_s_wild_answers_are_nulls_with_their_reasons_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = DoubleEngine(tmp_path)
    monkeypatch.setenv("DCGM_DOUBLE_STATE", engine.state_path)
    blank, int32, fp64 = 0x7FFFFFFFFFFFFFF0, 0x7FFFFFF0, 140_737_488_355_328
    engine.set(
        # Field ids of dcgm_fields.h.
        odd={
            "157": 0.0,
            "155": 5_000.0,
            "164": fp64 + 2.0,
            "252": blank + 1,
            "150": int32,
            "112": int32 + 2,
            "1009": int32 + 3,
            "203": fp64,
            "100": 99_999,
            "1002": 1e300,
        }
    )
    order: dict[str, Any] = {"telemetry": "dcgm", "dcgm_bindings": str(DOUBLE)}
    order["dcgm_address"] = engine.address
    with engine.listening():
        rows = watched(tmp_path / "results", seconds=1.2, **order)
    expected = {
        "power_instant_w": "below 0.5",
        "power_average_w": "above",
        "power_limit_w": "not supported",
        "gpu_memory_used_bytes": "not found",
        "gpu_temperature_c": "has no value",
        "throttle_reasons": "not supported",
        "pcie_tx_bytes_per_s": "no permission",
        "gpu_utilization": "has no value",
        "sm_clock_mhz": "above",
        "sm_active": "above",
    }
    for field, words in expected.items():
        assert {row["value"] for row in of(rows, field)} == {None}, field
        reasons = [row["reason"] for row in of(rows, field)]
        # The first value of a profiling watch is a blank of its own.
        assert any(words in reason for reason in reasons), (field, reasons)
    ready = read_json(next((tmp_path / "results").glob("*/attempt-001/hosts/n1.json")))
    # The double's engine tells a blank of 32 bits for the limit in force.
    assert {gpu["power_limit_w"] for gpu in ready["gpus"]} == {None}
    assert ready["gpus"][0]["unavailable"] == {"power_limit_w": "DCGM has no value"}


def test_a_source_of_somebody_else_s_is_held_to_its_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = REPOSITORY / "tests" / "doubles" / "sensor_source"
    inherited = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(package), inherited]))
    monkeypatch.setenv("TOY_POWER_W", "nan,-5,1e300,inf,1200")
    monkeypatch.syspath_prepend(package)
    from telemetry.record.source_registry import _installed  # noqa: PLC0415

    _installed.cache_clear()
    rows = watched(tmp_path, seconds=0.6, gpu="cpu", telemetry="toy")
    _installed.cache_clear()
    reasons = [row["reason"] for row in of(rows, "rack_power_w")]
    assert reasons[:4] == [
        "the sensor gave nan, which is no number",
        "the sensor gave a value below 0 W, which cannot be",
        "the sensor gave a value above 1e+10 W, which cannot be",
        "the sensor gave an infinite value, which is no number",
    ]
    assert of(rows, "rack_power_w")[4]["value"] == 1_200.0
