"""The simulated GPU: a stated model, its integral, and a sensor that behaves like a sensor."""

import contextlib
import dataclasses
import itertools
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from telemetry.boards.simulation import SimulatedBoard
from telemetry.boards.table import BOARDS
from telemetry.clock import HostClock
from telemetry.record.fields import FIELDS
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from telemetry.sources.base import Assignment, Reading
from telemetry.sources.simulated.source import SimulatedGpu, SimulatedSource
from telemetry.watcher.select_source import open_source
from tests.support.watched_attempts import LAUNCH, make_attempt, register_rank

A100 = SimulatedBoard.of(BOARDS["a100"])
V100 = SimulatedBoard.of(BOARDS["v100"])


def gpu_at(start_us: int = 0, kind: str = "a100") -> SimulatedGpu:
    return SimulatedGpu(
        uuid="SIM-x", board=SimulatedBoard.of(BOARDS[kind]), limit_w=300.0, start_us=start_us
    )


def by_field(readings: list[Reading], field: str) -> list[tuple[int, float | None]]:
    return [(reading.t_us, reading.value) for reading in readings if reading.field == field]


def source_for(tmp_path: Path, spec: RunSpec, **launch: object) -> SimulatedSource:
    _, attempt = make_attempt(tmp_path)
    assignment = Assignment(
        attempt=attempt,
        spec=spec,
        launch=LaunchConfig(**{**LAUNCH, **launch}),
        host="n1",
        clock=HostClock.set_now(),
    )
    return SimulatedSource(assignment, tmp_path)


def test_sensor_updates_on_its_own_schedule_and_not_at_the_polls() -> None:
    gpu = gpu_at()
    readings = [
        reading for t_us in (70_000, 140_000, 330_000) for reading in gpu.advance(t_us, 1.0)
    ]
    assert [t_us for t_us, _ in by_field(readings, "power_instant_w")] == [
        100_000,
        200_000,
        300_000,
    ]


def test_power_is_between_idle_and_the_limit_by_utilization() -> None:
    gpu = gpu_at()
    gpu.advance(70_000, 0.0)
    ((t_us, power_w),) = by_field(gpu.advance(170_000, 0.4), "power_instant_w")
    assert t_us == 100_000
    assert power_w == pytest.approx(50.0 + 250.0 * 0.4)


def test_instant_power_averages_only_the_sensor_s_window() -> None:
    # Idle up to 90 ms, full from there on: of the last 25 ms before 100 ms, 10 ms are full.
    gpu = gpu_at()
    gpu.advance(90_000, 0.0)
    ((_, power_w),) = by_field(gpu.advance(110_000, 1.0), "power_instant_w")
    assert power_w == pytest.approx((15 * 50.0 + 10 * 300.0) / 25)


def test_energy_counter_is_the_exact_integral_of_the_model() -> None:
    gpu = gpu_at()
    polls = [(90_000, 0.0), (210_000, 1.0), (333_000, 0.25), (500_000, 0.5)]
    readings = [reading for t_us, use in polls for reading in gpu.advance(t_us, use)]
    t_us, energy_j = by_field(readings, "energy_j")[-1]
    expected_j = 0.090 * 50 + 0.120 * 300 + 0.123 * 112.5 + 0.167 * 175
    assert t_us == 500_000
    assert energy_j == pytest.approx(expected_j)


def test_energy_counter_never_falls_over_an_hour_of_polls() -> None:
    gpu = gpu_at(kind="v100")
    energies = [
        energy_j
        for poll in range(1, 36_000)
        for _, energy_j in by_field(gpu.advance(poll * 100_000, poll % 7 / 7), "energy_j")[-1:]
        if energy_j is not None
    ]
    assert all(later > earlier for earlier, later in itertools.pairwise(energies))
    # The stretches that the window cannot reach any more are let go.
    assert len(gpu._ends_us) <= 3


def test_v100_s_sensor_gives_five_updates_in_a_tenth_of_a_second() -> None:
    assert len(by_field(gpu_at(kind="v100").advance(100_000, 1.0), "power_instant_w")) == 5


@pytest.mark.parametrize(
    ("requested_w", "in_force_w"),
    [(None, 300.0), (200.0, 200.0), (10.0, 150.0), (5000.0, 300.0)],
)
def test_power_cap_is_clamped_into_what_the_board_takes(
    requested_w: float | None, in_force_w: float
) -> None:
    assert A100.power_in_force_w(requested_w) == in_force_w


def test_requested_cap_and_clock_stand_beside_those_in_force(tmp_path: Path, spec: RunSpec) -> None:
    capped = dataclasses.replace(spec, power_cap_w=10.0, sm_clock_mhz=9999)
    (gpu,) = source_for(tmp_path, capped).describe().gpus
    assert (gpu["power_limit_requested_w"], gpu["power_limit_w"]) == (10.0, 150.0)
    assert (gpu["sm_clock_requested_mhz"], gpu["sm_clock_mhz"]) == (9999, 1410)


def test_gpus_stand_idle_before_any_rank_registers(tmp_path: Path, spec: RunSpec) -> None:
    two = dataclasses.replace(spec, gpus=2, gpus_per_node=2)
    readings = list(source_for(tmp_path, two).read())
    assert [value for _, value in by_field(readings, "gpu_utilization")] == [0.0, 0.0]
    assert {reading.device for reading in readings if reading.field == "power_limit_w"} == {
        "SIM-a100-n1-0",
        "SIM-a100-n1-1",
    }


def test_a_gpu_whose_rank_rests_is_idle_however_busy_the_machine_is(
    tmp_path: Path, spec: RunSpec
) -> None:
    run, attempt = make_attempt(tmp_path, spec={"gpus": 4, "gpus_per_node": 4})
    # More of them than there are cores: each works as long as it gets one.
    busy = [sys.executable, "-c", "while True: pass"]
    at_rest = [sys.executable, "-c", "import time; time.sleep(60)"]
    with contextlib.ExitStack() as stack:
        ranks = [subprocess.Popen(command) for command in (at_rest, busy, busy, busy)]
        for rank, process in enumerate(ranks):
            stack.callback(process.wait)
            stack.callback(process.kill)
            register_rank(attempt, rank, pid=process.pid)
        source = SimulatedSource(
            Assignment(
                attempt=attempt,
                spec=RunSpec.read(run.spec),
                launch=LaunchConfig(**LAUNCH),
                host="n1",
                clock=HostClock.set_now(),
            ),
            tmp_path,
        )
        # The interpreter at rest has been started by then.
        time.sleep(0.5)
        source.read()
        readings: list[Reading] = []
        for _ in range(8):
            time.sleep(0.1)
            readings += source.read()
        source.close()

    def mean_w(index: int) -> float:
        device = f"SIM-a100-n1-{index}"
        mine = [one for one in readings if (one.device, one.field) == (device, "power_instant_w")]
        return statistics.fmean(one.value for one in mine if one.value is not None)

    assert mean_w(0) == pytest.approx(A100.idle_w, rel=0.02)
    assert all(mean_w(index) > A100.idle_w * 1.05 for index in (1, 2, 3))


def test_description_says_simulated_and_states_every_constant(
    tmp_path: Path, spec: RunSpec
) -> None:
    description = source_for(tmp_path, spec).describe()
    assert description.simulated is True
    assert description.gpus[0]["name"].startswith("SIMULATED")
    stated = description.to_mapping()
    assert "simulated" in stated["model"]
    assert "does not slow the real work" in stated["model"]
    assert stated["constants"] == dataclasses.asdict(A100)
    assert stated["host_readings"]["simulated"] is False


def test_what_is_not_modelled_is_null_with_a_reason_once(tmp_path: Path, spec: RunSpec) -> None:
    source = source_for(tmp_path, spec)
    readings = [*source.read(), *source.read()]
    nulls = [
        reading for reading in readings if reading.device.startswith("SIM-") and reading.reason
    ]
    assert [null.field for null in nulls] == ["power_average_w", "gpu_memory_used_bytes"]
    assert all(null.value is None and "simulated" in str(null.reason) for null in nulls)


def test_readings_of_one_poll_come_by_time(tmp_path: Path, spec: RunSpec) -> None:
    source = source_for(tmp_path, spec)
    stamps = [reading.t_us for _ in range(30) for reading in source.read()]
    assert stamps == sorted(stamps)
    assert {reading.field for reading in source.read()} <= set(FIELDS)


@pytest.mark.parametrize("gpu", ["cpu", "a100", "simulated-unheard-of"])
def test_gpu_that_is_no_known_simulated_kind_is_refused(
    tmp_path: Path, spec: RunSpec, gpu: str
) -> None:
    with pytest.raises(ValueError, match=r"`gpu` must be one of simulated-v100.*but is") as caught:
        source_for(tmp_path, dataclasses.replace(spec, gpu=gpu))
    assert repr(gpu) in str(caught.value)


def test_order_names_its_source(tmp_path: Path, spec: RunSpec) -> None:
    _, attempt = make_attempt(tmp_path)
    for name in ("host", "simulated"):
        launch = LaunchConfig(**{**LAUNCH, "telemetry": name})
        assignment = Assignment(
            attempt=attempt, spec=spec, launch=launch, host="n1", clock=HostClock.set_now()
        )
        assert open_source(assignment).describe().name == name
