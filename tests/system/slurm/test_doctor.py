"""What doctor says of a real Slurm: one that answers, one that is stopped, one that is gone."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.system.slurm.site import Site


def doctor(cluster: Site, folder: Path, *before: str) -> tuple[int, dict[str, Any]]:
    """Exit code and findings by name, of a doctor that is started by the words before."""
    (folder / "torch.py").write_text('__version__ = "2.13.0"\nclass version:\n    cuda = None\n')
    words = [*before, sys.executable, "-m", "launcher.doctor", str(folder / "results")]
    done = subprocess.run(
        [*words, "--cluster", "devcluster", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={**cluster.environment, "PYTHONPATH": str(folder)},
        timeout=100,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert told["exit_code"] == done.returncode
    return done.returncode, {check["name"]: check for check in told["checks"]} | {"told": told}


@contextlib.contextmanager
def controller(site: Site, stop: signal.Signals) -> Iterator[None]:
    """Slurm's controller stopped or killed for a while."""
    pid = int((site.folder / "run" / "slurmctld.pid").read_text())
    os.kill(pid, stop)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        site.control(*site.up)


def test_a_site_that_answers_is_told_with_its_partitions_limits_and_books(
    cluster: Site, tmp_path: Path
) -> None:
    code, found = doctor(cluster, tmp_path)
    assert (code, found["told"]["stops"]) == (0, [])
    words = {
        "slurm-clients": "slurm",
        "slurm-controller": "is UP",
        "slurm-partition": "main: 4 nodes",
        "slurm-partitions": "small (4 nodes",
        "slurm-gres": "4 nodes of gpu:",
        "slurm-arrays": "MaxArraySize 10001",
        "slurm-end": "KillWait 5 sec",
        "slurm-accounting": "sacct answers",
        "slurm-association": "QOS normal",
    }
    for name, said in words.items():
        assert found[name]["standing"] == "there", found[name]
        assert said in found[name]["found"], name
    assert found["results-shared"]["standing"] == "could not be looked at"


def test_in_a_job_it_knows_that_it_is_on_a_node(cluster: Site, tmp_path: Path) -> None:
    code, found = doctor(cluster, tmp_path, "srun", "--nodes=1", "--gpus-per-node=1")
    assert code == 0
    assert found["told"]["job"] is not None
    assert found["told"]["host"].startswith("n")
    assert found["told"]["next"].startswith("python -m launcher experiment=proof")


@pytest.mark.parametrize("stop", [signal.SIGSTOP, signal.SIGKILL])
def test_a_controller_that_hangs_or_is_gone_stops_and_nothing_of_it_is_called_there(
    stop: signal.Signals, cluster: Site, tmp_path: Path
) -> None:
    with controller(cluster, stop):
        before_s = time.monotonic()
        code, found = doctor(cluster, tmp_path)
        # Torch's interpreter and the slowest of the clients side by side, on a busy machine.
        assert time.monotonic() - before_s < 60
    assert (code, found["told"]["stops"]) == (1, ["slurm-controller"])
    for name in ("slurm-settings", "slurm-partition"):
        assert found[name]["standing"] == "could not be looked at", found[name]
    assert found["results-writes"]["standing"] == "there"
