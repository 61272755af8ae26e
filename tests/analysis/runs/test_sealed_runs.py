"""Sealed runs are read; all else is named."""

import os
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from analysis.runs.sealed_runs import NOT_AS_SEALED, load
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import prompts_folder
from tests.support.records import Plan, build_run, reseal


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
    reseal(run)
    loaded = load(tmp_path)
    assert loaded.runs == ()
    assert "`schema_version` of the manifest must be 1, but is 99" in loaded.not_counted[0].reason


def test_a_run_without_its_spec_is_named(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    run.spec.unlink()
    loaded = load(tmp_path)
    assert loaded.runs == ()
    (other,) = loaded.not_counted
    assert (other.state, other.reason) == ("not as sealed", "spec.json: missing")


SEALED_FILES = (
    *("spec.json", "attempt-001/manifest.json", "attempt-001/model.json"),
    *("attempt-001/launch.json", "attempt-001/hosts/node0.json", "attempt-001/provenance.json"),
    *(f"attempt-001/{kind}.parquet" for kind in ("samples", "spans", "responses", "steps")),
)


@pytest.mark.parametrize("name", SEALED_FILES)
@pytest.mark.parametrize("how", ["changed since it was sealed", "missing", "no plain file"])
def test_a_run_of_which_one_file_differs_is_named_with_it_and_does_not_count(
    tmp_path: Path, name: str, how: str
) -> None:
    path = build_run(tmp_path).folder / name
    data = bytearray(path.read_bytes())
    path.unlink()
    if how.startswith("changed"):
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif how == "no plain file":
        os.mkfifo(path)
    loaded = load(tmp_path)
    assert loaded.runs == ()
    (other,) = loaded.not_counted
    assert (other.state, other.reason) == (NOT_AS_SEALED, f"{name}: {how}")


def test_a_run_without_its_prompts_is_named(tmp_path: Path) -> None:
    build_run(tmp_path)
    shutil.rmtree(prompts_folder(tmp_path))
    (other,) = load(tmp_path).not_counted
    assert other.state == NOT_AS_SEALED
    assert other.reason.startswith("prompts/")
    assert other.reason.endswith(".jsonl: missing")


@pytest.mark.parametrize("name", ["model.json", "launch.json", "provenance.json"])
@pytest.mark.parametrize("content", ["{broken", "[1]", "", "\ufeff{}"])
def test_a_broken_file_is_told_though_it_was_sealed_so(
    tmp_path: Path, name: str, content: str
) -> None:
    run = build_run(tmp_path)
    (run.attempt(1).folder / name).write_text(content)
    reseal(run)
    loaded = load(tmp_path)
    assert loaded.runs == ()
    (other,) = loaded.not_counted
    assert other.state == "unreadable"
    assert other.reason.startswith(f"{name} must be a JSON object")


@pytest.mark.parametrize("name", ["samples.csv", "hosts/node9.json", "shards/spans/more"])
def test_a_file_beside_those_that_were_sealed_is_named(tmp_path: Path, name: str) -> None:
    run = build_run(tmp_path)
    (run.attempt(1).folder / name).write_text("{}")
    (other,) = load(tmp_path).not_counted
    assert other.reason == f"attempt-001/{name}: not in the seal"


def test_what_differs_is_named_by_five_files_and_counted(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    for folder in ("shards", "hosts", "ranks"):
        shutil.rmtree(run.attempt(1).folder / folder)
    (other,) = load(tmp_path).not_counted
    assert other.reason.count(": missing") == 5
    assert re.search(r"; and \d+ more$", other.reason)


def test_a_table_that_changes_once_it_was_loaded_is_not_parsed(tmp_path: Path) -> None:
    paths = build_run(tmp_path)
    (run,) = load(tmp_path).runs
    table = paths.attempt(1).table("responses")
    pq.write_table(pq.read_table(table).slice(0, 2), table)
    with pytest.raises(ValueError, match=r"responses\.parquet must be as it was sealed"):
        _ = run.responses


def test_a_run_reads_a_table_again_once_it_has_let_it_go(tmp_path: Path) -> None:
    build_run(tmp_path)
    (run,) = load(tmp_path).runs
    first = run.spans
    assert run.spans is first
    run.let_go()
    assert run.spans is not first
    assert run.spans.equals(first)


def test_a_table_that_the_seal_leaves_out_is_not_parsed(tmp_path: Path) -> None:
    paths = build_run(tmp_path)
    attempt = paths.attempt(1)
    seal = read_json(attempt.seal)
    del seal["files"][f"{paths.run_id}/attempt-001/samples.parquet"]
    write_json(attempt.seal, seal)
    (other,) = load(tmp_path).not_counted
    assert other.reason == "attempt-001/samples.parquet: not in the seal"


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="`results` must be a folder"):
        load(tmp_path / "nowhere")
