"""Trace columns: unit and meaning of what a run's own tables hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from analysis.tables.column import UNIT_OF_ROW


@dataclass(frozen=True, kw_only=True)
class TraceColumn:
    """What one column of a record's table is."""

    unit: str
    """SI unit; empty for text and flags, `1` for counts."""
    meaning: str
    """Definition, in a sentence."""
    reason: str = ""
    """Column that says why it is null; empty: it has none."""

    def to_metadata(self) -> dict[str, str]:
        """What its Arrow field says: the same keys as of the analysis' tables."""
        return {
            "unit": self.unit,
            "meaning": self.meaning,
            "uncertainty": "",
            "low": "",
            "high": "",
            "reason": self.reason,
        }


def _text(meaning: str) -> TraceColumn:
    return TraceColumn(unit="", meaning=meaning)


def _count(meaning: str) -> TraceColumn:
    return TraceColumn(unit="1", meaning=meaning)


def _time(what: str) -> TraceColumn:
    return TraceColumn(
        unit="us", meaning=f"{what}: since the Unix epoch, on the clock of rank 0's host."
    )


def _since(what: str) -> TraceColumn:
    return TraceColumn(
        unit="s", meaning=f"{what}: since the measured window began, less than 0 before it."
    )


_HOST: Final = _text("Node.")
_BATCH: Final = _count("Number of the batch; null outside batches, less than 0 in the warm-up.")
_PROMPT_TOKENS: Final = _count("Tokens of the prompts, after cutting.")
_GENERATED: Final = _count("Ids sampled and kept: not the prompt, not after end-of-sequence.")
_WORDS: Final = _count("The generated text split on white space.")

SAMPLES: Final[Mapping[str, TraceColumn]] = {
    "t_us": _time("When the sensor's value was of"),
    "t_s": _since("The same"),
    "host": _HOST,
    "device": _text(
        "What the reading is of: a GPU's UUID, `host`, `rank-00003`, a zone such as `package-0`."
    ),
    "field": _text("Which reading: docs/glossary.md has them all."),
    "value": TraceColumn(
        unit=UNIT_OF_ROW, meaning="The reading, in the row's unit.", reason="reason"
    ),
    "unit": _text("SI unit of the row's value, `1` for a ratio; null of a field not known here."),
    "reason": _text("Why there was no reading."),
}
SPANS: Final[Mapping[str, TraceColumn]] = {
    "t_start_us": _time("When the span began"),
    "t_end_us": _time("When it ended"),
    "t_start_s": _since("When it began"),
    "t_end_s": _since("When it ended"),
    "host": _HOST,
    "rank": _count("Model-parallel rank, from 0."),
    "gpu_uuid": _text("The rank's GPU, `device` of its samples; null: it has none."),
    "phase": _text("What the rank was doing: docs/glossary.md has all phases."),
    "batch": _BATCH,
    "prompts": _count("Prompts of the batch, in the span in which they count."),
    "prompt_tokens": _PROMPT_TOKENS,
    "generated_tokens": _GENERATED,
    "words": _WORDS,
    "energy_start_j": TraceColumn(
        unit="J",
        meaning="The GPU's energy counter as its rank read it at the begin.",
        reason="energy_reason",
    ),
    "energy_end_j": TraceColumn(unit="J", meaning="The same at the end.", reason="energy_reason"),
    "energy_reason": _text("Why the two are null."),
    "energy_start_late_us": TraceColumn(
        unit="us", meaning="The first was read between the begin and this long after it."
    ),
    "energy_end_late_us": TraceColumn(
        unit="us", meaning="The second was read between the end and this long after it."
    ),
}
RESPONSES: Final[Mapping[str, TraceColumn]] = {
    "batch": _BATCH,
    "row": _count("Place in the batch, from 0."),
    "prompt": _count("Line of the run's prompts file, from 0."),
    "prompt_tokens": _PROMPT_TOKENS,
    "generated_tokens": _GENERATED,
    "words": _WORDS,
    "generated_ids": _count("The tokenizer's ids that were sampled and kept."),
    "text": _text("Those ids as text."),
    "first_token_us": _time("When the first of them was chosen; null: none was, or not recorded"),
    "last_token_us": _time("When the last of them was chosen; null: none was, or not recorded"),
    "ended": _text("True when an end-of-sequence id that was not ignored cut the answer."),
    "references": _text("Right answers in the data set, a JSON array of texts; null: none."),
    "wrong_references": _text("Wrong answers of it; null: none."),
    "arrived_us": _time("When its request came; null: with its batch"),
    "sent_us": _time("When the engine was handed it; null: with its batch"),
    "finished_us": _time("When the engine was done with it; null: at its batch's end"),
}
STEPS: Final[Mapping[str, TraceColumn]] = {
    "batch": _BATCH,
    "step": _count("Round in which each row gets a token at most; 0 is prefill's."),
    "t_us": _time("When its tokens were chosen"),
    "t_s": _since("The same"),
    "rows": _count("Rows that kept a token of this step."),
}
TRACES: Final[Mapping[str, Mapping[str, TraceColumn]]] = {
    "samples": SAMPLES,
    "spans": SPANS,
    "responses": RESPONSES,
    "steps": STEPS,
}
"""The columns of each table of a record, with those that `Trace` adds to it, in order."""
MEANINGS: Final[Mapping[str, str]] = {
    "samples": "one value of one reading of one device at one time",
    "spans": "what a rank did from when to when",
    "responses": "one prompt's answer",
    "steps": "when the tokens of a batch's step were chosen",
}
"""What a row of each is."""
LABELS: Final[Mapping[str, TraceColumn]] = {
    "run_id": _text("Slug and digest of the run's spec."),
    "simulated": _text("True when the GPU is a stated power model: no measurement."),
    "labels": _text("What a reader has to know of the run first, in words; null: nothing."),
    "random_weights": _text("True when nobody trained the weights: the answers are noise."),
    "changed_code": _text("True when the code had changes that no commit holds; null: unknown."),
    "partial_record": _text("True when parts are damaged or missing, or readings cannot be."),
}
"""Columns that every trace ends in."""
