"""The plain batch files really run."""

import subprocess
import sys
from pathlib import Path

from telemetry.record.paths import list_runs
from tests.conftest import REPOSITORY
from tests.system.slurm.site import POINT, Site

POINTS = tuple(word for word in POINT if not word.startswith("cluster="))


def sbatch(cluster: Site, folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["sbatch", "--parsable", f"--chdir={REPOSITORY}", f"--output={folder}/%j.log", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**cluster.environment, "JOULEGRID_PYTHON": sys.executable},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def wait_state(cluster: Site, job: str, *states: str) -> str:
    def state() -> str:
        return cluster.slurm("sacct", "-n", "-X", "-P", "-j", job, "-o", "State")

    cluster.wait(f"job {job} to be {states}", lambda: state() in states)
    return state()


def test_a_grid_on_one_node_is_merged_audited_and_reported_by_plain_batch_files(
    cluster: Site, tmp_path: Path
) -> None:
    results = tmp_path / "results here"
    quoted = f'results="{results}"'
    grid = [str(REPOSITORY / "slurm" / "node.sbatch"), quoted, *POINTS, "telemetry.idle_s=2"]
    node = sbatch(cluster, tmp_path, *grid)
    script = str(REPOSITORY / "slurm" / "close.sbatch")
    close = sbatch(cluster, tmp_path, f"--dependency=afterany:{node}", script, str(results))
    log = tmp_path / f"{node}.log"
    assert wait_state(cluster, node, "COMPLETED", "FAILED") == "COMPLETED", log.read_text()
    log = tmp_path / f"{close}.log"
    assert wait_state(cluster, close, "COMPLETED", "FAILED") == "COMPLETED", log.read_text()
    (run,) = list_runs(results)
    assert run.sealed() is not None
    assert (results / "report" / "index.html").is_file()


def test_closing_without_a_folder_fails_with_one_line(cluster: Site, tmp_path: Path) -> None:
    job = sbatch(cluster, tmp_path, str(REPOSITORY / "slurm" / "close.sbatch"))
    assert wait_state(cluster, job, "COMPLETED", "FAILED") == "FAILED"
    assert "`RESULTS` must be one folder" in (tmp_path / f"{job}.log").read_text()
