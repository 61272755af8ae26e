"""What merging does with readings of old watchers that cannot be: null, told and counted."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from telemetry.merge.__main__ import main
from telemetry.merge.attempt import merge_attempt
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, RunPaths
from tests.support.record_answers import T0_US
from tests.support.records import Plan, build_run
from tests.support.watched_attempts import (
    Row,
    end_attempt,
    make_attempt,
    sample_columns,
    shard_writer,
)

A100 = {"uuid": "GPU-1", "name": "NVIDIA A100-SXM4-80GB", "power_limit_max_w": 400.0}
S = 1_000_000


def merged(folder: Path, rows: list[Row]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The samples table and the manifest that an old watcher's rows become."""
    run, attempt = make_attempt(folder)
    with shard_writer(attempt, "samples", attempt.samples_shard("n1"), gpus=[A100]) as writer:
        writer.write(sample_columns(rows))
    end_attempt(attempt, "cancelled")
    manifest = merge_attempt(run, attempt)
    return pq.read_table(attempt.table("samples")).to_pylist(), manifest


def rows(field: str, *values: float | None) -> list[Row]:
    return [
        (place * S, "n1", "GPU-1", field, value, None if value is not None else "lost")
        for place, value in enumerate(values)
    ]


def told(table: list[dict[str, Any]]) -> list[float | str | None]:
    return [row["reason"] if row["value"] is None else row["value"] for row in table]


ABOVE = (
    "the sensor gave a value above 800 W, 2 times the board's power limit of 400 W, which cannot be"
)


def test_a_reading_that_cannot_be_is_null_and_the_manifest_counts_it(tmp_path: Path) -> None:
    table, manifest = merged(tmp_path, rows("power_instant_w", 300.0, 1_500.0, 1_600.0, 310.0))
    assert told(table) == [300.0, ABOVE, ABOVE, 310.0]
    assert manifest["impossible"] == [
        {
            "host": "n1",
            "device": "GPU-1",
            "field": "power_instant_w",
            "reason": ABOVE,
            "readings": 2,
            "first_us": S,
            "first_value": "1500",
        }
    ]
    said = "n1: 2 readings of power_instant_w of GPU-1 cannot be and are null"
    assert f"{said}, the first 1500 at t_us {S}: {ABOVE}" in manifest["notes"]
    (covered,) = manifest["coverage"]
    assert (covered["got"], covered["nulls"]) == (2, {ABOVE: 2})


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, -0.001, 0.0, 1e300, 4_294_967.295], ids=str
)
def test_what_is_no_power_is_null(tmp_path: Path, value: float) -> None:
    table, manifest = merged(tmp_path, rows("power_sample_w", 300.0, value, 310.0))
    assert [row["value"] for row in table] == [300.0, None, 310.0]
    assert manifest["impossible"][0]["readings"] == 1


def test_a_record_without_a_fault_says_nothing_of_it(tmp_path: Path) -> None:
    table, manifest = merged(tmp_path, rows("power_instant_w", 300.0, None, 310.0))
    assert told(table) == [300.0, "lost", 310.0]
    assert "impossible" not in manifest
    assert "missing" not in manifest


def test_a_counter_that_stands_leaps_or_goes_back_is_null(tmp_path: Path) -> None:
    table, manifest = merged(
        tmp_path, rows("energy_j", 100.0, 100.0, 300.0, 9e9, 500.0, 5.0, 105.0, None, 1.0)
    )
    assert [row["value"] for row in table] == [
        100.0,
        None,
        300.0,
        None,
        500.0,
        None,
        105.0,
        None,
        1.0,
    ]
    assert [one["reason"] for one in manifest["impossible"]] == [
        "the counter began anew",
        "the counter rose by more than 800 W can",
        "the counter stood still while power flowed",
    ]


def test_counters_are_judged_across_blocks_and_a_series_by_itself(tmp_path: Path) -> None:
    counted = rows("energy_j", *(100.0 * place for place in range(1, 400)), 7.0)
    others = [(t_us, "n1", "GPU-2", "energy_j", 5.0 + t_us / S, None) for t_us, *_ in counted]
    table, manifest = merged(tmp_path, [*counted, *others])
    assert sum(row["value"] is None for row in table) == 1
    (one,) = manifest["impossible"]
    assert (one["device"], one["first_value"]) == ("GPU-1", "7")


Change = Callable[[dict[str, Any]], dict[str, Any] | None]


def plan(sample: Change, **changes: Any) -> Plan:
    """A real A100's record whose watcher wrote what `sample` makes of it."""
    return Plan(
        sample=sample,
        spec={"gpu": "a100"},
        hosts={"source": {"name": "nvml", "driver": "535.104.05"}},
        gpu={"name": "NVIDIA A100-SXM4-80GB", "power_limit_w": 400.0},
        **changes,
    )


def wild_at_3_s(value: float) -> Change:
    return lambda row: (
        {**row, "value": value}
        if (row["field"], row["t_us"]) == ("power_instant_w", T0_US + 3 * S)
        else row
    )


def samples(run: RunPaths) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(run.attempt(1).table("samples")).to_pylist()
    return rows


@pytest.mark.parametrize("value", [1_500.0, 4_294_967.295, math.nan], ids=str)
def test_one_wild_reading_of_a_run_is_null_and_merging_again_says_the_same(
    tmp_path: Path, value: float
) -> None:
    run = build_run(tmp_path, plan(wild_at_3_s(value)))
    nulls = [row for row in samples(run) if row["value"] is None]
    assert [(row["field"], row["t_us"]) for row in nulls] == [("power_instant_w", T0_US + 3 * S)]
    again = tmp_path / "again"
    shutil.copytree(run.attempt(1).folder, again / run.run_id / "attempt-001")
    shutil.copy(run.spec, again / run.run_id / "spec.json")
    copy = RunPaths(results=again, run_id=run.run_id)
    copy.attempt(1).seal.unlink()
    merge_attempt(copy, copy.attempt(1))
    assert samples(copy) == samples(run)
    assert read_json(copy.attempt(1).manifest) == read_json(run.attempt(1).manifest)


def test_a_board_that_tells_0_w_and_0_j_all_run_long_has_no_power_and_no_energy(
    tmp_path: Path,
) -> None:
    def nothing(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "value": 0.0} if row["field"] in ("power_instant_w", "energy_j") else row

    run = build_run(tmp_path, plan(nothing))
    powers = [row for row in samples(run) if row["field"] == "power_instant_w"]
    assert {row["value"] for row in powers} == {None}
    counted = [row for row in samples(run) if row["field"] == "energy_j"]
    # Within its first second nothing tells a counter that stands from one that is slow.
    late = [row for row in counted if row["t_us"] >= counted[0]["t_us"] + S]
    assert late
    assert {row["value"] for row in late} == {None}


def spans(run: RunPaths) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(run.attempt(1).table("spans")).to_pylist()
    return rows


def rewritten(run: RunPaths, change: Change) -> list[dict[str, Any]]:
    """The spans of a built run, its shards changed as by a writer of before and merged again."""
    attempt = run.attempt(1)
    for path in sorted(attempt.shards("spans").glob("*/*.parquet")):
        table = pq.read_table(path)
        changed = [change(row) for row in table.to_pylist()]
        pq.write_table(type(table).from_pylist(changed, schema=table.schema), path)
    attempt.seal.unlink()
    merge_attempt(run, attempt)
    return spans(run)


@pytest.mark.parametrize(
    ("start_j", "end_j", "reason", "left"),
    [
        (math.nan, 900.0, "the sensor gave nan, which is no number", (None, 900.0)),
        (10.0, math.inf, "the sensor gave an infinite value, which is no number", (10.0, None)),
        (-5.0, 900.0, "the sensor gave a value below 0 J, which cannot be", (None, 900.0)),
        (900.0, 10.0, "the counter began anew, from 900.000 J to 10.000 J", (None, None)),
        (900.0, 900.0, "the counter stood still at 900.000 J while power flowed", (None, None)),
        (900.0, 1e11, "the counter rose by more than 1000 W can", (None, None)),
    ],
)
def test_a_rank_s_counter_that_cannot_be_is_null_in_its_span(
    tmp_path: Path, start_j: float, end_j: float, reason: str, left: tuple[float | None, ...]
) -> None:
    run = build_run(tmp_path, plan(lambda row: row, rank_counter=True))
    before = spans(run)
    longest = max(before, key=lambda row: row["t_end_us"] - row["t_start_us"])

    def lie(row: dict[str, Any]) -> dict[str, Any]:
        if row["t_start_us"] != longest["t_start_us"]:
            return row
        return {**row, "energy_start_j": start_j, "energy_end_j": end_j}

    after = rewritten(run, lie)
    (row,) = [row for row in after if row["t_start_us"] == longest["t_start_us"]]
    assert (row["energy_start_j"], row["energy_end_j"]) == left
    assert row["energy_reason"] == reason
    assert (row["energy_start_late_us"] is None) == (left[0] is None)
    assert len(after) == len(before)
    manifest = read_json(run.attempt(1).manifest)
    assert {one["device"] for one in manifest["impossible"]} == {"rank-00000"}


def unsealed(tmp_path: Path) -> tuple[RunPaths, AttemptPaths]:
    run = build_run(tmp_path / "results", plan(lambda row: row))
    attempt = run.attempt(1)
    attempt.seal.unlink()
    return run, attempt


@pytest.mark.parametrize(
    "content",
    [b"", b"PAR1", b"<html>", None],
    ids=["empty", "truncated", "another file", "a folder"],
)
def test_a_damaged_part_is_named_in_the_line_with_its_path(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    run, attempt = unsealed(tmp_path)
    (folder,) = attempt.shards("samples").iterdir()
    part = folder / "part-00000.parquet"
    part.unlink()
    if content is None:
        part.mkdir()
    else:
        part.write_bytes(content)
    assert main([str(run.results)]) == 0
    place = part.relative_to(attempt.folder).as_posix()
    assert f"1 part damaged: {place} (see manifest.json), sealed" in capsys.readouterr().out
    (damaged,) = [one for one in read_json(attempt.manifest)["parts"] if one["damage"]]
    assert damaged["path"] == place
    assert str(tmp_path) not in damaged["damage"]


@pytest.mark.parametrize("kind", ["responses", "spans", "steps", "samples"])
def test_parts_that_are_missing_altogether_are_named(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run, attempt = unsealed(tmp_path)
    shutil.rmtree(attempt.shards(kind))
    assert main([str(run.results)]) == 0
    assert f"MISSING: all parts of {kind}" in capsys.readouterr().out
    manifest = read_json(attempt.manifest)
    assert f"all parts of {kind}" in manifest["missing"]
    assert f"missing: all parts of {kind}" in manifest["notes"]


def test_one_rank_s_spans_and_a_part_before_another_are_missed(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan(spec={"gpus": 2, "gpus_per_node": 2}))
    attempt = run.attempt(1)
    attempt.seal.unlink()
    shutil.rmtree(attempt.rank_shard("spans", 1))
    (folder,) = attempt.shards("samples").iterdir()
    (folder / "part-00000.parquet").rename(folder / "part-00002.parquet")
    assert merge_attempt(run, attempt)["missing"] == [
        "all parts of spans of rank-00001",
        f"part 0 of shards/samples/{folder.name}",
        f"part 1 of shards/samples/{folder.name}",
    ]
