"""The plain batch files really run."""

import subprocess
import sys
from pathlib import Path

import pytest

from launcher.campaign.provenance import source_state
from telemetry.record.paths import list_runs
from tests.conftest import REPOSITORY
from tests.support.words import last_words
from tests.system.slurm.site import POINT, Site

POINTS = tuple(word for word in POINT if not word.startswith(("cluster=", "allow_dirty=")))


def sbatch(cluster: Site, folder: Path, *words: str) -> str:
    """Submit from `folder` as the documentation says; the job's number."""
    done = subprocess.run(
        ["sbatch", "--parsable", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**cluster.environment, "JOULEGRID_PYTHON": sys.executable},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def wait_state(cluster: Site, job: str, *states: str) -> str:
    def state() -> str:
        return cluster.slurm("sacct", "-n", "-X", "-P", "-j", job, "-o", "State")

    cluster.wait(f"job {job} to be {states}", lambda: state() in states)
    return state()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clean clone of the project's last commit."""
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--shared", REPOSITORY, folder], check=True)
    return folder


def test_a_grid_on_one_node_is_merged_audited_and_reported_by_plain_batch_files_in_a_clean_clone(
    cluster: Site, clone: Path
) -> None:
    # Where neither the jobs' logs nor results of another name count as uncommitted changes.
    (clone / "slurm-7.out").write_text("of a job of the user's own")
    results = clone / "results here"
    grid = ["slurm/node.sbatch", f'results="{results}"', *last_words(*POINTS, "telemetry.idle_s=2")]
    node = sbatch(cluster, clone, *grid)
    words = (f"--dependency=afterany:{node}", "slurm/close.sbatch", str(results))
    close = sbatch(cluster, clone, *words)
    log = clone / f"joulegrid-node-{node}.log"
    assert wait_state(cluster, node, "COMPLETED", "FAILED") == "COMPLETED", log.read_text()
    log = clone / f"joulegrid-close-{close}.log"
    assert wait_state(cluster, close, "COMPLETED", "FAILED") == "COMPLETED", log.read_text()
    (run,) = list_runs(results)
    assert run.sealed() is not None
    assert (results / "report" / "index.html").is_file()
    assert source_state(clone)["changes"] == []


def test_closing_without_a_folder_fails_with_one_line(cluster: Site, tmp_path: Path) -> None:
    job = sbatch(cluster, tmp_path, str(REPOSITORY / "slurm" / "close.sbatch"))
    assert wait_state(cluster, job, "COMPLETED", "FAILED") == "FAILED"
    assert "`RESULTS` must be one folder" in (tmp_path / f"joulegrid-close-{job}.log").read_text()
