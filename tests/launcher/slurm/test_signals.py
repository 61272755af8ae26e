import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.slurm.signals import SlurmVerdict, read_verdict, slurm_verdict
from telemetry.record.schema import EndState

# What `scontrol --oneliner show job` of Slurm 22.05 says while the job's tasks get SIGTERM, less
# the fields that do not matter.
RUNNING = (
    "JobId=8 JobName=joulegrid JobState=RUNNING Reason=None Dependency=(null) Requeue=0 "
    "ExitCode=0:0 RunTime=00:00:06 TimeLimit=04:00:00 EndTime=2026-11-21T05:04:45 "
    "PreemptEligibleTime=2026-11-21T01:04:44 PreemptTime=None Partition=main"
)
CANCELLED = RUNNING.replace("RUNNING", "COMPLETING").replace("ExitCode=0:0", "ExitCode=0:15")
TIME_LIMIT = CANCELLED.replace("Reason=None", "Reason=TimeLimit")
PREEMPTED = RUNNING.replace("PreemptTime=None", "PreemptTime=2026-11-21T01:04:50")
NODE_DOWN = CANCELLED.replace("Reason=None", "Reason=NodeDown")
ENDING_WELL = RUNNING.replace("RUNNING", "COMPLETING")


@pytest.mark.parametrize(
    ("job", "state", "reason"),
    [
        (CANCELLED, EndState.CANCELLED, "cancelled through Slurm"),
        (TIME_LIMIT, EndState.TIMEOUT, "the time limit of 04:00:00 ran out"),
        (PREEMPTED, EndState.LOST, "preempted by another job"),
        (NODE_DOWN, EndState.LOST, "a node of the job failed"),
    ],
)
def test_slurm_s_reason_for_ending_a_job_becomes_the_record_s(
    job: str, state: EndState, reason: str
) -> None:
    assert read_verdict(job) == SlurmVerdict(state=state, reason=reason)


@pytest.mark.parametrize("job", [RUNNING, ENDING_WELL, "", "slurm_load_jobs error: Invalid job id"])
def test_a_job_that_slurm_does_not_end_has_no_verdict(job: str) -> None:
    assert read_verdict(job) is None


def test_a_requeue_is_a_verdict_once_the_count_has_grown() -> None:
    requeued = CANCELLED.replace("Requeue=0", "Requeue=1 Restarts=1").replace(":15", ":0")
    verdict = SlurmVerdict(state=EndState.LOST, reason="its job was requeued through Slurm")
    assert read_verdict(requeued) == verdict
    assert read_verdict(requeued, restarted=1) is None


def test_of_an_array_s_elements_the_job_s_own_counts_alone(
    environment: dict[str, str], tmp_path: Path
) -> None:
    # PromptRow for an array's number, Slurm tells of all its elements, the number's own among them.
    other = CANCELLED.replace("JobId=8", "JobId=9")
    write_scontrol(tmp_path, f"printf '%s\\n' '{RUNNING}' '{other}'")
    assert slurm_verdict(environment) is None
    write_scontrol(tmp_path, f"printf '%s\\n' '{CANCELLED}' '{other.replace('9', '10')}'")
    assert slurm_verdict(environment) == read_verdict(CANCELLED)


def test_a_job_of_the_same_number_and_another_name_is_not_this_one(
    environment: dict[str, str], tmp_path: Path
) -> None:
    write_scontrol(tmp_path, f"echo '{CANCELLED}'")
    assert slurm_verdict({**environment, "SLURM_JOB_NAME": "joulegrid"}) is not None
    assert slurm_verdict({**environment, "SLURM_JOB_NAME": "other"}) is None


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of a task, with an scontrol of the test's own before any other."""
    return {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "8",
        "SUBMITIT_EXECUTOR": "slurm",
    }


def write_scontrol(folder: Path, script: str) -> None:
    path = folder / "scontrol"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_off_slurm_nobody_is_asked(environment: dict[str, str], tmp_path: Path) -> None:
    write_scontrol(tmp_path, f"echo '{CANCELLED}'")
    assert slurm_verdict({**environment, "SUBMITIT_EXECUTOR": "local"}) is None
    assert slurm_verdict({"PATH": environment["PATH"]}) is None


def test_a_node_without_scontrol_has_no_verdict(environment: dict[str, str]) -> None:
    assert slurm_verdict({**environment, "PATH": "/nonexistent"}) is None


def test_a_controller_that_does_not_answer_has_no_verdict(
    environment: dict[str, str], tmp_path: Path
) -> None:
    write_scontrol(tmp_path, "echo 'slurm_load_jobs error: Unable to contact controller'; exit 1")
    assert slurm_verdict(environment) is None


TASK = """
import signal, sys, time
from launcher.slurm.signals import Stopped, heed_slurm
heed_slurm()
try:
    print("ready", flush=True)
    # A signal in the moment before a long sleep would wait for its end.
    while True:
        time.sleep(0.05)
except Exception:
    print("taken for a failure")
finally:
    signal.raise_signal(signal.SIGTERM)
    print("closed", flush=True)
"""


@pytest.mark.parametrize(
    ("signals", "code"),
    [([signal.SIGTERM], 143), ([signal.SIGUSR2, signal.SIGCONT, signal.SIGTERM], 143)],
)
def test_sigterm_unwinds_a_task_once_and_slurm_s_warning_does_not(
    environment: dict[str, str], signals: list[signal.Signals], code: int
) -> None:
    task = subprocess.Popen(
        [sys.executable, "-c", TASK],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert task.stdout is not None
    assert task.stdout.readline() == "ready\n"
    for number in signals:
        task.send_signal(number)
    out, _ = task.communicate(timeout=20)
    assert out == "closed\n"
    assert task.returncode == code
