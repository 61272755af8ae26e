"""Whose word stands: a rank's, that saw the effect, or Slurm's, that knows the cause."""

import errno
import os
from pathlib import Path

import pytest

from launcher.slurm import ends
from launcher.slurm.ends import DISK_EXIT_CODE, end_of, overrules, write_end
from launcher.slurm.job_arrays import JobArray
from launcher.slurm.queue import JobState
from launcher.slurm.signals import NODE_FAILED, TOLD_TO_STOP
from launcher.slurm.view import SlurmView
from telemetry.record.attempt_state import correct_end, record_end
from telemetry.record.disk import disk_fault
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import EndState


def job(state: str, reason: str = "0:0") -> JobState:
    return JobState(
        job_id="7_0", name="a", state=state, reason=reason, submit_time="Unknown", nodes="n[1-2]"
    )


@pytest.fixture
def array(tmp_path: Path) -> JobArray:
    made = JobArray(
        results=tmp_path,
        campaign="one",
        number=1,
        name="a",
        cluster="c",
        host="h",
        pid=1,
        pid_created_us=1,
        t_us=1,
        members=(("run", 1),),
    )
    made.jobs.mkdir(parents=True)
    return made


def told(reason: str, state: EndState = EndState.FAILED, **more: object) -> dict[str, object]:
    return {"state": state, "reason": reason, "by": "rank 0", **more}


@pytest.mark.parametrize(
    ("state", "said", "wins"),
    [
        ("NODE_FAIL", told("rank 0: RuntimeError: gloo pair: Connection reset by peer"), True),
        ("BOOT_FAIL", told("rank 0 is gone"), True),
        ("NODE_FAIL", told(NODE_FAILED, EndState.LOST), True),
        ("NODE_FAIL", told("out of memory: 3 GB", memory={"limit_bytes": 1}), False),
        ("NODE_FAIL", told("preempted by another job", EndState.LOST), False),
        ("NODE_FAIL", told("", EndState.COMPLETED), False),
        ("TIMEOUT", told(f"rank 0 {TOLD_TO_STOP}; Slurm does not say why"), True),
        ("CANCELLED", told(f"rank 1 {TOLD_TO_STOP}; Slurm does not say why"), True),
        ("FAILED", told(f"rank 1 {TOLD_TO_STOP}; Slurm does not say why"), False),
        # The others waited for a rank that had failed, until the time was over.
        ("TIMEOUT", told("rank 0: ValueError: why"), False),
        ("FAILED", told("rank 0: ValueError: why"), False),
    ],
)
def test_slurm_s_word_stands_where_a_rank_saw_only_the_effect(
    state: str, said: dict[str, object], wins: bool
) -> None:
    assert overrules(job(state), said) is wins


@pytest.mark.parametrize(
    ("nodes", "named"),
    [(["n2"], "node n2 failed"), (["n1", "n2"], "nodes n1, n2 failed"), ([], "a node of n[1-2]")],
)
def test_the_node_that_failed_is_named(
    array: JobArray, monkeypatch: pytest.MonkeyPatch, nodes: list[str], named: str
) -> None:
    monkeypatch.setattr(ends, "failed_nodes", lambda _: nodes)
    state, reason = end_of(job("NODE_FAIL"), array)
    assert state is EndState.LOST
    assert reason.startswith(named)
    assert "Slurm says NODE_FAIL (0:0) on n[1-2] of job 7_0" in reason


def test_a_failed_line_of_setup_is_the_reason_only_of_a_job_that_failed(array: JobArray) -> None:
    array.setup_failure("7_0").write_text("143 sleep 600\n")
    assert end_of(job("FAILED", "143:0"), array) == (
        EndState.FAILED,
        "setup failed: sleep 600 (exit code 143)",
    )
    for state, end in (("CANCELLED", EndState.CANCELLED), ("TIMEOUT", EndState.TIMEOUT)):
        assert end_of(job(state), array)[0] is end
        assert "setup" not in end_of(job(state), array)[1]


def test_a_rank_s_exit_code_tells_of_the_disk(array: JobArray) -> None:
    _, reason = end_of(job("FAILED", f"{DISK_EXIT_CODE}:0"), array)
    assert reason.startswith(f"the disk of {array.results} did not take a rank's last word")


def test_a_corrected_end_keeps_the_rank_s_words_and_is_corrected_once(tmp_path: Path) -> None:
    attempt = AttemptPaths(folder=tmp_path)
    assert not correct_end(attempt, EndState.LOST, "node n2 failed", "Slurm")
    record_end(attempt, EndState.FAILED, "gloo", "rank 0")
    before = read_json(attempt.ended)
    assert correct_end(attempt, EndState.LOST, "node n2 failed", "Slurm")
    assert not correct_end(attempt, EndState.LOST, "node n1 failed", "Slurm")
    end = read_json(attempt.ended)
    assert (end["state"], end["reason"], end["by"]) == ("lost", "node n2 failed", "Slurm")
    assert (end["before"], end["t_us"]) == (before, before["t_us"])


@pytest.mark.parametrize("state", [EndState.COMPLETED, EndState.FAILED])
def test_what_went_well_or_is_sealed_is_never_corrected(tmp_path: Path, state: EndState) -> None:
    attempt = AttemptPaths(folder=tmp_path)
    record_end(attempt, state, None, "rank 0")
    if state is not EndState.COMPLETED:
        write_json(attempt.seal, {})
    before = attempt.ended.read_bytes()
    assert not correct_end(attempt, EndState.LOST, "node n2 failed", "Slurm")
    assert attempt.ended.read_bytes() == before


def test_an_end_that_the_disk_does_not_take_is_known_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(ends, "record_end", refuse)
    known = SlurmView()
    attempts = [AttemptPaths(folder=tmp_path / "run" / f"attempt-00{n}") for n in (1, 2)]
    for attempt in attempts:
        write_end(known, attempt, EndState.CANCELLED, "by Slurm", "Slurm")
        assert known.state(attempt).state == EndState.CANCELLED
    (doubt,) = known.doubts
    assert doubt.startswith(f"{tmp_path} is full (No space left on device)")


def test_a_disk_that_takes_a_file_has_no_fault(tmp_path: Path) -> None:
    assert disk_fault(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
