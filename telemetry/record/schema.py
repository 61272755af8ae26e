"""The tables of a run, their columns and units, and the words they use."""

from enum import StrEnum
from typing import Final

import pyarrow as pa

SCHEMA_VERSION: Final = 1
"""Raised whenever a column changes its name, unit or meaning."""

METADATA_KEY: Final = b"joulegrid"
"""Key of the JSON object in every shard's and table's Arrow schema metadata."""


class Phase(StrEnum):
    """What a rank was doing; the phases of a rank tile its time from start to end."""

    STARTUP = "startup"
    """Process group, imports, prompts: before anything is on the GPU."""
    IDLE = "idle"
    """Deliberate rest before the model loads: the idle baseline."""
    LOAD = "load"
    """Building the model and filling its weights."""
    WARMUP = "warmup"
    """A batch whose answers are thrown away."""
    ENCODE = "encode"
    """An encoder's pass over a batch's prompts, before PREFILL; models without one have none."""
    PREFILL = "prefill"
    """The forward pass over a batch's prompts, up to the first sampled token; after ENCODE that of
    the decoder's start token, which makes the keys and values of what was encoded."""
    DECODE = "decode"
    """The token-by-token passes of a batch."""
    ANSWER = "answer"
    """A whole batch of an engine that does not tell the two apart: it has no PREFILL, no DECODE."""
    OVERHEAD = "overhead"
    """Between batches: tokenizing, detokenizing, writing."""
    SHUTDOWN = "shutdown"
    """After the last batch."""


class EndState(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    """All prompts answered, all shards closed."""
    FAILED = "failed"
    """A rank raised or died."""
    CANCELLED = "cancelled"
    """Somebody stopped it."""
    TIMEOUT = "timeout"
    """Its time limit ran out."""
    LOST = "lost"
    """It vanished without a word: killed, or its node died."""


SAMPLES: Final = pa.schema(
    [
        # Sensor's own time on the host's steady clock, microseconds since the Unix epoch.
        pa.field("t_us", pa.int64(), nullable=False),
        pa.field("host", pa.string(), nullable=False),
        # GPU UUID; `host`; `rank-00003` (a process); `package-0` or `dram-0` (a powercap zone).
        pa.field("device", pa.string(), nullable=False),
        # Column name of `telemetry.record.fields.FIELDS`.
        pa.field("field", pa.string(), nullable=False),
        # In the field's unit; null when there was no reading, with the reason beside it.
        pa.field("value", pa.float64()),
        pa.field("reason", pa.string()),
    ]
)

SPANS: Final = pa.schema(
    [
        pa.field("t_start_us", pa.int64(), nullable=False),
        pa.field("t_end_us", pa.int64(), nullable=False),
        pa.field("host", pa.string(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        # Joins to `samples.device`; null when the rank has no GPU, real or simulated.
        pa.field("gpu_uuid", pa.string()),
        pa.field("phase", pa.string(), nullable=False),
        # Null outside batches; -1 is the warm-up batch.
        pa.field("batch", pa.int32()),
        pa.field("prompts", pa.int32(), nullable=False),
        pa.field("prompt_tokens", pa.int64(), nullable=False),
        # Ids sampled and kept: not the prompt, not after end-of-sequence, not beyond max_gen_len.
        pa.field("generated_tokens", pa.int64(), nullable=False),
        # The generated text split on white space.
        pa.field("words", pa.int64(), nullable=False),
        # The GPU's own energy counter as the rank read it at the span's edges.
        pa.field("energy_start_j", pa.float64()),
        pa.field("energy_end_j", pa.float64()),
        # Why the two above are null.
        pa.field("energy_reason", pa.string()),
        # The two were read between the edge and this long after it; null where they are.
        pa.field("energy_start_late_us", pa.int64()),
        pa.field("energy_end_late_us", pa.int64()),
    ]
)

RESPONSES: Final = pa.schema(
    [
        pa.field("batch", pa.int32(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        # Line of the run's prompts file, counted from 0.
        pa.field("prompt", pa.int32(), nullable=False),
        pa.field("prompt_tokens", pa.int32(), nullable=False),
        pa.field("generated_tokens", pa.int32(), nullable=False),
        pa.field("words", pa.int32(), nullable=False),
        pa.field("generated_ids", pa.list_(pa.int32()), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        # When the first and the last of its kept ids were chosen: each is the `t_us` of a step of
        # its batch; null when no id was kept.
        pa.field("first_token_us", pa.int64()),
        pa.field("last_token_us", pa.int64()),
        # True when an end-of-sequence id that was not ignored cut the answer.
        pa.field("ended", pa.bool_(), nullable=False),
        # What the prompt's data set holds for right, and for wrong, each a JSON array of texts, as
        # no list of texts is read of what anybody may have written; null where it has none.
        pa.field("references", pa.string()),
        pa.field("wrong_references", pa.string()),
        # Of an engine that takes prompts as requests of their own: when each came, was handed to
        # it and left it. Null where it came, was handed over or left with its batch.
        pa.field("arrived_us", pa.int64()),
        pa.field("sent_us", pa.int64()),
        pa.field("finished_us", pa.int64()),
    ]
)

STEPS: Final = pa.schema(
    [
        pa.field("batch", pa.int32(), nullable=False),
        # Counted from 0, which is prefill's.
        pa.field("step", pa.int32(), nullable=False),
        # When its tokens were chosen, on the clock of rank 0's host: the begin of the batch's
        # PREFILL span and the time since then as the device counted it.
        pa.field("t_us", pa.int64(), nullable=False),
        # Rows that kept a token of this step; a batch's sum is its generated tokens.
        pa.field("rows", pa.int32(), nullable=False),
    ]
)

TABLES: Final = {"samples": SAMPLES, "spans": SPANS, "responses": RESPONSES, "steps": STEPS}

LATER: Final = ("steps",)
"""Tables that records from before they were there lack: merged where there are shards of them."""

# Columns were added to these; nothing else about them has changed, so records go by version 1.
_REFERENCES: Final = ("references", "wrong_references")
_TIMES: Final = ("first_token_us", "last_token_us", "ended")
_REQUESTS: Final = ("arrived_us", "sent_us", "finished_us")


def _without(schema: pa.Schema, *names: str) -> pa.Schema:
    return pa.schema([field for field in schema if field.name not in names])


_OLDER: Final = {
    "responses": (
        _without(RESPONSES, *_REQUESTS),
        _without(RESPONSES, *_REQUESTS, *_REFERENCES),
        _without(RESPONSES, *_REQUESTS, *_REFERENCES, *_TIMES),
    ),
    "spans": (_without(SPANS, "energy_start_late_us", "energy_end_late_us"),),
}


def schema_of(kind: str, found: pa.Schema) -> pa.Schema | None:
    """Which schema of a table a file's is, today's or an older one; None when it is none of them.

    Metadata are not looked at, and the schema returned has none.
    """
    bare = found.remove_metadata()
    known = (TABLES[kind], *_OLDER.get(kind, ()))
    return next((schema for schema in known if bare.equals(schema)), None)
