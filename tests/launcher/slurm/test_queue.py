"""A row of Slurm's is a job of ours by its name and the second of its submission."""

import pytest

from launcher.slurm.job_arrays import Submission
from launcher.slurm.queue import JobState, same_submission, utc
from launcher.slurm.record import _FIELDS, own_rows

NAME = "joulegrid-20261127T115058Z-vm-5524-1"
SUBMITTED = "2026-11-27T11:50:59"


def row(job_id: str, name: str, state: str, submit: str = SUBMITTED, cluster: str = "c") -> str:
    values = dict.fromkeys(_FIELDS, "")
    values |= {"JobID": job_id, "JobName": name, "State": state, "Submit": submit}
    return "|".join({**values, "Cluster": cluster}.values())


def submission(**changes: object) -> Submission:
    content = {
        "job_id": "7",
        "slurm_cluster": "c",
        "t_us": 1,
        "submit_time": utc(SUBMITTED),
        "closing_job_id": None,
        "closing_refused": None,
        **changes,
    }
    return Submission(**content)  # type: ignore[arg-type]


def states(*lines: str, **changes: object) -> dict[str, list[str]]:
    found = own_rows("\n".join(lines), NAME, submission(**changes))
    return {job_id: [each["State"] for each in rows] for job_id, rows in found.items()}


def test_an_allocation_s_steps_are_those_that_stand_after_it() -> None:
    mine = [row("7_0", NAME, "COMPLETED"), row("7_0.batch", "batch", "COMPLETED")]
    other = [row("7", "other", "FAILED"), row("7.batch", "batch", "FAILED")]
    again = [row("7_0", "joulegrid-else-1", "FAILED"), row("7_0.0", "python", "FAILED")]
    for lines in ([*other, *mine, *again], [*mine, *again, *other], [*again, *other, *mine]):
        assert states(*lines) == {"7_0": ["COMPLETED", "COMPLETED"]}


@pytest.mark.parametrize(
    "stranger",
    [
        row("7_0", NAME, "FAILED", submit="2026-11-27T11:51:59"),
        row("7_0", NAME, "FAILED", submit="2025-11-27T11:50:59"),
        row("7_0", NAME, "FAILED", cluster="other"),
        row("7_0", f"{NAME}-close", "FAILED"),
        row("7_0", NAME[:-1], "FAILED"),
    ],
)
def test_another_name_second_or_cluster_is_another_job_s(stranger: str) -> None:
    assert states(stranger) == {}
    assert states(stranger, row("7_0", NAME, "COMPLETED")) == {"7_0": ["COMPLETED"]}


def test_elements_that_never_started_share_a_row() -> None:
    assert states(row("7_[1-2%1]", NAME, "CANCELLED by 0")) == {
        "7_1": ["CANCELLED by 0"],
        "7_2": ["CANCELLED by 0"],
    }


def test_a_time_that_slurm_does_not_say_is_any() -> None:
    assert states(row("7", NAME, "COMPLETED"), submit_time=None) == {"7": ["COMPLETED"]}
    assert same_submission("Unknown", utc(SUBMITTED))


def test_times_are_compared_as_moments_whatever_their_zone() -> None:
    assert same_submission(utc(SUBMITTED), "2026-11-27T12:50:59+01:00")
    assert not same_submission(utc(SUBMITTED), f"{SUBMITTED}+01:00")


def test_a_job_of_ours_is_so_by_name_and_time() -> None:
    job = JobState(
        job_id="7", name=NAME, state="REQUEUED", reason="", submit_time=utc(SUBMITTED), nodes="n1"
    )
    assert job.ended
    assert job.is_of(NAME, utc(SUBMITTED))
    assert not job.is_of(NAME, utc("2026-11-27T11:51:01"))
    assert not job.is_of("other", None)
