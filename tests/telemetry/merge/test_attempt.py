"""From shards to tables, manifest and seal, as the command does it."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from telemetry.merge.__main__ import main
from telemetry.merge.attempt import merge_attempt
from telemetry.record.clock_offset import HostOffset, OffsetReading
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.schema import LATER, METADATA_KEY, TABLES
from telemetry.record.seal import verify_seal
from telemetry.shards.writer import list_parts
from tests.conftest import REPOSITORY
from tests.support.watched_attempts import (
    Row,
    end_attempt,
    make_attempt,
    register_rank,
    sample_columns,
    shard_writer,
)


def write_samples(
    attempt: AttemptPaths, host: str, rows: Sequence[Row], *, close: bool = True
) -> None:
    writer = shard_writer(attempt, "samples", attempt.samples_shard(host))
    for start in range(0, len(rows), 10):
        writer.write(sample_columns(rows[start : start + 10]))
    if close:
        writer.close()


def power(host: str, *stamps: int) -> list[Row]:
    return [(t_us, host, "GPU-1", "power_instant_w", 100.0, None) for t_us in stamps]


def span(host: str, start_us: int, end_us: int, *, rank: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "t_start_us": start_us,
        "t_end_us": end_us,
        "host": host,
        "rank": rank,
    }
    row |= {"gpu_uuid": None, "phase": "prefill", "batch": 0, "prompts": 1}
    row |= {"prompt_tokens": 1, "generated_tokens": 1, "words": 1}
    row |= {"energy_start_j": None, "energy_end_j": None, "energy_reason": "none"}
    return row | {"energy_start_late_us": None, "energy_end_late_us": None}


def table_hashes(attempt: AttemptPaths) -> dict[str, str]:
    kinds = (kind for kind in TABLES if kind not in LATER)
    paths = [*(attempt.table(kind) for kind in kinds), attempt.manifest]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture
def completed(tmp_path: Path) -> tuple[RunPaths, AttemptPaths]:
    run, attempt = make_attempt(tmp_path)
    write_samples(attempt, "n2", power("n2", *range(5, 400, 10)))
    write_samples(attempt, "n1", power("n1", *range(0, 400, 10)))
    register_rank(attempt, 0, pid=1)
    end_attempt(attempt)
    return run, attempt


def test_merging_twice_gives_the_same_bytes(completed: tuple[RunPaths, AttemptPaths]) -> None:
    run, attempt = completed
    merge_attempt(run, attempt)
    first = table_hashes(attempt)
    merge_attempt(run, attempt)
    assert table_hashes(attempt) == first


def test_table_is_sorted_and_names_its_shards_and_simulation(
    completed: tuple[RunPaths, AttemptPaths],
) -> None:
    run, attempt = completed
    merge_attempt(run, attempt)
    table = pq.read_table(attempt.table("samples"))
    keys = list(zip(table["t_us"].to_pylist(), table["host"].to_pylist(), strict=True))
    assert keys == sorted(keys)
    assert table.schema.remove_metadata().equals(TABLES["samples"])
    metadata = json.loads(table.schema.metadata[METADATA_KEY])
    assert metadata["simulated"] is True
    assert sorted(metadata["shards"]) == ["n1", "n2"]
    assert metadata["run_id"] == run.run_id


def test_row_groups_are_zstd_with_statistics_of_time(
    completed: tuple[RunPaths, AttemptPaths],
) -> None:
    run, attempt = completed
    merge_attempt(run, attempt)
    column = pq.ParquetFile(attempt.table("samples")).metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"
    assert (column.statistics.min, column.statistics.max) == (0, 395)


def test_duplicates_are_dropped_and_counted(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path)
    write_samples(attempt, "n1", power("n1", 10, 20, 20, 30))
    write_samples(attempt, "n1", [(30, "n1", "GPU-1", "power_instant_w", 7.0, None)])
    end_attempt(attempt, "failed")
    manifest = merge_attempt(run, attempt)
    assert manifest["tables"]["samples"] == {
        "rows": 3,
        "duplicates": 2,
        "conflicts": 1,
        "t_first_us": 10,
        "t_last_us": 30,
    }


@pytest.mark.parametrize("keep", [0.3, 0.55, 0.9, 0.999])
def test_stream_cut_anywhere_costs_its_last_batch_and_nothing_else(
    tmp_path: Path, keep: float
) -> None:
    run, attempt = make_attempt(tmp_path)
    write_samples(attempt, "n1", power("n1", *range(100)))
    write_samples(attempt, "n2", power("n2", *range(200)), close=False)
    stream = list_parts(attempt.samples_shard("n2"))[0].path
    data = stream.read_bytes()
    stream.write_bytes(data[: int(len(data) * keep)])
    end_attempt(attempt, "failed")
    manifest = merge_attempt(run, attempt)
    whole, cut = manifest["parts"]
    assert (whole["rows"], whole["damage"]) == (100, None)
    assert 0 < cut["rows"] < 200
    assert cut["rows"] % 10 == 0
    assert "no whole batch" in cut["damage"]
    hosts = pq.read_table(attempt.table("samples"))["host"].to_pylist()
    assert (hosts.count("n1"), hosts.count("n2")) == (100, cut["rows"])


def test_part_that_is_no_parquet_file_is_named_by_its_path_in_the_attempt(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path)
    write_samples(attempt, "n1", power("n1", 1, 2))
    (attempt.samples_shard("n1") / "part-00001.parquet").write_bytes(b"PAR1 and no more PAR1")
    end_attempt(attempt, "failed")
    manifest = merge_attempt(run, attempt)
    good, bad = manifest["parts"]
    assert good["rows"] == 2
    assert bad["path"] == "shards/samples/n1/part-00001.parquet"
    assert bad["damage"]
    assert str(tmp_path) not in json.dumps(manifest)


def test_stamps_of_samples_and_spans_are_put_on_the_reference_host_s_clock(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path)
    write_samples(attempt, "n1", power("n1", 0, 10, 20))
    write_samples(attempt, "n2", power("n2", 1_000, 1_010, 1_020))
    with shard_writer(attempt, "spans", attempt.rank_shard("spans", 1), rank=1) as writer:
        writer.write({name: [value] for name, value in span("n2", 1_005, 1_015, rank=1).items()})
    reading = OffsetReading(t_us=0, offset_us=995, error_us=8, round_trip_us=16)
    offset = HostOffset(host="n2", reference_host="n1", start=reading, end=None)
    offset.write(attempt)
    end_attempt(attempt, "failed")
    manifest = merge_attempt(run, attempt)
    table = pq.read_table(attempt.table("samples"))
    assert table["t_us"].to_pylist() == [0, 5, 10, 15, 20, 25]
    assert table["host"].to_pylist() == ["n1", "n2"] * 3
    spans = pq.read_table(attempt.table("spans"))
    assert (spans["t_start_us"][0].as_py(), spans["t_end_us"][0].as_py()) == (10, 20)
    assert manifest["tables"]["samples"]["t_last_us"] == 25
    assert manifest["clocks"]["n2"]["error_us"] == 8
    assert "n1: clock offset taken as 0: none was measured" in manifest["notes"]
    first = table_hashes(attempt)
    merge_attempt(run, attempt)
    assert table_hashes(attempt) == first


def test_parts_of_a_watcher_that_was_started_again_overlap_without_repeating_a_reading(
    tmp_path: Path,
) -> None:
    run, attempt = make_attempt(tmp_path)
    write_samples(attempt, "n1", power("n1", *range(0, 300, 10)), close=False)
    write_samples(attempt, "n1", power("n1", *range(200, 500, 10)))
    end_attempt(attempt, "failed")
    manifest = merge_attempt(run, attempt)
    table = pq.read_table(attempt.table("samples"))
    assert table["t_us"].to_pylist() == list(range(0, 500, 10))
    assert manifest["tables"]["samples"]["duplicates"] == 10
    assert manifest["coverage"][0]["largest_gap_us"] == 10


def test_reading_a_stretch_of_time_touches_few_row_groups(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path)
    writer = shard_writer(attempt, "samples", attempt.samples_shard("n1"))
    for start in range(0, 300_000, 50_000):
        writer.write(sample_columns(power("n1", *range(start, start + 50_000))))
    writer.close()
    end_attempt(attempt, "failed")
    merge_attempt(run, attempt)
    (whole,) = ds.dataset(attempt.table("samples")).get_fragments()
    wanted = (pc.field("t_us") >= 100_000) & (pc.field("t_us") < 101_000)
    assert len(whole.split_by_row_group()) == 5
    assert len(whole.split_by_row_group(wanted)) == 1


def test_every_row_group_that_rotted_is_named_and_the_others_are_merged(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path)
    writer = shard_writer(attempt, "samples", attempt.samples_shard("n1"))
    for start in range(0, 200_000, 50_000):
        writer.write(sample_columns(power("n1", *range(start, start + 50_000))))
    writer.close()
    (part,) = list_parts(attempt.samples_shard("n1"))
    data = bytearray(part.path.read_bytes())
    for group in (0, 2):
        column = pq.read_metadata(part.path).row_group(group).column(0)
        start = column.dictionary_page_offset or column.data_page_offset
        data[start : start + 200] = bytes(200)
    part.path.write_bytes(data)
    end_attempt(attempt, "failed")
    manifest = merge_attempt(run, attempt)
    (found,) = manifest["parts"]
    assert found["rows"] == manifest["tables"]["samples"]["rows"] == 200_000 - 2 * 65_536
    assert "row group 0: " in found["damage"]
    assert "row group 2: " in found["damage"]


@pytest.mark.parametrize(
    "metadata", [{"host": None}, {"periods_us": None}, {"periods_us": {"power_instant_w": "10"}}]
)
def test_part_whose_writer_says_nonsense_of_itself_is_named_and_left_out(
    tmp_path: Path, metadata: dict[str, Any]
) -> None:
    run, attempt = make_attempt(tmp_path)
    write_samples(attempt, "n1", power("n1", 1, 2))
    folder = attempt.samples_shard("n2")
    with shard_writer(attempt, "samples", folder, **metadata) as writer:
        writer.write(sample_columns(power("n2", 3)))
    end_attempt(attempt, "failed")
    manifest = merge_attempt(run, attempt)
    assert manifest["tables"]["samples"]["rows"] == 2
    assert next(iter(metadata)) in manifest["parts"][1]["damage"]


def test_merge_on_a_full_disk_fails_and_leaves_no_half_a_table(
    completed: tuple[RunPaths, AttemptPaths],
) -> None:
    run, attempt = completed
    # Beyond its file size limit a process gets an error from write, as on a full disk.
    code = (
        "import resource, signal, sys; from telemetry.merge.__main__ import main; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); "
        "sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, str(run.results)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 1
    assert "not merged: " in done.stdout
    assert not attempt.table("samples").exists()
    assert not attempt.manifest.exists()
    assert [path for path in attempt.folder.iterdir() if path.name.startswith(".")] == []


def test_spans_and_responses_are_merged_in_order(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path)
    for rank in (1, 0):
        with shard_writer(attempt, "spans", attempt.rank_shard("spans", rank), rank=rank) as writer:
            for start in (0, 50):
                row = span("n1", start, start + 50, rank=rank)
                writer.write({name: [value] for name, value in row.items()})
    end_attempt(attempt)
    merge_attempt(run, attempt)
    table = pq.read_table(attempt.table("spans"))
    assert table["t_start_us"].to_pylist() == [0, 0, 50, 50]
    assert table["rank"].to_pylist() == [0, 1, 0, 1]
    assert pq.read_table(attempt.table("responses")).num_rows == 0


@pytest.mark.parametrize(("steady", "noted"), [(False, True), (True, False), (None, False)])
def test_a_run_that_never_became_steady_is_noted(
    completed: tuple[RunPaths, AttemptPaths], steady: bool | None, noted: bool
) -> None:
    run, attempt = completed
    write_json(attempt.model, {"warmup": {"steady": steady, "reason": "rates differ by 8 %"}})
    notes = merge_attempt(run, attempt)["notes"]
    said = "the warm-up ended before the run was steady: rates differ by 8 %" in notes
    assert said == noted


def test_coverage_counts_gaps_absences_and_what_was_due(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path)
    rows = power("n1", *range(0, 500, 10), *range(800, 1000, 10))
    rows.append((0, "n1", "package-0", "zone_energy_j", None, "not readable"))
    rows.append((1000, "n1", "host", "memory_used_bytes", 1.0, None))
    write_samples(attempt, "n1", sorted(rows))
    end_attempt(attempt, "failed")
    coverage = {row["field"]: row for row in merge_attempt(run, attempt)["coverage"]}
    assert coverage["power_instant_w"] == {
        "host": "n1",
        "device": "GPU-1",
        "field": "power_instant_w",
        "period_us": 10,
        "expected": 101,
        "got": 70,
        "nulls": {},
        "largest_gap_us": 310,
    }
    assert coverage["zone_energy_j"]["got"] == 0
    assert coverage["zone_energy_j"]["nulls"] == {"not readable": 1}
    assert coverage["zone_energy_j"]["largest_gap_us"] == 1000


def test_gpu_that_fell_silent_shows_a_gap_up_to_the_end_of_its_host(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path)
    rows = power("n1", 0, 10, 20)
    rows.append((500, "n1", "host", "memory_used_bytes", 1.0, None))
    write_samples(attempt, "n1", rows)
    end_attempt(attempt, "failed")
    coverage = {row["field"]: row for row in merge_attempt(run, attempt)["coverage"]}
    assert coverage["power_instant_w"]["largest_gap_us"] == 480
    assert coverage["power_instant_w"]["expected"] == 51


def test_command_seals_what_completed_and_says_what_comes_next(
    completed: tuple[RunPaths, AttemptPaths],
) -> None:
    run, attempt = completed
    command = [sys.executable, "-m", "telemetry.merge", str(run.results)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert f"{run.run_id} attempt 1: completed, 80 samples merged, MISSING: " in done.stdout
    assert f"next: python -m analysis {run.results}" in done.stdout
    assert verify_seal(run, attempt) == []


def test_command_leaves_a_sealed_attempt_untouched(
    completed: tuple[RunPaths, AttemptPaths], capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = completed
    assert main([str(run.results)]) == 0
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")}
    capsys.readouterr()
    assert main([str(run.results)]) == 0
    assert "sealed already, not touched" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")} == before


def test_command_merges_a_failed_attempt_and_never_seals_it(
    completed: tuple[RunPaths, AttemptPaths],
) -> None:
    run, attempt = completed
    write_json(attempt.ended, {"state": "failed", "reason": "rank 0 raised", "t_us": 1, "by": "x"})
    assert main([str(run.results)]) == 0
    assert read_json(attempt.manifest)["state"] == "failed"
    assert pq.read_table(attempt.table("samples")).num_rows == 80
    assert not attempt.seal.exists()


def test_command_names_an_attempt_it_could_not_merge_and_does_the_rest(
    completed: tuple[RunPaths, AttemptPaths], capsys: pytest.CaptureFixture[str]
) -> None:
    run, attempt = completed
    other, broken = make_attempt(run.results, spec={"seed": 2})
    end_attempt(broken)
    broken.launch.write_text("{")
    assert main([str(run.results)]) == 1
    captured = capsys.readouterr()
    assert f"{other.run_id} attempt 1: not merged: " in captured.out
    assert "1 of 2 attempts could not be merged" in captured.err
    assert attempt.seal.is_file()


def test_command_without_such_a_folder_exits_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "`results` must be a folder" in capsys.readouterr().err


def test_lost_attempt_is_labelled_and_its_telemetry_kept(tmp_path: Path) -> None:
    _, attempt = make_attempt(tmp_path)
    write_samples(attempt, "n1", power("n1", *range(20)), close=False)
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    write_json(
        attempt.started,
        {"t_us": 1, "host": os.uname().nodename, "pid": gone.pid, "pid_created_us": 1},
    )
    assert main([str(tmp_path)]) == 0
    assert read_json(attempt.ended)["state"] == "lost"
    assert read_json(attempt.manifest)["tables"]["samples"]["rows"] == 20
    assert not attempt.seal.exists()


def test_running_attempt_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, attempt = make_attempt(tmp_path)
    write_json(attempt.started, {"t_us": 1, "host": "far-away", "pid": 1, "pid_created_us": 1})
    assert main([str(tmp_path)]) == 0
    assert "attempt 1: running, left alone" in capsys.readouterr().out
    assert not attempt.manifest.exists()


def test_watcher_s_troubles_stand_in_the_notes(
    completed: tuple[RunPaths, AttemptPaths],
) -> None:
    run, attempt = completed
    attempt.watchers.mkdir()
    event = {"t_us": 7, "what": "clock_step", "step_us": -2_000_000}
    log = {"host": "n1", "end_reason": None, "ticks_missed": 0, "events": [event]}
    write_json(attempt.watchers / "n1.json", log)
    write_json(attempt.watchers / "n1.exit.json", {"host": "n1", "early": True, "exit_code": -9})
    notes = merge_attempt(run, attempt)["notes"]
    assert "n1: clock_step at t_us 7: step_us -2000000" in notes
    assert "n1: the watcher ended with -9 before the ranks' end" in notes
    assert "not watched: n1" in notes
