"""What counts as an uncommitted change, and what a documented command leaves that does not."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.campaign import attempt
from launcher.campaign.provenance import source_state
from launcher.plan import git_silence
from tests.conftest import REPOSITORY


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clean checkout that has what the project tells git to leave alone."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("a: 1\n")
    (tmp_path / ".gitignore").write_text((REPOSITORY / ".gitignore").read_text())
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=first")
    return tmp_path


def logs() -> Iterator[str]:
    """Names of the logs that the batch files and Slurm itself leave where sbatch was typed."""
    for path in sorted((REPOSITORY / "slurm").glob("*.sbatch")):
        (line,) = [row for row in path.read_text().splitlines() if "--output=" in row]
        yield line.partition("--output=")[2].replace("%j", "7")
    yield from ("slurm-7.out", "slurm-7_0.out")


@pytest.mark.parametrize("name", list(logs()))
@pytest.mark.parametrize("folder", [".", "conf"])
def test_a_job_s_log_is_no_uncommitted_change(project: Path, name: str, folder: str) -> None:
    (project / folder / name).write_text("said")
    assert source_state(project)["dirty"] is False


@pytest.mark.parametrize("name", ["conf/mysite.yaml", "slurm.out", "joulegrid-node.log.py"])
def test_any_other_file_is_one(project: Path, name: str) -> None:
    (project / name).write_text("b: 2\n")
    assert source_state(project)["dirty"] is True


def test_a_results_folder_in_the_project_is_none_whatever_its_name(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_silence, "_PROJECT", project)
    attempt.open_results(project / "my sweep" / "one")
    (project / "my sweep" / "one" / "report.csv").write_text("1")
    assert source_state(project)["dirty"] is False


def test_a_results_folder_elsewhere_is_left_as_it_is(tmp_path: Path) -> None:
    attempt.open_results(tmp_path / "results")
    assert list((tmp_path / "results").iterdir()) == []
