"""`python -m launcher.doctor` as people and programs meet it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conftest import REPOSITORY
from tests.support.told import complaints

# A torch that is imported at once, and needs no GPU.
TORCH: Final = '__version__ = "2.13.0"\nclass version:\n    cuda = None\n    hip = None\n'
NOBODY: Final = 65534


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """What a process needs to see a machine without Slurm."""
    return machine_in(tmp_path)


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """An empty folder that every user may enter: TMPDIR may be this user's alone."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def machine_in(folder: Path) -> dict[str, str]:
    bin_folder, modules = folder / "bin", folder / "modules"
    bin_folder.mkdir()
    modules.mkdir()
    (modules / "torch.py").write_text(TORCH)
    (modules / "triton.py").write_text('__version__ = "3.7.1"')
    for name in ("git", "gcc"):
        if found := shutil.which(name):
            (bin_folder / name).symlink_to(found)
    return {
        "PATH": str(bin_folder),
        "PYTHONPATH": f"{modules}:{REPOSITORY}",
        "HOME": str(folder),
        "HF_HUB_OFFLINE": "1",
        "LANG": "C.UTF-8",
    }


def doctor(
    machine: Mapping[str, str], folder: Path, *words: str, **how: Any
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [how.pop("python", sys.executable), *how.pop("flags", ()), "-m", "launcher.doctor", *words],
        capture_output=True,
        text=True,
        check=False,
        env=dict(machine),
        cwd=folder,
        timeout=100,
        **how,
    )


def test_a_laptop_without_slurm_and_gpu_is_told_that_nothing_stops_a_measurement(
    machine: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    done = doctor(machine, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("nothing seen stops a measurement: ")
    assert "machine of cluster local" in done.stdout
    assert "[-] slurm " in done.stdout
    assert lines[-1].startswith("next: python -m launcher model=7b")
    assert [line for line in lines[:-1] if len(line) > 80 and " " in line.strip()] == []
    assert list(folder.iterdir()) == []


def test_what_is_missing_and_what_is_unseen_each_say_what_they_cost(
    machine: dict[str, str], tmp_path: Path
) -> None:
    done = doctor(machine, tmp_path, "--json")
    told = json.loads(done.stdout)
    assert complaints(done.stderr) == []
    for check in told["checks"]:
        lacks = check["standing"] in {"missing", "could not be looked at"}
        assert (check["costs"] is not None) is lacks, check
    assert told["schema"] == "joulegrid.doctor"
    assert {"version", "exit_code", "next", "stops", "checks"} <= set(told)
    assert (told["exit_code"], told["stops"]) == (0, [])
    assert len({check["name"] for check in told["checks"]}) == len(told["checks"]) > 25


def test_a_slurm_cluster_whose_controller_is_dead_is_told_with_whom_one_waits_for(
    machine: dict[str, str], tmp_path: Path
) -> None:
    for name in ("sbatch", "srun", "scontrol", "sinfo", "squeue", "sacct", "sacctmgr", "scancel"):
        script = tmp_path / "bin" / name
        script.write_text("#!/bin/sh\n/bin/sleep 2\necho no contact >&2\nexit 1\n")
        script.chmod(0o755)
    done = doctor(machine, tmp_path)
    assert done.returncode == 1
    assert "slurm-controller" in done.stdout.splitlines()[0]
    assert "looking at" in done.stderr
    assert "STOPS: No job can be queued." in done.stdout
    assert "then again: python -m launcher.doctor" in done.stdout.splitlines()[-1]


def test_strict_tells_what_could_not_be_looked_at_by_its_exit_code(
    machine: dict[str, str], tmp_path: Path
) -> None:
    # Without git nobody knows what the source tree is at.
    (tmp_path / "bin/git").unlink()
    assert doctor(machine, tmp_path).returncode == 0
    assert doctor(machine, tmp_path, "--strict").returncode == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cluster", "mars"], "`--cluster` must be one of"),
        (["bin/git"], "`RESULTS` must be a folder, or one to be made"),
        (["$SCRATCH"], "no shell has filled in"),
        (["--dcgm-address", "5555"], "`--dcgm-address` must be host:port"),
        (["--jsn"], "did you mean --json?"),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_code_2(
    words: list[str], said: str, machine: dict[str, str], tmp_path: Path
) -> None:
    done = doctor(machine, tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(complaints(done.stderr)) == 1
    assert said in done.stderr


def test_a_python_without_any_package_says_what_is_lacking(
    machine: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "modules/torch.py").write_text("raise ImportError(\"No module named 'torch'\")")
    # -S: no site-packages.
    done = doctor(machine, tmp_path, flags=("-S",))
    assert done.returncode == 1, done.stderr
    assert "packages, extra-launch, extra-work, torch" in " ".join(done.stdout.split())
    assert "pip install 'joulegrid[launch]'" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_python_that_is_too_old_is_told_in_one_line() -> None:
    code = (
        "import sys, runpy\nsys.version_info = (3, 9, 2)\n"
        "runpy.run_module('launcher.doctor', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("is 3.9.2")
    assert "doctor: Python must be 3.11 or newer" in done.stderr


def test_a_terminal_that_knows_ascii_alone_is_written_to(
    machine: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "größe"
    folder.mkdir()
    ascii_only = {**machine, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = doctor(ascii_only, tmp_path, "größe")
    assert done.returncode in {0, 1}, done.stderr
    assert "gr\\xf6\\xdfe" in done.stdout


def test_an_ordinary_user_is_told_of_a_folder_that_is_not_theirs(
    everybodys: Path,
) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    # The tests' own Python may lie where nobody but its owner looks.
    python = shutil.which("python3", path="/usr/bin")
    ask = [python or "none", "-c", "import sys; print(sys.version_info >= (3, 11))"]
    as_nobody: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    if python is None or not subprocess.run(
        ask, check=False, capture_output=True, cwd=everybodys, **as_nobody
    ).stdout.startswith(b"True"):
        pytest.skip("no Python 3.11 of the system's that everybody may run")
    for name in ("conf", "launcher", "telemetry", "workers"):
        shutil.copytree(REPOSITORY / name, everybodys / "public" / name)
    machine = machine_in(everybodys)
    machine["PYTHONPATH"] = f"{everybodys / 'modules'}:{everybodys / 'public'}"
    # A checkout under a mask of 077 is its owner's alone, and so are its copies.
    for folder, _, files in os.walk(everybodys):
        Path(folder).chmod(0o755)
        for name in files:
            if not (file := Path(folder, name)).is_symlink():
                file.chmod(0o644)
    (everybodys / "closed").mkdir(mode=0o700)
    done = doctor(machine, everybodys, "closed", "--json", python=python, **as_nobody)
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert told["exit_code"] == done.returncode == 1
    assert "results-writes" in told["stops"]
    (one,) = [each for each in told["checks"] if each["name"] == "results-writes"]
    assert one["found"].endswith("Permission denied")
