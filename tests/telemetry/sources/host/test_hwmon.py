"""Power of rails and of the node where there are meters for it, null with reason elsewhere."""

import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from telemetry.clock import HostClock
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from telemetry.sources.background import BackgroundPoller
from telemetry.sources.base import Assignment, Reading
from telemetry.sources.host.dcmi import Dcmi
from telemetry.sources.host.hwmon import Hwmon, find_rails
from telemetry.sources.host.powercap import Powercap
from telemetry.sources.host.source import HostSource
from tests.support.watched_attempts import LAUNCH, make_attempt
from tests.telemetry.sources.host.test_source import make_zone

CLOCK = HostClock.set_now()

ANSWER = """
    Instantaneous power reading:                   438 Watts
    Minimum during sampling period:                 22 Watts
    Maximum during sampling period:                612 Watts
    Average power reading over sample period:      431 Watts
    IPMI timestamp:                           Thu Nov 20 10:00:00 2025
    Sampling period:                          00000001 Seconds.
    Power reading state is:                   activated
"""


def make_monitor(root: Path, number: int, name: str, **files: str) -> Path:
    """A monitor as sysfs shows it."""
    folder = root / f"hwmon{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    for file, text in files.items():
        (folder / file).write_text(f"{text}\n")
    return folder


def make_tool(folder: Path, text: str, code: int = 0) -> tuple[str, Path]:
    """A program that answers as ipmitool would, and the device that it would open."""
    tool = folder / "ipmitool"
    tool.write_text(
        f"#!/bin/sh\ntest \"$*\" = 'dcmi power reading' || exit 9\n{text}\nexit {code}\n"
    )
    tool.chmod(0o755)
    device = folder / "ipmi0"
    device.touch()
    return str(tool), device


def wait_for(found: Callable[[], list[Reading]], seconds: float = 5.0) -> list[Reading]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if readings := found():
            return readings
        time.sleep(0.01)
    return []


def test_grace_s_sockets_are_read_under_their_own_names(tmp_path: Path) -> None:
    for number, label in enumerate(("Module Power Socket 0", "CPU Power Socket 0")):
        monitor = make_monitor(tmp_path, number, "power_meter")
        device = monitor / "device"
        device.mkdir()
        (device / "power1_average").write_text(f"{(number + 1) * 123_000_000}\n")
        (device / "power1_average_interval").write_text("50\n")
        (device / "power1_oem_info").write_text(f"{label}\n")
    hwmon = Hwmon(tmp_path, CLOCK)
    assert [(reading.device, reading.value) for reading in hwmon.read()] == [
        ("module-power-socket-0", 123.0),
        ("cpu-power-socket-0", 246.0),
    ]
    assert [rail.interval_us for rail in hwmon.rails] == [50_000, 50_000]


def test_average_is_taken_before_an_instant_and_labels_name_a_sensor(tmp_path: Path) -> None:
    files = {"power1_input": "7000000", "power1_average": "5000000", "power2_input": "9000000"}
    make_monitor(tmp_path, 0, "xgene", **files, power1_label="CPU power", power2_label="I/O power")
    readings = Hwmon(tmp_path, CLOCK).read()
    assert [(reading.device, reading.value) for reading in readings] == [
        ("cpu-power", 5.0),
        ("i-o-power", 9.0),
    ]


def test_two_sensors_of_one_name_keep_two_names(tmp_path: Path) -> None:
    make_monitor(tmp_path, 2, "power_meter", power1_average="2000000")
    make_monitor(tmp_path, 10, "power_meter", power1_average="1000000")
    assert [rail.device for rail in find_rails(tmp_path)] == [
        "power-meter-power1",
        "power-meter-power1-2",
    ]


def test_gpu_s_own_monitor_is_left_to_the_gpu_s_readings(tmp_path: Path) -> None:
    make_monitor(tmp_path, 0, "amdgpu", power1_average="200000000")
    assert find_rails(tmp_path) == []


def test_node_without_a_monitor_is_null_once_with_the_reason(tmp_path: Path) -> None:
    hwmon = Hwmon(tmp_path / "nowhere", CLOCK)
    (null,) = [*hwmon.read(), *hwmon.read()]
    assert (null.device, null.field, null.value) == ("host", "zone_power_w", None)
    assert "no power sensor under" in str(null.reason)


def test_sensor_that_fails_is_null_until_it_answers_again(tmp_path: Path) -> None:
    monitor = make_monitor(tmp_path, 0, "power_meter", power1_average="1000000")
    hwmon = Hwmon(tmp_path, CLOCK)
    values = [reading.value for reading in hwmon.read()]
    (monitor / "power1_average").write_text("not a number")
    values += [reading.value for reading in (*hwmon.read(), *hwmon.read())]
    (monitor / "power1_average").write_text("3000000")
    values += [reading.value for reading in hwmon.read()]
    assert values == [1.0, None, 3.0]


def test_service_processor_s_power_is_read(tmp_path: Path) -> None:
    tool, device = make_tool(tmp_path, f"cat <<'END'{ANSWER}END")
    (reading,) = Dcmi(CLOCK, tool=tool, devices=[device]).read()
    assert (reading.device, reading.field, reading.value) == ("host", "node_power_w", 438.0)


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("echo 'Could not open device' >&2", 1, "ipmitool failed: Could not open device"),
        ("echo nothing", 0, "ipmitool told no instantaneous power reading"),
        (
            "echo 'Instantaneous power reading: 0 Watts'\n"
            "echo 'Power reading state is: deactivated'",
            0,
            "the service processor's power reading is deactivated",
        ),
    ],
)
def test_service_processor_that_does_not_tell_is_null_with_the_reason(
    tmp_path: Path, text: str, code: int, reason: str
) -> None:
    tool, device = make_tool(tmp_path, text, code)
    dcmi = Dcmi(CLOCK, tool=tool, devices=[device])
    (null,) = [*dcmi.read(), *dcmi.read()]
    assert (null.value, null.reason) == (None, reason)


def test_service_processor_that_hangs_is_null_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telemetry.sources.host.dcmi._PATIENCE_S", 0.2)
    tool, device = make_tool(tmp_path, "exec sleep 30")
    (null,) = Dcmi(CLOCK, tool=tool, devices=[device]).read()
    assert null.reason == "ipmitool did not answer in 0.2 s"


def test_node_without_a_service_processor_or_its_tool_says_so(tmp_path: Path) -> None:
    (null,) = Dcmi(CLOCK, devices=[tmp_path / "ipmi0"]).read()
    assert "no service processor" in str(null.reason)
    (tmp_path / "ipmi0").touch()
    absent = Dcmi(CLOCK, tool="no-such-ipmitool", devices=[tmp_path / "ipmi0"])
    assert absent.missing == "no-such-ipmitool is not installed"


def test_slow_sensor_holds_no_other_reading_up(tmp_path: Path, spec: RunSpec) -> None:
    tool, device = make_tool(tmp_path, f"sleep 0.7; cat <<'END'{ANSWER}END")
    _, attempt = make_attempt(tmp_path / "results")
    assignment = Assignment(
        attempt=attempt, spec=spec, launch=LaunchConfig(**LAUNCH), host="n1", clock=CLOCK
    )
    source = HostSource(
        assignment,
        tmp_path,
        hwmon_root=tmp_path,
        dcmi=Dcmi(CLOCK, tool=tool, devices=[device]),
    )
    start_s = time.monotonic()
    readings = list(source.read())
    assert time.monotonic() - start_s < 0.3
    assert [reading for reading in readings if reading.field == "node_power_w"] == []
    late = wait_for(lambda: [one for one in source.read() if one.field == "node_power_w"])
    source.close()
    assert [reading.value for reading in late] == [438.0]


def test_aside_polls_at_its_period_and_ends_when_told() -> None:
    calls: list[float] = []

    def poll() -> list[Reading]:
        calls.append(time.monotonic())
        return []

    aside = BackgroundPoller("test", CLOCK, 50_000, poll)
    end_s = time.monotonic() + 5.0
    while len(calls) < 10 and time.monotonic() < end_s:
        time.sleep(0.01)
    aside.close()
    polls = list(calls)
    gaps_s = [after - before for before, after in pairwise(polls)]
    # A busy machine holds up single polls, and none is made up for.
    assert statistics.median(gaps_s) == pytest.approx(0.05, abs=0.02)
    assert len(polls) <= (polls[-1] - polls[0]) / 0.05 + 2
    time.sleep(0.2)
    # One may have been under way.
    assert len(calls) <= len(polls) + 1


def test_counter_that_fell_by_more_than_a_wrap_explains_is_null_and_goes_on(
    tmp_path: Path,
) -> None:
    zone = make_zone(tmp_path, "intel-rapl:0", "package-0", 200_000_000, range_uj=262_143_000_000)
    powercap = Powercap(tmp_path)
    readings = [*powercap.read(1_000_000)]
    for second, energy_uj in ((2, 5_000_000), (3, 15_000_000)):
        (zone / "energy_uj").write_text(str(energy_uj))
        readings += powercap.read(second * 1_000_000)
    assert [reading.value for reading in readings] == [200.0, None, 215.0]
    assert "the counter began anew, from 200000000 uJ to 5000000 uJ" in str(readings[1].reason)
