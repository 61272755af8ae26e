"""The digest of rows is the same whoever tells them, and of no other rows."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telemetry.record.schema import RESPONSES, SAMPLES, SPANS
from telemetry.shards.content import ContentDigest

SAMPLE_ROWS: list[dict[str, Any]] = [
    {"t_us": 1, "host": "n1", "device": "a", "field": "f", "value": 0.5, "reason": None},
    {"t_us": 2, "host": "n1", "device": "bc", "field": "f", "value": None, "reason": "none"},
    {"t_us": 3, "host": "n1", "device": "", "field": "g", "value": float("nan"), "reason": ""},
    {"t_us": 4, "host": "n1", "device": "é", "field": "g", "value": -0.0, "reason": None},
]
ANSWER: dict[str, Any] = {
    **{"batch": 0, "row": 0, "prompt": 0, "prompt_tokens": 3, "generated_tokens": 2, "words": 1},
    **{"generated_ids": [5, 6], "text": "a", "first_token_us": None, "last_token_us": 7},
    "ended": True,
    "references": '["a"]',
    "wrong_references": None,
    **dict.fromkeys(("arrived_us", "sent_us", "finished_us")),
}


def digest(batches: list[pa.RecordBatch], schema: pa.Schema = SAMPLES) -> str:
    content = ContentDigest(schema)
    for batch in batches:
        content.add(batch)
    return content.hexdigest()


def batch_of(rows: list[dict[str, Any]], schema: pa.Schema = SAMPLES) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def test_rows_in_other_batches_and_out_of_a_file_give_the_same(tmp_path: Path) -> None:
    whole = batch_of(SAMPLE_ROWS)
    wanted = digest([whole])
    assert digest([batch_of([row]) for row in SAMPLE_ROWS]) == wanted
    assert digest([whole.slice(0, 1), whole.slice(1, 3), whole.slice(4)]) == wanted
    pq.write_table(pa.Table.from_batches([whole]), tmp_path / "part.parquet", compression="zstd")
    assert digest(pq.read_table(tmp_path / "part.parquet").to_batches()) == wanted


@pytest.mark.parametrize("schema", [RESPONSES, SPANS])
def test_lists_truths_and_nulls_come_out_of_a_file_as_they_went_in(
    tmp_path: Path, schema: pa.Schema
) -> None:
    rows = [ANSWER, {**ANSWER, "row": 1, "generated_ids": [], "text": "", "ended": False}]
    if schema is SPANS:
        rows = [
            {field.name: 1 if pa.types.is_integer(field.type) else None for field in SPANS}
            | {"host": "n1", "phase": phase, "energy_end_j": 2.0}
            for phase in ("idle", "load")
        ]
    whole = batch_of(rows, schema)
    pq.write_table(pa.Table.from_batches([whole]), tmp_path / "part.parquet")
    read = pq.read_table(tmp_path / "part.parquet").to_batches()
    assert digest(read, schema) == digest([whole.slice(0, 1), whole.slice(1)], schema)


@pytest.mark.parametrize(
    "other",
    [
        {"value": 0.25},
        {"value": None},
        {"reason": ""},
        {"device": "ab", "field": ""},
        {"t_us": 2},
    ],
)
def test_other_rows_give_another_digest(other: dict[str, Any]) -> None:
    first, *rest = SAMPLE_ROWS
    assert digest([batch_of([{**first, **other}, *rest])]) != digest([batch_of(SAMPLE_ROWS)])


def test_the_same_ids_parted_otherwise_among_answers_are_other_rows() -> None:
    one = [ANSWER, {**ANSWER, "generated_ids": []}]
    other = [{**ANSWER, "generated_ids": [5]}, {**ANSWER, "generated_ids": [6]}]
    assert digest([batch_of(one, RESPONSES)], RESPONSES) != digest(
        [batch_of(other, RESPONSES)], RESPONSES
    )
