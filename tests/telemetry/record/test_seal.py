"""A seal tells every later change of the record."""

from pathlib import Path

import pytest

from telemetry.merge.attempt import merge_attempt
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.seal import seal_attempt, verify_seal
from tests.support.watched_attempts import end_attempt, make_attempt, sample_columns, shard_writer


@pytest.fixture
def sealed(tmp_path: Path) -> tuple[RunPaths, AttemptPaths]:
    run, attempt = make_attempt(tmp_path)
    with shard_writer(attempt, "samples", attempt.samples_shard("n1")) as writer:
        writer.write(sample_columns([(1, "n1", "host", "cpu_utilization", 0.5, None)]))
    end_attempt(attempt)
    merge_attempt(run, attempt)
    seal_attempt(run, attempt)
    return run, attempt


def test_seal_covers_spec_prompts_and_every_file_of_the_attempt(
    sealed: tuple[RunPaths, AttemptPaths],
) -> None:
    run, attempt = sealed
    files = read_json(attempt.seal)["files"]
    in_attempt = {
        path.relative_to(run.results).as_posix()
        for path in attempt.folder.rglob("*")
        if path.is_file() and path != attempt.seal
    }
    prompts = f"prompts/{'0' * 64}.jsonl"
    assert set(files) == in_attempt | {f"{run.run_id}/spec.json", prompts}
    assert verify_seal(run, attempt) == []


def test_one_changed_byte_is_told(sealed: tuple[RunPaths, AttemptPaths]) -> None:
    run, attempt = sealed
    path = attempt.table("samples")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    name = path.relative_to(run.results).as_posix()
    assert verify_seal(run, attempt) == [f"{name}: changed since it was sealed"]


def test_missing_and_extra_files_are_told(sealed: tuple[RunPaths, AttemptPaths]) -> None:
    run, attempt = sealed
    attempt.manifest.unlink()
    (attempt.hosts / "n2.json").parent.mkdir()
    (attempt.hosts / "n2.json").write_text("{}")
    folder = attempt.folder.relative_to(run.results).as_posix()
    assert verify_seal(run, attempt) == [
        f"{folder}/manifest.json: missing",
        f"{folder}/hosts/n2.json: not in the seal",
    ]


def test_changed_prompts_are_told(sealed: tuple[RunPaths, AttemptPaths]) -> None:
    run, attempt = sealed
    run.prompts("0" * 64).write_text("other prompts\n")
    assert verify_seal(run, attempt) == [f"prompts/{'0' * 64}.jsonl: changed since it was sealed"]


def test_seal_of_another_run_is_told(sealed: tuple[RunPaths, AttemptPaths]) -> None:
    run, attempt = sealed
    write_json(attempt.seal, {**read_json(attempt.seal), "run_id": "other"})
    assert verify_seal(run, attempt) == [
        f"seal: `run_id` must be {run.run_id!r}, but is 'other' instead"
    ]


def test_seal_cannot_point_outside_the_results(sealed: tuple[RunPaths, AttemptPaths]) -> None:
    run, attempt = sealed
    content = read_json(attempt.seal)
    content["files"]["../../../etc/passwd"] = "0" * 64
    write_json(attempt.seal, content)
    assert verify_seal(run, attempt) == ["../../../etc/passwd: outside the results folder"]


def test_sealing_again_changes_nothing(sealed: tuple[RunPaths, AttemptPaths]) -> None:
    run, attempt = sealed
    before = attempt.seal.read_bytes()
    assert seal_attempt(run, attempt) == read_json(attempt.seal)
    assert attempt.seal.read_bytes() == before


def test_leftover_of_a_cut_off_write_is_no_part_of_the_record(
    sealed: tuple[RunPaths, AttemptPaths],
) -> None:
    run, attempt = sealed
    (attempt.folder / ".samples.parquet.77.tmp").write_bytes(b"half")
    assert verify_seal(run, attempt) == []


@pytest.mark.parametrize("state", ["failed", "cancelled", "timeout", "lost"])
def test_attempt_that_did_not_complete_is_never_sealed(tmp_path: Path, state: str) -> None:
    run, attempt = make_attempt(tmp_path)
    end_attempt(attempt, state)
    merge_attempt(run, attempt)
    with pytest.raises(ValueError, match=f"must be completed to be sealed, but is {state}"):
        seal_attempt(run, attempt)
    assert not attempt.seal.exists()


def test_second_attempt_of_a_sealed_run_is_not_sealed(
    sealed: tuple[RunPaths, AttemptPaths],
) -> None:
    run, attempt = sealed
    second = run.attempt(2)
    second.folder.mkdir()
    second.launch.write_bytes(attempt.launch.read_bytes())
    end_attempt(second)
    merge_attempt(run, second)
    with pytest.raises(ValueError, match="at most one sealed attempt, but 1 is sealed"):
        seal_attempt(run, second)
