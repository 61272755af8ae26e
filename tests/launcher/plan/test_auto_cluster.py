"""`cluster=auto` is settled by what the line can need, row by row, and says why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.config.command_line import read_points
from launcher.plan.auto_cluster import ClusterChooser
from tests.doubles.nvml.library import World, build


@pytest.fixture(params=["answers", "silent", "absent"])
def slurm(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A machine without a GPU whose Slurm answers, does not, or is not there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    if request.param != "absent":
        for name, status in (("sbatch", 0), ("sinfo", 0 if request.param == "answers" else 1)):
            (folder / name).write_text(f"#!/bin/sh\nexit {status}\n")
            (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return str(request.param)


def chosen(*words: str) -> tuple[str, str]:
    """The cluster of a line, and what is said of it."""
    chooser = ClusterChooser()
    points = read_points(words, chooser.choose)
    (said,) = chooser.said or [""]
    return points[0].config["cluster"]["name"], said


def test_a_large_model_goes_to_a_slurm_that_answers_and_to_no_other(slurm: str) -> None:
    cluster, said = chosen("model=7b,13b,65b", "gpus=1,8,32")
    assert (cluster, said) == {
        "answers": (
            "slurm",
            "cluster=slurm, as Slurm answers and this machine has no GPU for it; "
            "cluster=local is the other",
        ),
        "silent": (
            "local",
            "cluster=local, as sbatch is on the PATH, but Slurm does not answer; "
            "cluster=slurm is the other",
        ),
        "absent": (
            "local",
            "cluster=local, as no sbatch is on the PATH; cluster=slurm is the other",
        ),
    }[slurm]


@pytest.mark.parametrize(
    "words",
    [
        *((), ("model=nano,micro", "gpus=1,2,4", "repeats=3"), ("model=nano", "gpus=1")),
        *(("model=7b", "gpu=simulated-h100"), ("model=7b", "gpu=cpu"), ("cluster.device=cpu",)),
        ("model=7b", "cluster.executor=local"),
    ],
)
def test_what_needs_no_gpu_stays_on_this_machine(slurm: str, words: tuple[str, ...]) -> None:
    cluster, said = chosen(*words)
    assert cluster == "local"
    assert said.startswith("cluster=local, as ")


@pytest.mark.parametrize("word", ["cluster.slurm.partition=gpu", "cluster.executor=slurm"])
def test_a_key_of_slurm_s_asks_for_slurm(slurm: str, word: str) -> None:
    cluster, said = chosen("model=nano", word)
    assert cluster == "slurm"
    assert word.partition("=")[0] in said


def test_a_board_that_is_named_makes_a_tiny_model_need_a_node_with_it(slurm: str) -> None:
    assert chosen("model=nano", "gpu=h100")[0] == ("slurm" if slurm == "answers" else "local")


@pytest.mark.parametrize(
    ("words", "cluster"),
    [
        (("model=7b", "cluster=h200"), "h200"),
        (("model=7b", "cluster=local"), "local"),
        (("experiment=demo",), "local"),
        # Of each one point: where a grid runs is settled before it is composed.
        (
            ("experiment=figure4_watts", "dataset=gsm8k", "gpus=8", "batch_size=64"),
            "supercloud_v100",
        ),
        (("experiment=figure2_throughput", "model=7b", "dataset=gsm8k"), "supercloud_v100"),
    ],
)
def test_a_cluster_that_is_named_is_left_alone_and_nothing_is_said(
    slurm: str, words: tuple[str, ...], cluster: str
) -> None:
    assert chosen(*words) == (cluster, "")


@pytest.mark.parametrize(
    ("gpus", "said"),
    [
        ("1,2", "note: cluster=local, as this machine has 2 GPUs of its own"),
        ("1,8", "note: cluster=slurm, as Slurm answers and this machine has only 2 of 8 GPUs"),
    ],
)
def test_a_machine_with_gpus_of_its_own_and_a_slurm_takes_what_is_enough(
    tmp_path: Path, gpus: str, said: str
) -> None:
    library = build(tmp_path)
    world = World(tmp_path / "world", gpus=2)
    for name in ("sbatch", "sinfo"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 0\n")
        (tmp_path / name).chmod(0o755)
    environment = {
        **{name: os.environ[name] for name in os.environ if name != "CUDA_VISIBLE_DEVICES"},
        **{**world.environment, "LD_LIBRARY_PATH": str(library.parent), "COLUMNS": "200"},
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }
    words = ["-m", "model=7b", f"gpus={gpus}", "gpu=h200", "plan=true", "allow_dirty=true"]
    done = subprocess.run(
        [sys.executable, "-m", "launcher", *words, f"results={tmp_path / 'results'}"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert said in done.stdout, done.stderr
