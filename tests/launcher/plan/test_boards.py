"""`gpu=auto` is the board that the driver names; whoever names one is not asked again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.command import ExitCode
from tests.doubles.nvml.library import World, build
from tests.support.words import last_words

pytestmark = pytest.mark.grids


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


def plan(
    tmp_path: Path, library: Path | None, *words: str, product: str = "NVIDIA H200", **more: str
) -> subprocess.CompletedProcess[str]:
    """`python -m launcher plan=true`, on a node with two boards where `library` is given."""
    environment = {**os.environ, "COLUMNS": "160", **more}
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    if library is not None:
        world = World(tmp_path / "world", gpus=2, product=product)
        environment |= {**world.environment, "LD_LIBRARY_PATH": str(library.parent)}
    cluster = [] if any(word.startswith("cluster=") for word in words) else ["cluster=local"]
    command = [sys.executable, "-m", "launcher", "plan=true", *cluster, "prompts=4"]
    return subprocess.run(
        [*command[:3], *last_words(*command[3:], f"results={tmp_path / 'results'}", *words)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def test_the_board_of_the_node_is_taken_without_being_named(tmp_path: Path, library: Path) -> None:
    done = plan(tmp_path, library)
    assert done.returncode == 0, done.stderr
    assert " on h200 for" in done.stdout


def test_a_point_has_no_more_gpus_than_this_node(tmp_path: Path, library: Path) -> None:
    done = plan(tmp_path, library, "-m", "dataset=fixed", "model=7b", "gpus=1,2,4")
    assert "plan: 2 run, 1 illegal" in done.stdout
    assert "`gpus` must be at most 2, the GPUs of this node, but is 4 instead" in done.stdout


def test_a_site_s_file_of_larger_nodes_is_held_to_this_node(tmp_path: Path, library: Path) -> None:
    words = ("cluster=h200", "cluster.executor=local", "dataset=fixed", "model=7b", "gpus=2,8")
    done = plan(tmp_path, library, *words)
    assert "`gpus` must be at most 2, the GPUs of this node, but is 8 instead" in done.stdout


def test_all_gpus_of_this_node_are_those_its_driver_names(tmp_path: Path, library: Path) -> None:
    done = plan(tmp_path, library, "experiment=proof")
    assert "gpus=2 where it is auto" in " ".join(done.stdout.split())


def test_without_a_gpu_the_same_line_simulates_and_says_so(tmp_path: Path) -> None:
    done = plan(tmp_path, None)
    assert done.returncode == 0, done.stderr
    assert " on simulated-a100 for" in done.stdout


def test_a_board_that_no_row_knows_runs_under_the_name_its_driver_gives(
    tmp_path: Path, library: Path
) -> None:
    done = plan(tmp_path, library, product="NVIDIA H300 PCIe")
    assert done.returncode == 0, done.stderr
    assert " on nvidia-h300-pcie for" in done.stdout
    named = plan(tmp_path, library, "gpu=nvidia-h300-pcie", product="NVIDIA H300 PCIe")
    assert " on nvidia-h300-pcie for" in named.stdout


def test_a_board_that_no_row_knows_is_held_to_the_memory_its_driver_tells(
    tmp_path: Path, library: Path
) -> None:
    done = plan(tmp_path, library, "model=65b", "dtype=fp32", product="NVIDIA H300 PCIe")
    assert done.returncode == ExitCode.NOTHING_DONE, done.stderr
    assert "NVIDIA H300 PCIe" in " ".join(done.stdout.split())
    assert "has room for" in " ".join(done.stdout.split())


def test_on_a_node_with_gpus_a_simulated_one_and_none_can_still_be_asked_for(
    tmp_path: Path, library: Path
) -> None:
    done = plan(tmp_path, library, "gpu=cpu,simulated-v100")
    assert done.returncode == 0, done.stderr
    assert " 1 cpu " in done.stdout
    assert " 1 simulated-v100 " in done.stdout


def test_a_batch_system_s_boards_cannot_be_asked_from_here(tmp_path: Path) -> None:
    done = plan(tmp_path, None, "cluster=slurm", "gpu=auto", "dataset=fixed")
    assert done.returncode == 2
    assert "`gpu` must name the nodes' board on cluster slurm" in done.stderr


def test_a_board_that_is_not_here_and_in_no_row_is_refused(tmp_path: Path, library: Path) -> None:
    done = plan(tmp_path, library, "gpu=nvidia-h300-pcie")
    assert done.returncode == 2
    assert "`gpu` must be auto, cpu, a board's name" in done.stderr


def test_a_board_that_this_node_does_not_have_is_refused_with_the_one_it_has(
    tmp_path: Path, library: Path
) -> None:
    done = plan(tmp_path, library, "gpu=a100")
    assert done.returncode == 2
    assert "but is a100 instead: this node has h200" in " ".join(done.stderr.split())


def test_a_driver_that_fails_is_no_machine_without_a_gpu(tmp_path: Path, library: Path) -> None:
    world = World(tmp_path / "world", gpus=2)
    environment = {**os.environ, **world.environment, "LD_LIBRARY_PATH": str(library.parent)}
    command = [sys.executable, "-m", "launcher", "plan=true", "cluster=local"]
    done = subprocess.run(
        [*command, f"results={tmp_path / 'results'}"],
        capture_output=True,
        text=True,
        env={**environment, "CUDA_VISIBLE_DEVICES": "7"},
        check=False,
    )
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "`gpu` must be cpu or simulated- here, or the driver must name it" in said
    assert "names 7" in said
