"""A job that Slurm starts again, and one whose last word the disk does not take."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.jobs.job import RecordedEnd, was_over
from launcher.jobs.permissions import close_to_others
from launcher.slurm.ends import DISK_EXIT_CODE
from telemetry.record.attempt_state import record_end
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import EndState


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptPaths:
    made = AttemptPaths(folder=tmp_path / "run" / "attempt-001")
    made.folder.mkdir(parents=True)
    write_json(made.submitted, {"job_id": "8_1", "folder": str(tmp_path)})
    return made


def started(attempt: AttemptPaths, restarts: str | None = None) -> None:
    slurm = {"job_id": "8"} | ({} if restarts is None else {"restarts": restarts})
    write_json(attempt.started, {"t_us": 1, "slurm": slurm})


@pytest.mark.parametrize("rank", [0, 1])
def test_a_first_run_is_not_over(attempt: AttemptPaths, rank: int) -> None:
    assert not was_over(attempt, rank)


def test_a_job_that_never_came_to_its_ranks_may_start_when_slurm_starts_it_again(
    attempt: AttemptPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert not was_over(attempt, 0)
    # Its own rank 0 has started meanwhile.
    started(attempt, "1")
    assert not was_over(attempt, 1)


def test_a_second_run_leaves_an_ended_attempt_as_it_is_and_notes_the_fact_beside_the_logs(
    attempt: AttemptPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(attempt)
    record_end(attempt, EndState.COMPLETED, None, "rank 0")
    before = {path: path.read_bytes() for path in attempt.folder.iterdir()}
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    assert was_over(attempt, 1)
    assert was_over(attempt, 0)
    assert {path: path.read_bytes() for path in attempt.folder.iterdir()} == before
    note = read_json(tmp_path / "8_1.requeued.json")
    assert (note["restarts"], note["ended"]["state"]) == (2, EndState.COMPLETED)


def test_a_second_run_gives_an_end_to_an_attempt_whose_first_run_left_none(
    attempt: AttemptPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(attempt)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert was_over(attempt, 0)
    assert read_json(attempt.ended)["state"] == EndState.LOST
    assert "started its job again" in read_json(attempt.ended)["reason"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_last_word_that_the_disk_does_not_take_becomes_an_exit_code(
    attempt: AttemptPaths, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("launcher.jobs.job.record_end", refuse)
    for error in (None, ValueError("why")):
        with pytest.raises(SystemExit) as ended:
            RecordedEnd(attempt, 0).__exit__(None, error, None)
        assert ended.value.code == DISK_EXIT_CODE


def test_what_a_job_makes_is_closed_to_others_whatever_the_umask_was(tmp_path: Path) -> None:
    code = (
        "import os, pathlib; os.umask(0)\n"
        f"from {close_to_others.__module__} import close_to_others; close_to_others()\n"
        "pathlib.Path('folder').mkdir(); pathlib.Path('file').touch()\n"
        "print(*(oct(os.stat(name).st_mode & 0o777) for name in ('folder', 'file')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split() == ["0o750", "0o640"]
