"""Runs: the table with one row a sealed run."""

from dataclasses import replace
from typing import Final

from analysis.energy.run_energy import RunEnergy
from analysis.tables.column import ColumnsOf, Row
from analysis.tables.definitions import DEFINED, DEFINED_WHY_NOT
from analysis.tables.labels import label_columns
from analysis.tables.launched import LAUNCHED
from analysis.tables.measured import Measured
from analysis.tables.point import POINT
from analysis.tables.run_energies import SPLIT_ENERGY, WHY_NOT, WINDOW_ENERGY
from analysis.tables.table import TableKind
from telemetry.clock import US_PER_S
from telemetry.record.schema import Phase

_OF: Final = ColumnsOf[Measured]()
# What a run's name says already takes no column of the page.
_NAMED: Final = ("dataset", "gpu", "batch_size", "max_gen_len")

_COLUMNS: Final = (
    _OF.run_id(lambda one: one.run_id),
    *(
        replace(_OF.told(column, lambda one: one.spec), shown=column.name not in _NAMED)
        for column in POINT
    ),
    *(_OF.told(column, lambda one: one.run) for column in LAUNCHED),
    _OF.count(
        "repeat",
        "repeat",
        "Which repetition of the same work, from 0.",
        lambda one: one.spec.repeat,
    ),
    _OF.simulated(lambda one: one.simulated),
    *label_columns(_OF, lambda one: one),
    _OF.number(
        "duration_s",
        "time",
        "s",
        "The window: from the first prefill's start to the last decode's end over all ranks; one "
        "pass through all prompts, without loading and warm-up.",
        lambda one: one.duration_s,
    ),
    _OF.count(
        "start_us",
        "start",
        "The window's start, in microseconds since 1970 (Unix time) by the clock of rank 0's host.",
        lambda one: one.run_energy.window_us[0],
        shown=False,
    ),
    *WINDOW_ENERGY,
    _OF.number(
        "tokens_per_s",
        "tokens/s",
        "1/s",
        "generated_tokens / duration_s.",
        lambda one: one.tokens_per_s,
    ),
    _OF.number(
        "words_per_s",
        "words/s",
        "1/s",
        "words / duration_s.",
        lambda one: one.words / one.duration_s,
        shown=False,
    ),
    _OF.number(
        "responses_per_s",
        "responses/s",
        "1/s",
        "responses / duration_s.",
        lambda one: one.responses / one.duration_s,
        shown=False,
    ),
    _OF.count(
        "responses",
        "responses",
        "Prompts answered in the window.",
        lambda one: one.responses,
        shown=False,
    ),
    _OF.count(
        "generated_tokens",
        "tokens",
        "Ids sampled and kept, over all responses.",
        lambda one: one.tokens,
    ),
    _OF.count(
        "words",
        "words",
        "Generated text split on white space, over all responses.",
        lambda one: one.words,
        shown=False,
    ),
    _OF.count(
        "prompt_tokens",
        "prompt tokens",
        "Tokens of all prompts, after cutting.",
        lambda one: one.prompt_tokens,
        shown=False,
    ),
    _OF.number(
        "encode_s",
        "encode",
        "s",
        "Time in ENCODE: sum over batches, mean over ranks; empty where the model has no encoder.",
        lambda one: one.seconds(Phase.ENCODE) if one.performance.encodes else None,
        shown=False,
    ),
    _OF.number(
        "prefill_s",
        "prefill",
        "s",
        "Time in PREFILL: sum over batches, mean over ranks.",
        lambda one: one.seconds(Phase.PREFILL) if one.phased else None,
        shown=False,
    ),
    _OF.number(
        "decode_s",
        "decode",
        "s",
        "Time in DECODE: sum over batches, mean over ranks.",
        lambda one: one.seconds(Phase.DECODE) if one.phased else None,
        shown=False,
    ),
    _OF.number(
        "decode_tokens_per_s",
        "decode tokens/s",
        "1/s",
        "Tokens chosen in DECODE over decode_s: by the steps' record, which leaves out those of "
        "prefill's step; in a record without steps all but the first of each response. Engine "
        "`reference` reads what is longer than a batch's shortest prompt in DECODE, at its cost.",
        lambda one: one.decode_tokens_per_s,
    ),
    *SPLIT_ENERGY,
    _OF.share(
        "coverage_worst",
        "coverage",
        "Readings that came over readings expected in the window: the worst of all GPUs' power and "
        "energy fields.",
        lambda one: min((each.share for each in one.covered), default=None),
    ),
    _OF.number(
        "largest_gap_s",
        "largest gap",
        "s",
        "Longest time without a GPU power or energy reading.",
        lambda one: max((each.gap_us / US_PER_S for each in one.covered), default=None),
        shown=False,
    ),
    _OF.share(
        "gpu_utilization",
        "GPU busy",
        "Share of the window in which a kernel ran: mean over GPUs.",
        lambda one: one.run_energy.utilization.value,
    ),
    _OF.share(
        "memory_copy_utilization_max",
        "GPU memory busy, most",
        "Largest share of time in which a GPU's memory was read or written, of all GPUs' readings "
        "in the window; no share of what it holds.",
        lambda one: one.run_energy.memory_copying_most.value,
        shown=False,
    ),
    _OF.count(
        "attempt",
        "attempt",
        "Number of the sealed attempt.",
        lambda one: one.run.attempt.number,
        shown=False,
    ),
    *DEFINED,
    *WHY_NOT,
    *DEFINED_WHY_NOT,
)

RUNS: Final = TableKind(
    name="runs",
    title="Runs",
    columns=_COLUMNS,
    of_run=lambda one: [one],
    section="runs",
    label="Sealed runs",
)
"""One row a sealed run."""


def run_row(run_energy: RunEnergy) -> Row:
    """The row of one run."""
    (row,) = RUNS.rows([Measured(run_energy)])
    return row
