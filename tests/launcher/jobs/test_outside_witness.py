"""A chain's head is told outside where it can be, and no run fails where it cannot."""

from pathlib import Path

import pytest

from launcher.jobs.outside_witness import beside_wish, tell_head
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths
from telemetry.shards.chain import Binding
from telemetry.shards.links import chain_path, read_chain
from tests.support.watched_attempts import make_attempt, shard_writer


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptPaths:
    """One whose node n1 has a chain."""
    _, made = make_attempt(tmp_path)
    binding = Binding.of_rank(made, "n1", 0.0)
    shard_writer(made, "samples", made.samples_shard("n1"), binding=binding).close()
    return made


def test_a_head_goes_into_the_log_and_the_record(
    attempt: AttemptPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_head(attempt, "n1", in_slurm=False, environment={})
    tell_head(attempt, "n1", in_slurm=False, environment={})
    head = read_chain(chain_path(attempt.samples_shard("n1"), 0)).links[-1]
    line = f"joulegrid:samples/n1/0:{head.number}:{head.sha256}\n"
    assert capsys.readouterr().out == 2 * line
    told = read_json(attempt.heads)["heads"]
    assert [(one["number"], one["sha256"], one["slurm"]) for one in told] == 2 * [
        (head.number, head.sha256, None)
    ]


@pytest.mark.parametrize(
    ("environment", "why"),
    [({}, "the job is not Slurm's"), ({"SLURM_JOB_ID": "1"}, "scontrol")],
)
def test_what_slurm_does_not_take_is_recorded_and_fails_nothing(
    attempt: AttemptPaths,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    environment: dict[str, str],
    why: str,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    tell_head(attempt, "n1", in_slurm=True, environment=environment)
    (told,) = read_json(attempt.heads)["heads"]
    assert why in told["slurm"]["refused"]


def test_a_node_without_a_chain_tells_nothing(attempt: AttemptPaths) -> None:
    tell_head(attempt, "n2", in_slurm=True, environment={})
    assert not attempt.heads.exists()


def test_a_record_that_cannot_be_written_fails_nothing(attempt: AttemptPaths) -> None:
    attempt.heads.mkdir()
    tell_head(attempt, "n1", in_slurm=False, environment={})


@pytest.mark.parametrize(
    ("there", "whole"),
    [
        ("", "joulegrid:b"),
        ("joulegrid:a", "joulegrid:b"),
        ("joulegrid-power:cap_w=250", "joulegrid-power:cap_w=250 joulegrid:b"),
        ("joulegrid-power:cap_w=250 joulegrid:a", "joulegrid-power:cap_w=250 joulegrid:b"),
        ("joulegrid-power:cap_w=250 mine", None),
        ("mine", None),
    ],
)
def test_a_head_stands_beside_a_wish_and_over_no_word_of_another(
    there: str, whole: str | None
) -> None:
    assert beside_wish(there, "joulegrid:b") == whole
