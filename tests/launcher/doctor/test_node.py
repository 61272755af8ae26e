"""The node's own meters, its clock and its limits, from trees and words as Linux has them."""

import dataclasses
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from launcher.doctor import process_limits
from launcher.doctor.clock_sync import clock, kernel_clock
from launcher.doctor.host_sensors import cpu_energy, node_power, rails
from launcher.doctor.observation import Standing
from launcher.doctor.situation import Situation, settle
from tests.conftest import REPOSITORY

MIB = 1 << 20


@pytest.fixture
def here(tmp_path: Path) -> Situation:
    return settle("local", "results", {"PATH": ""}, tmp_path)


def zone(root: Path, *, readable: bool = True) -> None:
    folder = root / "intel-rapl:0"
    folder.mkdir(parents=True)
    (folder / "name").write_text("package-0\n")
    (folder / "max_energy_range_uj").write_text("262143328850")
    if readable:
        (folder / "energy_uj").write_text("123456")
    else:
        # Root reads what has no rights: a folder in its place refuses it, too.
        (folder / "energy_uj").mkdir()


def test_counters_of_cpus_that_are_readable_are_named(tmp_path: Path) -> None:
    zone(tmp_path)
    (one,) = cpu_energy(tmp_path)
    assert (one.standing, one.found) == (Standing.THERE, "readable: package-0")


def test_counters_that_are_hidden_or_not_there_cost_the_cpu_s_energy_alone(tmp_path: Path) -> None:
    (absent,) = cpu_energy(tmp_path)
    zone(tmp_path, readable=False)
    (hidden,) = cpu_energy(tmp_path)
    assert "intel-rapl:0 cannot be read" in hidden.found
    assert "prolog" in str(hidden.remedy)
    for one in (absent, hidden):
        assert (one.standing, one.stops) == (Standing.MISSING, False)
        assert one.costs == "CPU package energy is null; GPU energy stands."


def test_rails_are_read_and_a_dead_one_is_told(tmp_path: Path) -> None:
    (absent,) = rails(tmp_path)
    assert absent.standing is Standing.MISSING
    monitor = tmp_path / "hwmon0"
    monitor.mkdir()
    (monitor / "name").write_text("acpi_power")
    (monitor / "power1_average").write_text("250000000")
    assert rails(tmp_path)[0].standing is Standing.THERE
    (monitor / "power1_average").write_text("n/a")
    (dead,) = rails(tmp_path)
    assert (dead.standing, dead.found[:16]) == (Standing.MISSING, "1 of 1 sensors: ")


def test_a_node_without_a_service_processor_says_so() -> None:
    if Path("/dev/ipmi0").exists():
        pytest.skip("this machine has one")
    (one,) = node_power()
    assert one.standing is Standing.MISSING
    assert "/dev/ipmi0" in one.found


def words(**said: str) -> Callable[[Sequence[str]], str | None]:
    return lambda command: said.get(command[0])


def refuses() -> tuple[bool, int]:
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize(
    ("kernel", "said", "standing"),
    [
        (lambda: (True, 1500), {}, Standing.THERE),
        (lambda: (False, 16_000_000), {}, Standing.MISSING),
        (lambda: (False, 1), {"chronyc": "Leap status     : Normal\n"}, Standing.THERE),
        (lambda: (False, 1), {"chronyc": "Leap status     : Not synchronised"}, Standing.MISSING),
        (lambda: (False, 1), {"timedatectl": "yes\n"}, Standing.THERE),
        (lambda: (False, 1), {"timedatectl": "no\n"}, Standing.MISSING),
        (refuses, {}, Standing.UNSEEN),
        (refuses, {"timedatectl": "no"}, Standing.MISSING),
        (refuses, {"chronyc": "Leap status     : Insert second"}, Standing.THERE),
    ],
)
def test_a_clock_is_in_step_where_anybody_who_keeps_it_says_so(
    kernel: Callable[[], tuple[bool, int]], said: dict[str, str], standing: Standing
) -> None:
    (one,) = clock(kernel, words(**said))
    assert one.standing is standing
    assert "measured in each job" in one.found


def test_the_kernel_tells_of_its_own_clock() -> None:
    synchronised, most_us = kernel_clock()
    assert isinstance(synchronised, bool)
    assert most_us >= 0


def groups(root: Path, version: int, path: str, **files: str) -> None:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text("MemTotal: 64000000 kB\nMemAvailable:   32000000 kB\n")
    line = f"0::{path}" if version == 2 else f"3:cpu,cpuacct:{path}\n2:memory:{path}"
    (root / "proc/self/cgroup").write_text(line + "\n")
    for name, text in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.mark.parametrize(
    ("version", "path", "files", "quota"),
    [
        (2, "/", {"cpu.max": "50000 100000"}, 0.5),
        (2, "/a/b", {"a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000"}, 1.5),
        # The path is the host's, and the container sees its own group as the root.
        (2, "/docker/0123", {"cpu.max": "200000 100000"}, 2.0),
        (2, "/", {"cpu.max": "max 100000"}, None),
        (1, "/x", {"cpu,cpuacct/x/cpu.cfs_quota_us": "250000"}, None),
        (
            1,
            "/x",
            {"cpu/cpu.cfs_quota_us": "250000", "cpu/cpu.cfs_period_us": "100000"},
            2.5,
        ),
        (1, "/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    ],
)
def test_a_quota_of_cores_is_the_least_of_all_groups_above(
    version: int, path: str, files: dict[str, str], quota: float | None, tmp_path: Path
) -> None:
    groups(tmp_path, version, path, **files)
    assert process_limits.cpu_quota(tmp_path) == quota


def test_a_quota_below_the_cores_is_told_with_both(tmp_path: Path) -> None:
    groups(tmp_path, 2, "/", **{"cpu.max": "50000 100000"})
    (one,) = process_limits.cores(tmp_path)
    assert one.standing is Standing.MISSING
    assert f"{len(os.sched_getaffinity(0))} of" in one.found
    assert "a quota of 0.5 cores' time" in one.found


def test_a_container_s_memory_counts_before_the_machine_s(tmp_path: Path) -> None:
    groups(tmp_path, 2, "/", **{"memory.max": str(1 << 30)})
    (one,) = process_limits.memory(tmp_path)
    assert one.standing is Standing.MISSING
    assert "30.5 GiB available, a limit of 1.0 GiB" in one.found
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("max\n")
    assert process_limits.memory(tmp_path)[0].standing is Standing.THERE


def test_cgroup_v1_s_word_for_no_limit_is_none(tmp_path: Path) -> None:
    groups(tmp_path, 1, "/", **{"memory/memory.limit_in_bytes": "9223372036854771712"})
    assert process_limits.memory_limit(tmp_path) is None


@pytest.mark.parametrize(
    ("mask", "standing", "words"),
    [
        ("0022", Standing.THERE, "their owner and group"),
        ("0077", Standing.THERE, "nobody else"),
        ("0777", Standing.MISSING, "0777"),
    ],
)
def test_a_umask_tells_who_may_read_the_records(
    mask: str, standing: Standing, words: str, tmp_path: Path
) -> None:
    (tmp_path / "status").write_text(f"Name: python\nUmask:\t{mask}\n")
    (one,) = process_limits.umask(tmp_path / "status")
    assert (one.standing, one.stops) == (standing, standing is Standing.MISSING)
    assert words in one.found


def test_limits_of_the_shell_are_told_as_they_are_in_a_process(here: Situation) -> None:
    code = (
        "import resource, tempfile, pathlib\n"
        "from launcher.doctor.process_limits import limits\n"
        "from launcher.doctor.situation import settle\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (3600, 3600))\n"
        "folder = pathlib.Path(tempfile.gettempdir())\n"
        "for one in limits(settle('local', 'r', {'PATH': ''}), folder):\n"
        "    print(one.name, one.standing.box, one.found)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.splitlines() == [
        "open-files [ ] 256 open files",
        "locked-memory [ ] 64 KiB locked memory",
        "cpu-time [ ] CPU time of a process 3600 s",
    ]


def test_without_infiniband_locked_memory_does_not_apply(here: Situation, tmp_path: Path) -> None:
    found = {one.name: one for one in process_limits.limits(here, tmp_path / "none")}
    assert found["locked-memory"].standing is Standing.ELSEWHERE


def test_on_a_login_node_cpu_time_is_told_and_no_fault(here: Situation, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    login = dataclasses.replace(here, executor="slurm")
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (100_000, hard))
        found = {one.name: one for one in process_limits.limits(login, tmp_path / "none")}
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
    assert found["cpu-time"].standing is Standing.THERE


def test_names_of_files_in_ascii_are_told_and_stop_nothing() -> None:
    (one,) = process_limits.encoding("ascii")
    assert (one.standing, one.stops) == (Standing.MISSING, False)
    assert process_limits.encoding("utf-8")[0].standing is Standing.THERE
