"""A job on this machine takes the GPUs that its caller may see, not the machine's first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.jobs.own_gpus import own_gpus
from launcher.jobs.shapes import JobShape
from launcher.jobs.submit import executor_of
from launcher.plan.cluster import Cluster
from tests.doubles.nvml.library import World, build

HERE = Cluster(
    name="local",
    executor="local",
    device="cuda",
    gpus_per_node=4,
    timeout_min=1,
    threads=None,
    core_gflops=None,
    slurm=None,
)


def seen() -> str | None:
    return os.environ.get("CUDA_VISIBLE_DEVICES")


@pytest.mark.parametrize(("named", "gpus", "taken"), [("1", 1, "1"), ("3,1", 2, "3,1")])
def test_a_local_job_sees_the_gpus_that_its_caller_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, gpus: int, taken: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    shape = JobShape(cluster=HERE, nodes=1, ranks_per_node=gpus)
    assert executor_of(tmp_path, shape, "test").submit(seen).results() == [taken] * gpus


def test_without_a_word_all_of_the_machine_are_the_callers() -> None:
    assert own_gpus({}, 2) is None


def test_names_are_turned_into_the_drivers_numbers(tmp_path: Path) -> None:
    world = World(tmp_path / "world", gpus=3)
    code = (
        "import os; from launcher.jobs.own_gpus import own_gpus;"
        "from telemetry.sources.nvml.present_boards import present_gpus;"
        "uuids = [gpu['uuid'] for gpu in present_gpus({})];"
        "print(own_gpus({'CUDA_VISIBLE_DEVICES': f'{uuids[2]},{uuids[0]}'}, 1))"
    )
    environment = {**os.environ, **world.environment}
    environment["LD_LIBRARY_PATH"] = str(build(tmp_path).parent)
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "(2,)"


@pytest.mark.parametrize("named", ["", "0", " "])
def test_fewer_than_the_job_has_ranks_are_refused_in_one_line(named: str) -> None:
    with pytest.raises(ValueError, match="`gpus_per_node` must be at most what") as refused:
        own_gpus({"CUDA_VISIBLE_DEVICES": named}, 2)
    assert f"but is 2 and {named!r} instead" in str(refused.value)
