"""Sealed runs are read; all else is named."""

from pathlib import Path

import pytest

from analysis.runs.sealed_runs import load
from telemetry.record.files import read_json, write_json
from tests.support.records import Plan, build_run


def test_a_sealed_run_is_loaded_with_its_tables(tmp_path: Path) -> None:
    build_run(tmp_path)
    (run,) = load(tmp_path).runs
    assert run.simulated
    assert run.responses.num_rows == 4
    assert set(run.spans["phase"].to_pylist()) >= {"prefill", "decode", "idle"}


def test_a_failed_attempt_is_named_with_its_state(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan(end="failed"))
    loaded = load(tmp_path)
    assert loaded.runs == ()
    (other,) = loaded.not_counted
    assert (other.run_id, other.attempt, other.state) == (run.run_id, 1, "failed")


def test_a_completed_attempt_without_a_seal_is_not_counted(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(merged=False))
    (other,) = load(tmp_path).not_counted
    assert other.reason == "completed but not merged and sealed"


def test_the_dead_attempt_of_a_sealed_run_is_named_beside_it(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    run.attempt(2).folder.mkdir()
    loaded = load(tmp_path)
    assert len(loaded.runs) == 1
    assert [(other.attempt, other.state) for other in loaded.not_counted] == [(2, "planned")]


def test_another_schema_version_is_named_and_not_mixed_in(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    path = run.attempt(1).manifest
    write_json(path, {**read_json(path), "schema_version": 99})
    loaded = load(tmp_path)
    assert loaded.runs == ()
    assert "`schema_version` of the manifest must be 1, but is 99" in loaded.not_counted[0].reason


def test_a_run_without_its_spec_is_named(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    run.spec.unlink()
    loaded = load(tmp_path)
    assert loaded.runs == ()
    assert loaded.not_counted[0].state == "unreadable"


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="`results` must be a folder"):
        load(tmp_path / "nowhere")
