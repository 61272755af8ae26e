"""Prolog and epilog: one thing each, for jobs that have their node whole, and never a failure."""

import stat
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.system.slurm.site import Site

CLOSED, OPEN = 0o400, 0o444


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    """A package's energy counter as the kernel leaves it, and another file that is none."""
    for name in ("intel-rapl:0", "intel-rapl:0:0", "dtpm"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text("1")
        (tmp_path / name / "energy_uj").chmod(CLOSED)
    return tmp_path / "intel-rapl:0" / "energy_uj"


def run(site: Site, script: str, powercap: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(REPOSITORY / "slurm" / script), str(powercap)],
        capture_output=True,
        text=True,
        check=False,
        env={"SLURM_CONF": site.environment["SLURM_CONF"], **environment},
    )
    assert done.returncode == 0
    assert done.stdout == ""
    return done.stderr


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_counters_are_readable_while_a_job_has_its_node_whole(held: Site, counter: Path) -> None:
    powercap = counter.parent.parent
    job = held.slurm("sbatch", "--parsable", "--exclusive", "--array=0-1", "--wrap=true")
    assert run(held, "prolog.sh", powercap, SLURM_JOB_ID=job) == ""
    assert mode(counter) == OPEN
    assert mode(powercap / "intel-rapl:0:0" / "energy_uj") == OPEN
    assert mode(powercap / "dtpm" / "energy_uj") == CLOSED
    assert run(held, "epilog.sh", powercap) == ""
    assert mode(counter) == CLOSED


@pytest.mark.parametrize("job_id", ["", "1; touch pwned", "$(touch pwned)", "-1", "999999"])
def test_what_is_no_job_of_slurm_s_opens_nothing(
    held: Site, counter: Path, tmp_path: Path, job_id: str
) -> None:
    assert run(held, "prolog.sh", counter.parent.parent, SLURM_JOB_ID=job_id)
    assert mode(counter) == CLOSED
    assert not list(tmp_path.glob("pwned"))


def test_a_job_that_shares_its_node_opens_nothing(held: Site, counter: Path) -> None:
    job = held.slurm("sbatch", "--parsable", "--wrap=true")
    said = run(held, "prolog.sh", counter.parent.parent, SLURM_JOB_ID=job)
    assert f"job {job} shares its node" in said
    assert mode(counter) == CLOSED


@pytest.mark.parametrize("word", ["--comment", "--job-name"])
def test_a_user_s_words_cannot_say_that_a_node_is_lent_whole(
    held: Site, counter: Path, word: str
) -> None:
    forged = "x OverSubscribe=NO y"
    job = held.slurm("sbatch", "--parsable", f"{word}={forged}", "--wrap=true")
    assert " OverSubscribe=NO " in held.slurm("scontrol", "--oneliner", "show", "job", job)
    said = run(held, "prolog.sh", counter.parent.parent, SLURM_JOB_ID=job)
    assert f"job {job} shares its node" in said
    assert mode(counter) == CLOSED
