"""A real Slurm tells which board its nodes have, and which of several is meant must be said."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.told import complaints
from tests.system.slurm.conftest import PROGRAM
from tests.system.slurm.site import Site

GRID = ("-m", "cluster=slurm", "dataset=fixed", "model=7b,13b,65b", "gpus=1,2,4", "plan=true")


def plan(site: Site, results: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "launcher", f"results={results}", "allow_dirty=true", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**site.environment, "COLUMNS": "200"},
    )


@pytest.fixture
def typed() -> Iterator[Callable[[str], Site]]:
    """Makes a cluster of two nodes whose GPUs have those GRES types, node by node."""
    with tempfile.TemporaryDirectory(prefix="jg-") as folder:
        command = [sys.executable, str(PROGRAM), "--folder", folder]

        def make(types: str) -> Site:
            up = ("up", "2", "4", "--gpu-types", types)
            done = subprocess.run([*command, *up], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            return Site(folder=Path(folder), command=command, up=up)

        try:
            yield make
        finally:
            subprocess.run([*command, "down", "--purge"], capture_output=True, check=False)
            Path(folder).mkdir(exist_ok=True)


def test_the_user_s_own_line_needs_no_word_of_the_board(site: Site, tmp_path: Path) -> None:
    done = plan(site, tmp_path / "results", *GRID)
    assert done.returncode == 0, done.stderr
    assert "prompts on a100 for" in done.stdout
    assert "gpu=a100, as Slurm says gpu:a100:2 (a100) on 4 nodes of main" in done.stdout
    # Two GPUs a node: a point of four is on two.
    assert "4 on 2 nodes" in done.stdout


def test_nodes_with_two_kinds_of_board_are_listed(
    typed: Callable[[str], Site], tmp_path: Path
) -> None:
    site = typed("nvidia_h100_80gb_hbm3,tesla_v100")
    done = plan(site, tmp_path / "results", *GRID)
    assert done.returncode == 2
    assert "gpu:nvidia_h100_80gb_hbm3:4 (h100) on 1 node of main" in done.stderr
    assert "gpu:tesla_v100:4 (v100) on 1 node of main" in done.stderr
    assert len(complaints(done.stderr)) == 1
    named = plan(site, tmp_path / "results", *GRID, "gpu=v100")
    assert named.returncode == 0, named.stderr
    assert "cluster.slurm.gpu_type=tesla_v100 is asked for" in named.stdout
