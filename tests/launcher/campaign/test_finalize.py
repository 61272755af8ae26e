"""What died with shards is merged by whoever comes next, and nobody's running work is touched."""

import subprocess
import sys
from pathlib import Path

import pytest

from launcher.campaign.finalize import close_attempt, close_stranded, main
from launcher.slurm.view import SlurmView
from telemetry.record.attempt_state import correct_end, record_end, this_host
from telemetry.record.beside import signature_of
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import EndState
from telemetry.record.seal import verify_seal
from tests.support.records import Plan, build_run
from tests.support.signing import make_key
from tests.support.watched_attempts import make_attempt, sample_columns, shard_writer


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptPaths:
    """An attempt of this machine whose process was killed, with a part of one sample."""
    _, made = make_attempt(tmp_path)
    gone = subprocess.Popen(["true"])
    gone.wait()
    write_json(made.started, {"host": min(this_host()), "pid": gone.pid, "pid_created_us": 1})
    with shard_writer(made, "samples", made.samples_shard("n1")) as writer:
        writer.write(sample_columns([(1, "n1", "host", "cpu_utilization", 0.5, None)]))
    return made


def closed(attempt: AttemptPaths, known: SlurmView | None = None) -> list[str]:
    return list(close_stranded(attempt.folder.parent.parent, known or SlurmView()))


def test_a_dead_attempt_is_labelled_and_merged_and_that_is_told_once(attempt: AttemptPaths) -> None:
    (line,) = closed(attempt)
    assert "attempt 1: merged, lost: rank 0, process" in line
    assert read_json(attempt.ended)["state"] == EndState.LOST
    assert read_json(attempt.manifest)["tables"]["samples"]["rows"] == 1
    assert closed(attempt) == []


def test_an_end_that_was_corrected_after_the_merge_is_merged_again(attempt: AttemptPaths) -> None:
    record_end(attempt, EndState.FAILED, "rank 0: gloo", "rank 0")
    closed(attempt)
    assert correct_end(attempt, EndState.LOST, "node n2 failed", "Slurm")
    assert "merged, lost: node n2 failed" in closed(attempt)[0]
    assert read_json(attempt.manifest)["state"] == EndState.LOST


@pytest.mark.parametrize("where", ["closing", "unknown", "running", "completed"])
def test_what_somebody_is_at_or_nobody_can_tell_of_is_left_alone(
    attempt: AttemptPaths, where: str
) -> None:
    known = SlurmView()
    if where == "closing":
        known.closing.add(attempt.folder)
    elif where == "unknown":
        known.unknown[attempt.folder] = "who knows"
    elif where == "running":
        write_json(attempt.started, {"host": "elsewhere", "pid": 1, "pid_created_us": 1})
    else:
        # The launcher that ran it seals it, or the same command does.
        record_end(attempt, EndState.COMPLETED, None, "rank 0")
    assert closed(attempt, known) == []
    assert not attempt.manifest.is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "`RESULTS` must be a results folder"),
        ([".", "--array", "1"], "must be given together, or neither"),
        ([".", "--campaign", "a", "--array", "1"], "`--array` must be one of a's, but is 1"),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_code_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


def test_a_data_set_that_is_not_staged_is_told_before_the_hub_is_asked(tmp_path: Path) -> None:
    words = ["cluster=local", "dataset.source=hub", f"results={tmp_path}/r", "allow_dirty=true"]
    code = (
        "import sys; from launcher.campaign import run; from launcher.__main__ import main\n"
        "from launcher.plan.hub_reach import HubReach\n"
        "HubReach.fault = lambda self, source: None\n"
        "def hub(points): raise run.BadInputError('no hub')\n"
        f"run._select_prompts = hub; sys.exit(main({words!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2, done.stderr
    assert "from the hub, as it is not staged" in done.stdout
    assert "BadInputError" not in done.stderr


@pytest.mark.parametrize("key", ["key", "gone"])
def test_a_seal_is_signed_as_it_was_launched_or_says_why_not(tmp_path: Path, key: str) -> None:
    run = build_run(tmp_path / "results", Plan(launch={"signing_key": str(tmp_path / key)}))
    make_key(tmp_path / "key")
    attempt = run.attempt(1)
    attempt.seal.unlink()
    state, amiss = close_attempt(run, attempt)
    assert state == "sealed"
    assert signature_of(attempt.seal).is_file() is (key == "key")
    assert (amiss is None) is (key == "key")
    assert amiss is None or amiss.startswith("not signed: `signing_key` must be a key that signs")
    assert verify_seal(run, attempt) == []
