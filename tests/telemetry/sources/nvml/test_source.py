"""NVML through the real nvidia-ml-py, against a simulated libnvidia-ml.so.1 of our own."""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pynvml
import pytest

import telemetry.clock
from telemetry.boards.lookup import sensor_of
from telemetry.clock import US_PER_S, HostClock
from telemetry.record.fields import FIELDS
from telemetry.record.launch import LaunchConfig
from telemetry.record.schema import Phase
from telemetry.sources.base import Assignment, Reading
from telemetry.sources.nvml.energy_counter import EnergyCounter
from telemetry.sources.nvml.source import NVML_FIELDS, NvmlReadings
from tests.doubles.nvml.library import World, build, load, uuid_of, wall_us
from tests.doubles.nvml.station import look, make_assignment, watch
from tests.support.watched_attempts import LAUNCH
from workers.session.spans import SpanRecorder

Open = Callable[..., NvmlReadings]
ZERO, ONE = uuid_of(0), uuid_of(1)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated library."""
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def world(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """One simulated H200, in this process."""
    load(library)
    simulated = World(tmp_path / "world")
    monkeypatch.setenv("FAKE_NVML", str(simulated.path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return simulated


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    """A node to be watched by NVML."""
    return make_assignment(tmp_path)


@pytest.fixture
def open_nvml(
    world: World, assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Open]:
    """Opens the readings of `world`; the probe is cut short where a test is not about it."""
    opened: list[NvmlReadings] = []

    def open_it(*, probe_s: float = 0.02, **settings: Any) -> NvmlReadings:
        monkeypatch.setattr("telemetry.sources.nvml.source.PROBE_S", probe_s)
        world.set(**settings)
        opened.append(NvmlReadings(assignment))
        return opened[-1]

    yield open_it
    for source in opened:
        source.close()


def series(readings: list[Reading], field: str, device: str = ZERO) -> list[tuple[int, float]]:
    """Times and values of one field."""
    return sorted(
        (reading.t_us, reading.value)
        for reading in readings
        if (reading.device, reading.field) == (device, field) and reading.value is not None
    )


def reasons(readings: list[Reading], field: str, device: str = ZERO) -> list[str]:
    """Why one field was null, each time it was said."""
    return [
        reading.reason or "(none given)"
        for reading in readings
        if (reading.device, reading.field) == (device, field) and reading.value is None
    ]


def trapezoid_j(samples: list[tuple[int, float]]) -> float:
    """The integral of power over its samples."""
    t_us, power_w = np.array(samples).T
    return float(np.trapezoid(power_w, t_us)) / US_PER_S


def test_driver_s_buffer_gives_fifty_samples_a_second_each_once(open_nvml: Open) -> None:
    samples = series(watch(open_nvml(), 2.5), "power_sample_w")
    gaps_us = [after - before for (before, _), (after, _) in pairwise(samples)]
    assert len(samples) >= 45 * 2.5
    # The stamps lie 20 ms apart; their places on the host's clock jitter by its two readings.
    assert min(gaps_us) > 15_000
    assert max(gaps_us) < 25_000


def test_integral_and_counter_agree_with_the_energy_that_was_drawn(
    open_nvml: Open, world: World, assignment: Assignment
) -> None:
    readings = watch(open_nvml(busy_w=650.0, cycle_ms=700, duty=0.3), 3.0)
    clock = assignment.clock
    samples = series(readings, "power_sample_w")
    # A sample is the mean of the 20 ms before its stamp.
    drawn_j = world.energy_j(
        wall_us(clock, samples[0][0] - 10_000), wall_us(clock, samples[-1][0] - 10_000)
    )
    assert trapezoid_j(samples) == pytest.approx(drawn_j, rel=0.02)
    counter = series(readings, "energy_j")
    counted_j = counter[-1][1] - counter[0][1]
    drawn_j = world.energy_j(wall_us(clock, counter[0][0]), wall_us(clock, counter[-1][0]))
    # The counter stands still for up to 100 ms at either end; a stamp is the middle of a call, of
    # which one that took 50 ms is not yet repeated.
    assert counted_j == pytest.approx(drawn_j, abs=650 * (0.1 + 0.05))


def test_counter_s_reading_that_was_held_up_is_repeated(
    open_nvml: Open, world: World, assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_nvml(busy_w=500.0, idle_w=500.0)
    read = pynvml.nvmlDeviceGetTotalEnergyConsumption
    stalls_s = iter([0.4])

    def stalled(handle: Any) -> int:
        millijoules: int = read(handle)
        time.sleep(next(stalls_s, 0.0))
        return millijoules

    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", stalled)
    ((t_us, told_j),) = series(list(source.read()), "energy_j")
    clock = assignment.clock
    drawn_j = world.energy_j(world.begun_us, wall_us(clock, t_us))
    # Behind by up to one update of 100 ms, and off by up to half of a call of 50 ms.
    assert -500 * 0.125 <= told_j - drawn_j <= 500 * 0.025


BOARDS = 2
# Looks at 0, 0.1, ... 4.4 s: what has its turn every second has five, every two seconds three, and
# what has its turn every five seconds or more seldom has one.
TURNS = {
    "samples_0": 5,
    # nvidia-ml-py's own function asks for the number of samples each time.
    "samples_size": 0,
    # The driver keeps utilization too, but asking for that is dear.
    "samples_1": 0,
    "samples_2": 0,
    "utilization": 3,
    "throttle": 3,
    "memory": 3,
    "clock": 3 + 1,
    "fields": 1,
    "temperature": 1,
    "gpm_sample": 1,
    "gpm_metrics": 0,
    "limit": 1,
    "limit_requested": 1,
    "energy": 1,
    # Who else works there: at the start, then every ten seconds.
    "processes": 1,
}


@pytest.fixture(scope="module")
def asked(library: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What the driver of two boards was asked in 4.5 s of looks, the start apart."""
    calls = load(library)
    folder = tmp_path_factory.mktemp("asked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE_NVML", str(World(folder / "world", gpus=BOARDS).path))
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        patch.setattr("telemetry.sources.nvml.source.PROBE_S", 0.02)
        source = NvmlReadings(make_assignment(folder))
        calls.forget()
        look(source, 4.5)
        counts = calls.counts()
        source.close()
    return counts


@pytest.mark.parametrize("call", TURNS)
def test_driver_is_asked_for_each_reading_at_its_own_pace(asked: dict[str, int], call: str) -> None:
    assert asked.get(call, 0) == TURNS[call] * BOARDS


def test_driver_is_asked_nothing_that_has_no_pace(asked: dict[str, int]) -> None:
    # One wait for events a second is all boards'.
    assert {call: asked[call] for call in asked.keys() - TURNS.keys()} == {"wait": 5}


def test_counter_carries_the_energy_every_second_where_there_are_no_power_samples(
    open_nvml: Open, world: World
) -> None:
    world.fail("samples_0", pynvml.NVML_ERROR_NOT_SUPPORTED)
    source = open_nvml()
    readings = watch(source, 2.05)
    assert len(series(readings, "energy_j")) == 4
    assert len(series(readings, "power_instant_w")) >= 18
    periods_us = source.describe().periods_us
    assert (periods_us["energy_j"], periods_us["power_instant_w"]) == (1_000_000, 100_000)


def test_period_of_each_reading_is_on_record_as_it_is_asked(open_nvml: Open) -> None:
    description = open_nvml().describe()
    assert description.identity["sampled"] is True
    assert description.identity["asked_us"]["power_sample_w"] == 1_000_000
    periods_us = description.periods_us
    assert periods_us["power_sample_w"] == 20_000
    assert {
        name: periods_us[name]
        for name in ("energy_j", "power_limit_w", "gpu_temperature_c", "throttle_reasons")
    } == {
        "energy_j": 30_000_000,
        "power_limit_w": 30_000_000,
        "gpu_temperature_c": 5_000_000,
        "throttle_reasons": 2_000_000,
    }


@pytest.fixture(scope="module")
def second(library: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Reading]:
    """All readings of one board in a second."""
    load(library)
    folder = tmp_path_factory.mktemp("second")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE_NVML", str(World(folder / "world").path))
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        patch.setattr("telemetry.sources.nvml.source.PROBE_S", 0.02)
        source = NvmlReadings(make_assignment(folder))
        readings = watch(source, 1.2)
        source.close()
    return readings


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("gpu_memory_used_bytes", {1000.0 * 2**20}),
        ("gpu_temperature_c", {40.0}),
        ("memory_temperature_c", {50.0}),
        ("memory_clock_mhz", {3201.0}),
        ("sm_clock_mhz", {345.0, 1980.0}),
        ("power_limit_w", {700.0}),
        ("power_limit_requested_w", {700.0}),
        ("gpu_utilization", {0.0, 1.0}),
        ("memory_copy_utilization", {0.0, 0.6}),
        ("power_instant_w", {100.0, 500.0}),
        ("throttle_reasons", {0.0, 1.0}),
        ("xid", {0.0}),
    ],
)
def test_gauge_comes_in_its_unit(second: list[Reading], field: str, expected: set[float]) -> None:
    values = {round(value, 6) for _, value in series(second, field)}
    assert values
    assert values <= expected


def test_every_reading_that_nvml_has_is_taken_or_null_with_a_reason(second: list[Reading]) -> None:
    assert {reading.field for reading in second} == set(NVML_FIELDS)
    for reading in second:
        assert reading.field in FIELDS
        assert (reading.value is None) == (reading.reason is not None)


def test_average_power_is_told_apart_from_the_instant(open_nvml: Open) -> None:
    readings = watch(open_nvml(cycle_ms=1000, duty=0.25), 1.0)
    assert {round(value) for _, value in series(readings, "power_average_w")} == {200}


def test_monitors_give_the_mean_since_the_last_look(open_nvml: Open) -> None:
    readings = watch(open_nvml(cycle_ms=100, duty=0.4), 2.1)
    for field in ("sm_active", "tensor_active", "dram_active", "sm_occupancy"):
        means = [value for _, value in series(readings, field)]
        assert means[0] == pytest.approx(0.4, abs=0.05)
    rates = [value for _, value in series(readings, "nvlink_tx_bytes_per_s")]
    assert rates[0] == pytest.approx(1024 * 2**20 * 0.4, rel=0.1)


def test_board_without_monitors_says_so_once(open_nvml: Open) -> None:
    readings = watch(open_nvml(gpm=0), 1.2)
    assert reasons(readings, "sm_active") == [
        "this board has no performance monitors that NVML can read (GPM)"
    ]


def test_inventory_says_what_the_board_is_and_how_it_is_set(open_nvml: Open) -> None:
    (gpu,) = open_nvml().describe().gpus
    assert gpu["uuid"] == ZERO
    assert (gpu["name"], gpu["kind"], gpu["simulated"]) == ("NVIDIA H200", "h200", False)
    assert (gpu["driver"], gpu["vbios"]) == ("580.00.fake", "96.00.fake")
    assert (gpu["ecc"], gpu["mig"], gpu["persistence"]) == (True, False, True)
    assert (gpu["power_limit_min_w"], gpu["power_limit_max_w"]) == (200.0, 700.0)
    assert (gpu["power_limit_w"], gpu["power_limit_default_w"]) == (700.0, 700.0)
    assert gpu["pci_bus_id"] == "00000000:10:00.0"
    assert gpu["memory_bytes"] == 143_771 << 20
    assert gpu["unavailable"] == {}


def test_processes_on_a_board_are_counted_and_those_beside_its_rank_told_once(
    open_nvml: Open, world: World, assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telemetry.sources.nvml.processes._PERIOD_US", 0)
    source = open_nvml()
    assert source.describe().gpus[0]["compute_processes"] == 0
    world.wild("processes", 1)
    watch(source, 0.1)
    assert assignment.remarks.take() == []
    world.heal().wild("processes", 3)
    watch(source, 0.1)
    (remark,) = assignment.remarks.take()
    assert (remark.what, dict(remark.details)) == (
        "foreign_processes",
        {"device": ZERO, "processes": 3},
    )


def test_what_a_board_does_not_tell_is_null_with_its_reason(open_nvml: Open, world: World) -> None:
    world.fail("serial", pynvml.NVML_ERROR_NOT_SUPPORTED)
    (gpu,) = open_nvml(product="NVIDIA B300").describe().gpus
    assert (gpu["serial"], gpu["kind"]) == (None, None)
    assert gpu["unavailable"]["serial"] == "NVML error 3: Not Supported"
    assert "NVIDIA B300" in gpu["unavailable"]["kind"]


@pytest.mark.parametrize(
    ("visible", "uuids"),
    [
        (None, [ZERO, ONE, uuid_of(2)]),
        ("1", [ONE]),
        ("2,0", [uuid_of(2), ZERO]),
        (ONE, [ONE]),
        ("GPU-a0000001", [ONE]),
    ],
)
def test_exactly_the_job_s_gpus_are_watched(
    open_nvml: Open, monkeypatch: pytest.MonkeyPatch, visible: str | None, uuids: list[str]
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    source = open_nvml(gpus=3)
    assert [gpu["uuid"] for gpu in source.describe().gpus] == uuids
    assert {reading.device for reading in source.read()} == set(uuids)


@pytest.mark.parametrize(
    ("visible", "message"),
    [
        ("3", "names 3: the node has 2"),
        ("GPU-dead", "names GPU-dead, which 0 have"),
        ("GPU-a", "names GPU-a, which 2 have"),
        ("MIG-a0000001-fa4e", "must name whole GPUs"),
        ("", "must name a GPU"),
        ("-1", "must name a GPU"),
        ("0,0", "must name each GPU once"),
    ],
)
def test_gpus_that_are_not_there_are_named(
    open_nvml: Open, monkeypatch: pytest.MonkeyPatch, visible: str, message: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(RuntimeError, match=message):
        open_nvml(gpus=2)


def test_node_without_a_gpu_is_refused(open_nvml: Open) -> None:
    with pytest.raises(RuntimeError, match="the node must have a GPU, but has none"):
        open_nvml(gpus=0)


def test_driver_that_is_not_loaded_is_refused(open_nvml: Open, world: World) -> None:
    world.fail("init", pynvml.NVML_ERROR_DRIVER_NOT_LOADED)
    with pytest.raises(RuntimeError, match="driver must be loaded to read a GPU, but is not"):
        open_nvml()


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ("energy", "energy_j"),
        ("samples_0", "power_sample_w"),
        ("field_186", "power_instant_w"),
        ("fields", "power_average_w"),
        ("temperature", "gpu_temperature_c"),
        ("gpm_2", "sm_active"),
        ("events", "xid"),
    ],
)
def test_call_without_permission_is_null_with_its_reason_and_never_0(
    open_nvml: Open, world: World, call: str, field: str
) -> None:
    world.fail(call, pynvml.NVML_ERROR_NO_PERMISSION)
    source = open_nvml()
    readings = watch(source, 0.15)
    readings += source.finish()
    assert reasons(readings, field) == ["NVML error 4: Insufficient Permissions"]
    assert series(readings, field) == []
    assert len(series(readings, "sm_clock_mhz")) >= 2


@pytest.mark.parametrize(
    ("capability", "field", "other"),
    [
        (70, "power_instant_w", "power_average_w"),
        (80, "power_instant_w", "power_average_w"),
        (86, "power_average_w", "power_instant_w"),
    ],
)
def test_driver_without_power_by_field_id_gives_it_for_what_it_means(
    open_nvml: Open, world: World, capability: int, field: str, other: str
) -> None:
    for number in (185, 186):
        world.fail(f"field_{number}", pynvml.NVML_ERROR_NOT_SUPPORTED)
    source = open_nvml(capability=capability, cycle_ms=1000, duty=0.25)
    assert source.describe().identity["fallbacks"] == {field: "nvmlDeviceGetPowerUsage"}
    readings = watch(source, 0.3)
    assert {round(value) for _, value in series(readings, field)} <= {100, 200, 500}
    # The first and the last: beside power samples it is asked for every five seconds.
    assert len(series(readings, field)) == 2
    assert reasons(readings, other) == ["NVML error 3: Not Supported"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (pynvml.NVML_ERROR_NOT_SUPPORTED, "NVML error 3: Not Supported"),
        (pynvml.NVML_ERROR_TIMEOUT, "NVML error 10: Timeout"),
        (pynvml.NVML_ERROR_FUNCTION_NOT_FOUND, "NVML error 13: Function Not Found"),
        (pynvml.NVML_ERROR_UNKNOWN, "NVML error 999: Unknown Error"),
        (77, "NVML error 77: Another Error"),
    ],
)
def test_error_is_named_by_its_number_and_word(
    open_nvml: Open, world: World, code: int, reason: str
) -> None:
    world.fail("energy", code)
    assert reasons(watch(open_nvml(), 0.05), "energy_j") == [reason]


def test_reading_comes_back_with_the_permission(open_nvml: Open, world: World) -> None:
    world.fail("energy", pynvml.NVML_ERROR_NO_PERMISSION)
    source = open_nvml()
    readings = watch(source, 0.2)
    world.heal()
    readings += watch(source, 1.3)
    assert reasons(readings, "energy_j") == ["NVML error 4: Insufficient Permissions"]
    assert series(readings, "energy_j")


def test_gpu_that_falls_off_the_bus_costs_the_others_nothing(
    open_nvml: Open, world: World, assignment: Assignment
) -> None:
    source = open_nvml(gpus=2)
    watch(source, 0.2)
    world.set(lost=1)
    time.sleep(0.02)
    readings = watch(source, 1.2)
    assert reasons(readings, "power_sample_w", ONE) == ["NVML error 15: GPU is lost"]
    assert reasons(readings, "energy_j", ONE) == ["NVML error 15: GPU is lost"]
    assert len(series(readings, "power_sample_w", ZERO)) >= 45
    remarks = assignment.remarks.take()
    assert [(remark.what, remark.details["device"]) for remark in remarks] == [("gpu_lost", ONE)]


def test_counter_that_begins_anew_is_on_record(
    open_nvml: Open, world: World, assignment: Assignment
) -> None:
    source = open_nvml()
    readings = watch(source, 0.3)
    world.set(reset_us=time.time_ns() // 1000)
    readings += watch(source, 0.3)
    (reason,) = reasons(readings, "energy_j")
    assert reason.startswith("the counter began anew, from ")
    (remark,) = assignment.remarks.take()
    assert remark.what == "counter_reset"
    assert remark.details["after_j"] < remark.details["before_j"]


def test_mig_board_is_null_with_that_reason(open_nvml: Open) -> None:
    readings = watch(open_nvml(mig=1), 0.2)
    assert all(reading.value is None for reading in readings)
    assert reasons(readings, "power_sample_w") == [
        "MIG is on: the sensors are the whole board's, not its instances'"
    ]


@pytest.mark.parametrize("step_s", [3600, -3600])
def test_step_of_the_wall_clock_moves_no_sample(
    open_nvml: Open, world: World, monkeypatch: pytest.MonkeyPatch, step_s: int
) -> None:
    source = open_nvml()
    readings = watch(source, 0.6)
    true_us = telemetry.clock.wall_us
    step_us = step_s * 1_000_000
    at_us = true_us()
    world.set(step_us=step_us, step_at_us=at_us)
    monkeypatch.setattr(telemetry.clock, "wall_us", lambda: true_us() + step_us)
    readings += watch(source, 1.2)
    samples = series(readings, "power_sample_w")
    gaps_us = [after - before for (before, _), (after, _) in pairwise(samples)]
    assert len(samples) >= 85
    assert min(gaps_us) > 10_000
    assert max(gaps_us) < 45_000


def test_samples_without_a_time_and_doubles_are_dropped(open_nvml: Open) -> None:
    samples = series(watch(open_nvml(odd_samples=1), 1.0), "power_sample_w")
    assert len({t_us for t_us, _ in samples}) == len(samples)
    assert samples[-1][0] - samples[0][0] < 3_000_000


def test_driver_with_another_time_is_null_with_that_reason(open_nvml: Open, world: World) -> None:
    source = open_nvml()
    world.set(step_us=-7_200_000_000)
    time.sleep(0.02)
    readings = watch(source, 0.6)
    assert reasons(readings, "power_sample_w") == ["the driver's times are -7200 s off this host's"]
    assert len(series(readings, "power_instant_w")) >= 5


def test_driver_that_falls_silent_is_null_with_that_reason(open_nvml: Open, world: World) -> None:
    source = open_nvml()
    readings = watch(source, 0.3)
    world.fail("samples_0", pynvml.NVML_ERROR_NOT_FOUND)
    readings += look(source, 4.0)
    assert reasons(readings, "power_sample_w") == ["the driver has had no new sample for 2.4 s"]
    # From then on power by field id carries the energy, at the launch's own pace.
    assert len(series(readings, "power_instant_w")) >= 5
    world.heal()
    assert len(series(watch(source, 0.3), "power_sample_w")) >= 100


def test_xid_error_is_told_with_its_number(
    open_nvml: Open, world: World, assignment: Assignment
) -> None:
    source = open_nvml(gpus=2)
    readings = watch(source, 0.1)
    # 79: the GPU has fallen off the bus (NVIDIA's XID catalog).
    world.set(xid="1 79")
    time.sleep(0.02)
    readings += watch(source, 0.2)
    assert [value for _, value in series(readings, "xid", ZERO)] == [0.0]
    assert [value for _, value in series(readings, "xid", ONE)] == [0.0, 79.0]
    assert [remark.details["code"] for remark in assignment.remarks.take()] == [79]


def test_update_periods_are_measured_at_the_start(open_nvml: Open) -> None:
    description = open_nvml(probe_s=1.2, cycle_ms=230).describe()
    paces = description.identity["paces"]
    assert paces["power_sample_w"]["update_us"] == 20_000
    assert paces["power_instant_w"]["update_us"] == pytest.approx(100_000, rel=0.2)
    assert paces["energy_j"]["update_us"] == pytest.approx(100_000, rel=0.3)
    assert paces["memory_clock_mhz"]["update_us"] is None
    assert description.periods_us["power_sample_w"] == 20_000
    assert description.periods_us["memory_clock_mhz"] == 5_000_000
    assert "xid" not in description.periods_us


def test_a_board_that_no_table_knows_is_timed_on_the_spot_and_says_so(open_nvml: Open) -> None:
    (gpu,) = open_nvml(product="NVIDIA H300 PCIe", cycle_ms=60, probe_s=1.2).describe().gpus
    assert gpu["kind"] is None
    assert gpu["sensor_update_us"]["power_instant_w"] == pytest.approx(100_000, rel=0.1)
    sensor = sensor_of(gpu)
    assert not sensor.known
    assert "measured on the spot" in sensor.source
    assert sensor.timings["power_instant_w"].update_us == gpu["sensor_update_us"]["power_instant_w"]


def test_a_board_of_the_table_is_not_timed_anew(open_nvml: Open) -> None:
    (gpu,) = open_nvml(probe_s=1.2).describe().gpus
    assert "sensor_update_us" not in gpu


def test_period_below_the_sensor_s_is_recorded_as_the_sensor_s(
    world: World, tmp_path: Path
) -> None:
    world.set(cycle_ms=230)
    # Without power samples power by field id is asked as often as the launch says.
    fields = ["power_instant_w", "energy_j"]
    source = NvmlReadings(make_assignment(tmp_path, period_ms=20, gpu_fields=fields))
    periods_us = source.describe().periods_us
    source.close()
    assert periods_us["power_instant_w"] == pytest.approx(100_000, rel=0.2)
    assert periods_us["energy_j"] == 1_000_000


def test_only_the_readings_that_were_asked_for_are_taken(world: World, tmp_path: Path) -> None:
    assert world.path.is_file()
    source = NvmlReadings(make_assignment(tmp_path, gpu_fields=["power_sample_w"]))
    assert {reading.field for reading in watch(source, 0.1)} == {"power_sample_w"}
    source.close()


def test_period_that_would_lose_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="`period_ms` must be at most 1000 for nvml"):
        LaunchConfig(**{**LAUNCH, "telemetry": "nvml", "period_ms": 1001})


def test_power_limit_and_clock_act_on_the_simulated_power(open_nvml: Open) -> None:
    source = open_nvml(duty=1.0, busy_w=600.0)
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    pynvml.nvmlDeviceSetPowerManagementLimit(handle, 300_000)
    capped = series(watch(source, 0.3), "power_sample_w")
    pynvml.nvmlDeviceSetPowerManagementLimit(handle, 700_000)
    pynvml.nvmlDeviceSetGpuLockedClocks(handle, 990, 990)
    slowed = series(watch(source, 0.3), "power_sample_w")
    assert capped[-1][1] == pytest.approx(300.0)
    assert slowed[-1][1] == pytest.approx(350.0)


def test_rank_counter_reads_the_counter_that_the_watcher_reads(
    open_nvml: Open, world: World
) -> None:
    source = open_nvml(gpus=2)
    with EnergyCounter(ONE) as rank_counter:
        before_j = rank_counter.energy_j()
        told_j = series(list(source.read()), "energy_j", ONE)[0][1]
        assert before_j <= told_j <= rank_counter.energy_j()
        world.fail("energy", pynvml.NVML_ERROR_NO_PERMISSION)
        time.sleep(0.02)
        with pytest.raises(RuntimeError, match="NVML error 4: Insufficient Permissions"):
            rank_counter.energy_j()


def test_span_carries_its_gpu_s_energy_without_any_watcher(world: World, tmp_path: Path) -> None:
    clock = HostClock.set_now()
    with (
        EnergyCounter(ZERO) as rank_counter,
        SpanRecorder(
            tmp_path / "spans",
            {},
            clock=clock,
            host="n1",
            rank=0,
            gpu_uuid=ZERO,
            synchronize=lambda: None,
            read_energy_j=rank_counter.energy_j,
            energy_reason="",
        ) as spans,
    ):
        spans.enter(Phase.DECODE, batch=0)
        time.sleep(1.0)
    decode = pq.read_table(tmp_path / "spans" / "part-00000.parquet").to_pylist()[1]
    drawn_j = world.energy_j(
        wall_us(clock, decode["t_start_us"]), wall_us(clock, decode["t_end_us"])
    )
    # The counter stands still for up to 100 ms at either end, and is read a little after it.
    late_us = max(decode["energy_start_late_us"], decode["energy_end_late_us"])
    within_j = 500 * (100_000 + late_us) / US_PER_S
    told_j = decode["energy_end_j"] - decode["energy_start_j"]
    assert told_j == pytest.approx(drawn_j, abs=within_j)
    assert decode["energy_reason"] is None


def test_rank_counter_of_a_gpu_that_is_not_there_is_refused(world: World) -> None:
    assert world.path.is_file()
    with pytest.raises(RuntimeError, match="GPU GPU-none must be there, but: NVML error 6"):
        EnergyCounter("GPU-none")
