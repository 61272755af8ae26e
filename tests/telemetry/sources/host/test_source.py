"""What Linux tells about a node, its ranks and its CPU packages."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from telemetry.clock import HostClock
from telemetry.record.fields import FIELDS
from telemetry.record.files import read_json, write_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from telemetry.sources.base import Assignment, Reading
from telemetry.sources.host.powercap import Powercap
from telemetry.sources.host.source import HostSource, describe_platform
from tests.support.watched_attempts import LAUNCH, make_attempt, register_rank

BUSY = "while True: sum(range(10_000))"


def assign(attempt: AttemptPaths, spec: RunSpec) -> Assignment:
    return Assignment(
        attempt=attempt,
        spec=spec,
        launch=LaunchConfig(**LAUNCH),
        host="n1",
        clock=HostClock.set_now(),
    )


def of_field(readings: list[Reading], field: str) -> list[Reading]:
    return [reading for reading in readings if reading.field == field]


def make_zone(root: Path, key: str, name: str, energy_uj: int, range_uj: int = 1_000_000) -> Path:
    """A powercap zone as sysfs shows it."""
    folder = root / key
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    return folder


def test_host_s_memory_and_utilization_are_read_as_numbers_in_range(
    tmp_path: Path, spec: RunSpec
) -> None:
    _, attempt = make_attempt(tmp_path)
    source = HostSource(assign(attempt, spec), tmp_path)
    time.sleep(0.1)
    readings = list(source.read())
    (memory,) = of_field(readings, "memory_used_bytes")
    (busy,) = of_field(readings, "cpu_utilization")
    assert memory.value is not None
    assert 1e7 < memory.value < describe_platform()["memory_bytes"]
    assert busy.value is not None
    assert 0.0 <= busy.value <= 1.0


def test_cpus_and_memory_have_a_pace_of_their_own_and_power_that_of_the_order(
    tmp_path: Path, spec: RunSpec
) -> None:
    make_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    _, attempt = make_attempt(tmp_path)
    source = HostSource(assign(attempt, spec), tmp_path, least_us=60_000_000)
    first, second, last = list(source.read()), list(source.read()), list(source.finish())
    told = [len(of_field(readings, "memory_used_bytes")) for readings in (first, second, last)]
    assert told == [1, 0, 1]
    assert len(of_field(second, "zone_energy_j")) == 1
    periods_us = source.describe().periods_us
    assert periods_us["memory_used_bytes"] == 60_000_000
    assert periods_us["zone_energy_j"] == LAUNCH["period_ms"] * 1_000
    source.close()


def test_rank_is_read_from_its_registration_to_its_end(tmp_path: Path, spec: RunSpec) -> None:
    _, attempt = make_attempt(tmp_path)
    source = HostSource(assign(attempt, spec), tmp_path)
    source.read()
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    register_rank(attempt, 3, pid=process.pid)
    time.sleep(0.55)
    assert of_field(list(source.read()), "process_cpu_utilization") == []
    time.sleep(0.5)
    (use,) = of_field(list(source.read()), "process_cpu_utilization")
    assert use.device == "rank-00003"
    assert use.value is not None
    assert 0.1 < use.value < 1.1
    process.kill()
    process.wait()
    assert of_field(list(source.read()), "process_cpu_utilization") == []
    source.close()


def test_zombie_is_an_ended_rank(tmp_path: Path, spec: RunSpec) -> None:
    _, attempt = make_attempt(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    register_rank(attempt, 0, pid=process.pid)
    source = HostSource(assign(attempt, spec), tmp_path)
    source.read()
    process.kill()
    time.sleep(0.1)
    readings = list(source.read())
    process.wait()
    assert of_field(readings, "process_memory_bytes") == []
    source.close()


def test_utilization_is_a_share_of_the_rank_s_threads(tmp_path: Path, spec: RunSpec) -> None:
    _, attempt = make_attempt(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    register_rank(attempt, 0, pid=process.pid)
    write_json(attempt.rank(0), {**read_json(attempt.rank(0)), "threads": 10})
    source = HostSource(assign(attempt, spec), tmp_path)
    source.read()
    time.sleep(0.3)
    (use,) = of_field(list(source.read()), "process_cpu_utilization")
    process.kill()
    process.wait()
    assert use.value is not None
    assert 0.0 < use.value < 0.11
    source.close()


def test_rank_of_another_host_is_not_read(tmp_path: Path, spec: RunSpec) -> None:
    _, attempt = make_attempt(tmp_path)
    register_rank(attempt, 0, pid=os.getpid(), host="n2")
    source = HostSource(assign(attempt, spec), tmp_path)
    source.read()
    assert of_field(list(source.read()), "process_memory_bytes") == []


def test_registered_process_that_is_gone_is_null_with_its_reason_once(
    tmp_path: Path, spec: RunSpec
) -> None:
    _, attempt = make_attempt(tmp_path)
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    register_rank(attempt, 0, pid=gone.pid)
    source = HostSource(assign(attempt, spec), tmp_path)
    nulls = of_field([*source.read(), *source.read()], "process_memory_bytes")
    assert [null.value for null in nulls] == [None]
    assert "the process of this rank cannot be read: " in str(nulls[0].reason)


def test_registration_without_its_threads_costs_no_other_rank_its_readings(
    tmp_path: Path, spec: RunSpec
) -> None:
    _, attempt = make_attempt(tmp_path)
    register_rank(attempt, 0, pid=os.getpid())
    register_rank(attempt, 1, pid=os.getpid())
    broken = {key: value for key, value in read_json(attempt.rank(0)).items() if key != "threads"}
    write_json(attempt.rank(0), broken)
    source = HostSource(assign(attempt, spec), tmp_path)
    readings = of_field([*source.read(), *source.read()], "process_memory_bytes")
    source.close()
    assert [reading.device for reading in readings] == ["rank-00000", "rank-00001"]
    assert readings[0].reason == "its registration must have 'threads', but has not"


def test_process_younger_than_its_registration_is_not_taken_for_the_rank(
    tmp_path: Path, spec: RunSpec
) -> None:
    _, attempt = make_attempt(tmp_path)
    register_rank(attempt, 0, pid=os.getpid())
    write_json(attempt.rank(0), {**read_json(attempt.rank(0)), "started_us": 1_000_000})
    source = HostSource(assign(attempt, spec), tmp_path)
    (null,) = of_field(list(source.read()), "process_memory_bytes")
    assert "another process has its pid" in str(null.reason)


def test_packages_and_their_memory_are_read_and_nothing_twice(tmp_path: Path) -> None:
    make_zone(tmp_path, "intel-rapl:0", "package-0", 2_500_000)
    make_zone(tmp_path, "intel-rapl:0:0", "dram", 500_000)
    make_zone(tmp_path, "intel-rapl:0:1", "core", 1)
    make_zone(tmp_path, "intel-rapl:1", "psys", 1)
    make_zone(tmp_path, "intel-rapl-mmio:0", "package-0", 1)
    readings = Powercap(tmp_path).read(7)
    assert [(reading.device, reading.value) for reading in readings] == [
        ("package-0", 2.5),
        ("dram-0", 0.5),
    ]


def test_wrapped_energy_counter_goes_on_growing(tmp_path: Path) -> None:
    zone = make_zone(tmp_path, "intel-rapl:0", "package-0", 900_000)
    powercap = Powercap(tmp_path)
    seen = []
    for energy_uj in (900_000, 100_000, 950_000, 50_000):
        (zone / "energy_uj").write_text(str(energy_uj))
        seen += [reading.value for reading in powercap.read(1)]
    assert seen == [0.9, 1.1, 1.95, 2.05]


def test_absent_powercap_is_one_null_row_with_its_reason(tmp_path: Path) -> None:
    powercap = Powercap(tmp_path / "nowhere")
    (null,) = [*powercap.read(1), *powercap.read(2), *powercap.read(3)]
    assert (null.t_us, null.device, null.value) == (1, "package-0", None)
    assert "no package zone" in str(null.reason)


def test_zone_that_fails_is_null_until_it_is_back_and_null_again_when_it_fails_again(
    tmp_path: Path,
) -> None:
    zone = make_zone(tmp_path, "intel-rapl:0", "package-0", 1_000)
    powercap = Powercap(tmp_path)
    readings = [*powercap.read(1)]
    (zone / "energy_uj").unlink()
    readings += [*powercap.read(2), *powercap.read(3)]
    (zone / "energy_uj").write_text("5000")
    readings += powercap.read(4)
    (zone / "energy_uj").unlink()
    readings += powercap.read(5)
    assert [(reading.t_us, reading.value) for reading in readings] == [
        (1, 0.001),
        (2, None),
        (4, 0.005),
        (5, None),
    ]
    assert "intel-rapl:0 cannot be read: " in str(readings[1].reason)


def test_every_field_that_is_read_is_a_field_of_the_record(tmp_path: Path, spec: RunSpec) -> None:
    _, attempt = make_attempt(tmp_path)
    source = HostSource(assign(attempt, spec), tmp_path)
    assert set(source.describe().periods_us) <= set(FIELDS)
    assert {reading.field for reading in source.read()} <= set(FIELDS)


@pytest.mark.parametrize("key", ["cpu_model", "logical_cpus", "memory_bytes", "kernel"])
def test_platform_is_described(key: str) -> None:
    assert key in describe_platform()
