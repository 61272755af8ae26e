"""An attempt appears whole or not at all, once, and a dead one never starts late."""

import dataclasses
import json
import os
import stat
from pathlib import Path

import pytest

from launcher.campaign.attempt import create_attempt, remove_attempt
from launcher.config.command_line import read_points
from launcher.forecast.forecaster import foresee
from launcher.jobs.job import require_open
from launcher.plan.check import check
from launcher.plan.grid import PlannedPoint, Verdict
from launcher.slurm.queue import elements
from telemetry.record.attempt_state import record_end
from telemetry.record.bulk_files import SharedJson, json_text
from telemetry.record.files import read_json
from telemetry.record.foreseen import Foreseen
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.schema import EndState

HASH = "a" * 64


def entry_of(results: Path, *words: str) -> PlannedPoint:
    (point,) = check(read_points([f"results={results}", "cluster=local", *words])).points
    return point


def create(results: Path, point: PlannedPoint) -> AttemptPaths | None:
    results.mkdir(exist_ok=True)
    submitted = json_text({"t_us": 1, "executor": None})
    return create_attempt(results, point, HASH, json_text({"git": None}), submitted)


def test_of_two_calls_that_saw_the_same_only_one_gets_the_attempt(tmp_path: Path) -> None:
    point = entry_of(tmp_path)
    first = create(tmp_path, point)
    assert first is not None
    assert create(tmp_path, point) is None
    run = RunPaths(results=tmp_path, run_id=point.spec.run_id)
    assert [attempt.number for attempt in run.attempts()] == [1]
    assert sorted(child.name for child in run.folder.iterdir()) == ["attempt-001", "spec.json"]
    assert read_json(first.launch)["prompts_sha256"] == HASH


def test_the_next_attempt_waits_for_the_end_of_the_one_before(tmp_path: Path) -> None:
    first = create(tmp_path, entry_of(tmp_path))
    assert first is not None
    second = dataclasses.replace(entry_of(tmp_path), attempts=1)
    assert create(tmp_path, second) is None
    record_end(first, EndState.CANCELLED, None, "test")
    made = create(tmp_path, second)
    assert made is not None
    assert made.number == 2


def test_an_attempt_given_up_before_it_started_refuses_to_start(tmp_path: Path) -> None:
    attempt = create(tmp_path, entry_of(tmp_path))
    assert attempt is not None
    require_open(attempt)
    record_end(attempt, EndState.LOST, "its launcher was cut off", "launcher")
    with pytest.raises(RuntimeError, match="must be open to be started, but is lost"):
        require_open(attempt)


def test_folders_are_0750_less_what_the_umask_takes(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        attempt = create(tmp_path, entry_of(tmp_path))
    finally:
        os.umask(before)
    assert attempt is not None
    for folder in (attempt.folder, attempt.folder.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    other = create(tmp_path, entry_of(tmp_path, "seed=2"))
    assert other is not None
    assert stat.S_IMODE(other.folder.stat().st_mode) == 0o750


def test_an_attempt_that_was_never_submitted_is_taken_back_whole(tmp_path: Path) -> None:
    attempt = create(tmp_path, entry_of(tmp_path))
    assert attempt is not None
    remove_attempt(attempt)
    assert list(tmp_path.iterdir()) == []


def test_another_spec_under_the_same_name_is_refused(tmp_path: Path) -> None:
    point = entry_of(tmp_path)
    run = RunPaths(results=tmp_path, run_id=point.spec.run_id)
    run.folder.mkdir()
    run.spec.write_text("{}")
    with pytest.raises(ValueError, match="must hold the spec"):
        create(tmp_path, point)


@pytest.mark.parametrize("end", [EndState.FAILED, EndState.TIMEOUT])
def test_on_a_cluster_a_failed_point_is_tried_again_only_when_asked(
    tmp_path: Path, end: EndState
) -> None:
    words = [f"results={tmp_path}", "cluster=h200", "dataset.source=sample"]
    (point,) = check(read_points(words)).points
    attempt = create(tmp_path, point)
    assert attempt is not None
    record_end(attempt, end, "why", "test")
    (again,) = check(read_points(words)).points
    assert again.verdict is Verdict.FAILED
    assert "why; retry=failed tries it again" in str(again.reason)
    (asked,) = check(read_points([*words, "retry=failed"])).points
    assert (asked.verdict, asked.attempts) == (Verdict.RUN, 1)


def test_shared_and_own_content_make_one_sorted_object() -> None:
    text = SharedJson({"b": [1, {"x": None}], "d": 'a"\n'}).text({"a": 1.5, "c": {"é": True}})
    assert json.loads(text) == {"a": 1.5, "b": [1, {"x": None}], "c": {"é": True}, "d": 'a"\n'}
    assert list(json.loads(text)) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("job_id", "expected"),
    [
        ("12", ["12"]),
        ("12_3", ["12_3"]),
        ("12_[0-2%16]", ["12_0", "12_1", "12_2"]),
        ("12_[0,4-5]", ["12_0", "12_4", "12_5"]),
        ("12_[...]", ["12_[...]"]),
    ],
)
def test_elements_that_never_started_share_one_record_of_slurm_s(
    job_id: str, expected: list[str]
) -> None:
    assert elements(job_id) == expected


def test_what_was_foreseen_lies_there_before_anything_is_submitted(tmp_path: Path) -> None:
    words = [f"results={tmp_path}", "cluster=local", "gpu=simulated-a100"]
    (point,) = foresee(check(read_points(words))).points
    attempt = create(tmp_path, point)
    assert attempt is not None
    assert Foreseen.read(attempt.foreseen) == point.foreseen


def test_where_nobody_foresaw_there_is_no_file(tmp_path: Path) -> None:
    attempt = create(tmp_path, entry_of(tmp_path))
    assert attempt is not None
    assert not attempt.foreseen.exists()
