"""What Slurm says, or cannot say, of a job that is not in its queue any more."""

import os
from pathlib import Path

import pytest

from launcher.slurm.job_arrays import JobArray, Submission, record_submission
from launcher.slurm.node_events import failed_nodes
from launcher.slurm.queue import JobState
from launcher.slurm.reconcile import LAG_US, reconcile
from launcher.status import look, summary
from telemetry.clock import wall_us
from telemetry.record.attempt_state import record_end
from telemetry.record.files import create_json, read_json, write_json
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import EndState
from tests.support.watched_attempts import make_attempt

NAME = "joulegrid-one-1"
TIMES = "2026-11-27T11:18:08|n[1-2]|0:0|2026-11-27T11:18:09|2026-11-27T11:18:26"
DOWN = "echo 'sacct: error: Connection refused' >&2; exit 1"


class FakeSlurm:
    """Slurm's commands, each printing what a test says; without a word they have no job."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("squeue", "sacct", "sacctmgr", "sinfo", "scontrol"):
            self.says(name, "true")

    def says(self, name: str, script: str) -> None:
        path = self._folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return FakeSlurm(folder)


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptPaths:
    """One that runs as far as its record says, submitted long ago as job 7."""
    return submit(tmp_path / "results", t_us=wall_us() - 2 * LAG_US)


def submit(results: Path, *, t_us: int, refused: str | None = None) -> AttemptPaths:
    run, attempt = make_attempt(results)
    array = JobArray(
        results=results,
        campaign="one",
        number=1,
        name=NAME,
        cluster="c",
        host="elsewhere",
        pid=1,
        pid_created_us=1,
        t_us=t_us,
        members=((run.run_id, 1),),
    )
    array.jobs.mkdir(parents=True)
    create_json(array.path, array.to_mapping())
    submission = Submission(
        job_id="7",
        slurm_cluster=None,
        t_us=t_us,
        submit_time="2026-11-27T11:18:08+00:00",
        closing_job_id=None if refused else "8",
        closing_refused=refused,
    )
    record_submission(array, submission, sbatch=None)
    write_json(attempt.started, {"t_us": t_us})
    return attempt


def results_of(attempt: AttemptPaths) -> Path:
    return attempt.folder.parent.parent


def test_a_job_that_the_queue_has_not_and_whose_books_cannot_be_asked_is_unknown(
    slurm: FakeSlurm, attempt: AttemptPaths
) -> None:
    slurm.says("sacct", DOWN)
    found, notes = look(results_of(attempt), None)
    assert summary(found) == "1 point: 1 unknown"
    assert found[0].detail == (
        "job 7 is not in Slurm's queue; its accounting cannot be asked how it ended"
    )
    assert any("accounting cannot be asked" in note for note in notes)
    assert not attempt.ended.is_file()


def test_books_that_lag_leave_it_unknown_for_a_minute(slurm: FakeSlurm, tmp_path: Path) -> None:
    del slurm
    fresh = submit(tmp_path / "results", t_us=wall_us())
    assert "does not say yet" in reconcile(results_of(fresh)).unknown[fresh.folder]


def test_a_job_that_neither_knows_is_lost(slurm: FakeSlurm, attempt: AttemptPaths) -> None:
    del slurm
    assert reconcile(results_of(attempt)).unknown == {}
    assert read_json(attempt.ended)["state"] == EndState.LOST


@pytest.mark.parametrize("other", ["other", f"{NAME}-close"])
def test_another_job_of_its_number_says_nothing_of_it(
    slurm: FakeSlurm, attempt: AttemptPaths, other: str
) -> None:
    row = f"7|{other}|RUNNING|{TIMES}"
    slurm.says("squeue", f"echo '{row}'")
    slurm.says("sacct", f"echo '{row.replace('RUNNING', 'FAILED')}'")
    reconcile(results_of(attempt))
    assert read_json(attempt.ended)["reason"].startswith("Slurm's queue has no job 7 of the name")


def test_the_controller_s_memory_tells_an_end_that_the_books_do_not(
    slurm: FakeSlurm, attempt: AttemptPaths
) -> None:
    slurm.says("sacct", DOWN)
    slurm.says("squeue", f"echo '7|{NAME}|TIMEOUT|{TIMES}'")
    reconcile(results_of(attempt))
    assert read_json(attempt.ended)["state"] == EndState.TIMEOUT


def test_a_rank_s_word_on_a_crashed_node_is_corrected_by_whoever_comes_next(
    slurm: FakeSlurm, attempt: AttemptPaths
) -> None:
    record_end(attempt, EndState.FAILED, "rank 0: RuntimeError: gloo: reset", "rank 0")
    slurm.says("sacct", DOWN)
    known = reconcile(results_of(attempt))
    assert known.unsettled == {attempt.folder}
    slurm.says("sacct", f"echo '7|{NAME}|NODE_FAIL|{TIMES}'")
    slurm.says("sacctmgr", "echo 'n2|2026-11-27T11:18:26|DOWN*'")
    reconcile(results_of(attempt))
    end = read_json(attempt.ended)
    assert (end["state"], end["reason"].partition(":")[0]) == ("lost", "node n2 failed")


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ("Invalid partition name specified", "Slurm did not take it: Invalid partition name"),
        (None, "job 8 is gone; its log is "),
    ],
)
def test_a_closing_job_that_is_not_there_is_told_with_what_to_type(
    slurm: FakeSlurm, tmp_path: Path, refused: str | None, said: str
) -> None:
    del slurm
    attempt = submit(tmp_path / "results", t_us=wall_us(), refused=refused)
    (doubt,) = [each for each in reconcile(results_of(attempt)).doubts if "no job merges" in each]
    assert said in doubt
    assert doubt.endswith("--campaign one --array 1")


def test_a_closing_job_that_was_cancelled_with_the_others_is_told(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    attempt = submit(tmp_path / "results", t_us=wall_us())
    row = f"8|{NAME}-close|CANCELLED|{TIMES}"
    slurm.says("squeue", f"echo '{row}'; echo '7|{NAME}|CANCELLED|{TIMES}'")
    (attempt.folder / "shards").mkdir(exist_ok=True)
    (doubt,) = reconcile(results_of(attempt)).doubts
    assert "job 8 was CANCELLED" in doubt


def job(nodes: str = "n[1-3]") -> JobState:
    return JobState(
        job_id="7",
        name=NAME,
        state="NODE_FAIL",
        reason="",
        submit_time="2026-11-27T11:18:08+00:00",
        nodes=nodes,
        start_time="2026-11-27T11:18:09+00:00",
        end_time="2026-11-27T11:18:26+00:00",
    )


def test_of_the_events_those_of_the_job_s_time_and_of_nodes_that_went_down_count(
    slurm: FakeSlurm,
) -> None:
    events = (
        "n1|2026-11-27T11:18:20|DRAIN",
        "n1|2026-11-27T10:00:00|DOWN*",
        "n3|2026-11-27T12:18:20|DOWN*",
        "|2026-11-27T11:18:10|",
        "n2|2026-11-27T11:18:26|DOWN*",
    )
    slurm.says("sacctmgr", "".join(f"echo '{event}'\n" for event in events))
    assert failed_nodes(job()) == ["n2"]


def test_without_books_the_controller_s_list_names_the_node(slurm: FakeSlurm) -> None:
    slurm.says("sacctmgr", "exit 1")
    slurm.says("sinfo", "printf 'n1|idle\\nn2|down*\\n'")
    assert failed_nodes(job()) == ["n2"]
    slurm.says("sinfo", "exit 1")
    assert failed_nodes(job()) == []
