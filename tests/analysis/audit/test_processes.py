"""Runs spread over processes: the same audit, and no run takes the others with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from analysis.audit.__main__ import main
from analysis.audit.campaign import Campaign
from analysis.audit.check import Outcome
from analysis.audit.registry import CHECKS, FOLDER_CHECKS
from analysis.audit.run_audit import RunAudit
from analysis.audit.trust import Trust
from analysis.runs.processes import spread
from telemetry.command import ExitCode
from tests.conftest import REPOSITORY
from tests.support.records import Plan, build_run

# What a process takes to start or to end many times over, on a busy machine too.
PATIENCE_S = 60.0
DOOMED = 2


def doubled_or_killed(number: int) -> int:
    if number == DOOMED:
        # As the kernel does where memory runs out.
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def raising(number: int) -> int:
    raise ZeroDivisionError(f"of {number}")


def test_a_process_that_is_killed_takes_its_item_alone_with_it() -> None:
    found = dict(spread(range(5), doubled_or_killed, 2))
    assert found == {0: 0, 1: 2, DOOMED: None, 3: 6, 4: 8}


def test_what_goes_wrong_in_a_process_is_raised_where_it_was_started() -> None:
    with pytest.raises(ZeroDivisionError, match="of 0"):
        list(spread([0], raising, 1))


def test_an_audit_is_the_same_to_the_byte_however_many_processes_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (1, 2, 3):
        build_run(tmp_path, Plan(spec={"seed": seed}))
    written = []
    told = []
    for jobs in ("1", "2"):
        assert main([str(tmp_path), "--jobs", jobs]) == ExitCode.DONE
        written.append((tmp_path / "report" / "audit.json").read_bytes())
        told.append(capsys.readouterr().out)
    assert written[0] == written[1]
    assert told[0] == told[1]


def test_no_process_at_all_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_run(tmp_path)
    assert main([str(tmp_path), "--jobs", "0"]) == ExitCode.BAD_INPUT
    assert "`--jobs` must be 1 or more, but is 0 instead" in capsys.readouterr().err


def test_a_run_whose_process_was_killed_fails_every_check_by_what_happened(
    tmp_path: Path,
) -> None:
    run = build_run(tmp_path)
    lost = RunAudit.lost(run, "the process that looked at it was killed")
    assert [name for name, _ in lost.findings] == [check.name for check in CHECKS]
    for _, finding in lost.findings:
        assert finding.outcome is Outcome.FAILED
        assert finding.evidence == "could not be checked: the process that looked at it was killed"
    campaign = Campaign(results=tmp_path, trust=Trust(), runs=(lost.facts,))
    (copies,) = [check for check in FOLDER_CHECKS if check.name == "copies"]
    found = copies.look(campaign)
    assert isinstance(found, dict)
    assert found[run.run_id].outcome is Outcome.FAILED


def eventually(true: Callable[[], object]) -> bool:
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        if true():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, int(ExitCode.INTERRUPTED)), (signal.SIGKILL, -int(signal.SIGKILL))],
)
def test_an_audit_that_is_stopped_leaves_no_process_behind(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    # On a busy machine both processes are seen late: they must not be done by then.
    for seed in range(16):
        build_run(tmp_path, Plan(spec={"seed": seed}))
    command = [sys.executable, "-m", "analysis.audit", str(tmp_path), "--jobs", "2"]
    with subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as audit:
        workers: list[psutil.Process] = []

        def at_work() -> bool:
            workers[:] = [
                child
                for child in psutil.Process(audit.pid).children()
                if "spawn_main" in " ".join(child.cmdline())
            ]
            return len(workers) == 2

        assert eventually(at_work)
        # A terminal sends Ctrl-C to all of a command's processes, be they just being started.
        os.killpg(audit.pid, number) if number == signal.SIGINT else audit.send_signal(number)
        _, said = audit.communicate(timeout=PATIENCE_S)
    assert audit.returncode == code, said
    assert "Traceback" not in said
    assert not (tmp_path / "report").exists()
    assert eventually(lambda: not any(worker.is_running() for worker in workers))
