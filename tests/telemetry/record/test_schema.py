"""Tables of today and of records from before: merged as their shards are."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telemetry.merge.attempt import merge_attempt
from telemetry.record.schema import RESPONSES, SPANS, STEPS, TABLES, schema_of
from telemetry.shards.writer import ShardWriter
from tests.support.watched_attempts import end_attempt, make_attempt, shard_writer

REQUESTS = ("arrived_us", "sent_us", "finished_us")
TIMES = ("first_token_us", "last_token_us", "ended", "references", "wrong_references", *REQUESTS)
BEFORE = pa.schema([field for field in RESPONSES if field.name not in TIMES])
LATENESS = ("energy_start_late_us", "energy_end_late_us")
BEFORE_LATENESS = pa.schema([field for field in SPANS if field.name not in LATENESS])


def response(row: int) -> dict[str, Any]:
    return {
        "batch": 0,
        "row": row,
        "prompt": row,
        "prompt_tokens": 3,
        "generated_tokens": 1,
        "words": 1,
        "generated_ids": [7],
        "text": "x",
        "first_token_us": 100,
        "last_token_us": 100,
        "ended": False,
        "references": None,
        "wrong_references": None,
        **dict.fromkeys(REQUESTS),
    }


def columns(schema: pa.Schema, rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in schema.names}


def test_steps_are_merged_by_batch_and_step(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path)
    rows = [
        {"batch": batch, "step": step, "t_us": 10 * batch + step, "rows": 2}
        for batch, step in ((1, 1), (0, 1), (1, 0), (0, 0))
    ]
    with shard_writer(attempt, "steps", attempt.rank_shard("steps", 0)) as writer:
        writer.write(columns(STEPS, rows))
    end_attempt(attempt)
    manifest = merge_attempt(run, attempt)
    table = pq.read_table(attempt.table("steps"))
    assert table["t_us"].to_pylist() == [0, 1, 10, 11]
    assert manifest["tables"]["steps"] == {"rows": 4}


@pytest.mark.parametrize("close", [True, False])
def test_responses_of_an_older_record_are_merged_with_the_columns_they_had(
    tmp_path: Path, close: bool
) -> None:
    run, attempt = make_attempt(tmp_path)
    metadata = {"kind": "responses", "host": "n1", "simulated": False}
    writer = ShardWriter(attempt.rank_shard("responses", 0), BEFORE, metadata)
    writer.write(columns(BEFORE, [response(1), response(0)]))
    if close:
        writer.close()
    end_attempt(attempt)
    manifest = merge_attempt(run, attempt)
    table = pq.read_table(attempt.table("responses"))
    assert table.schema.remove_metadata().equals(BEFORE)
    assert table["row"].to_pylist() == [0, 1]
    assert [part["damage"] for part in manifest["parts"]] == [None]


def test_a_record_without_steps_gets_no_table_of_them(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path)
    end_attempt(attempt)
    manifest = merge_attempt(run, attempt)
    assert not attempt.table("steps").exists()
    assert sorted(manifest["tables"]) == ["responses", "samples", "spans"]


def test_a_file_of_other_columns_is_none_of_a_table_s_schemas() -> None:
    assert schema_of("responses", RESPONSES.with_metadata({b"a": b"b"})) == RESPONSES
    assert schema_of("responses", BEFORE) == BEFORE
    assert schema_of("spans", BEFORE_LATENESS) == BEFORE_LATENESS
    for kind, schema in TABLES.items():
        assert schema_of(kind, schema.append(pa.field("more", pa.int32()))) is None
