"""Formats: the table of grid points that were run in several formats of numbers and weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from analysis.performance.logit_error import LogitError
from analysis.tables.column import ColumnsOf, Row
from analysis.tables.contrast import SEVERAL, families, own_columns, point_columns
from analysis.tables.point import format_order, kept_words
from analysis.tables.table import Results, TableKind

_FORMATS: Final = ("dtype", "quantization", "kv_dtype")


@dataclass(frozen=True, kw_only=True)
class _Formatted:
    group: Row
    """The point, as the groups have it."""
    logits: LogitError
    """What its runs say of their logits."""

    @property
    def weight_bytes_per_step(self) -> float | None:
        counts = (member.weight_bytes for member in self.logits.members)
        return next((float(count) for count in counts if count is not None), None)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


_OF: Final = ColumnsOf[_Formatted]()

_COLUMNS: Final = (
    *point_columns(
        _OF,
        lambda one: one.group,
        ("model", "dtype", "quantization", "kv_dtype", "engine", "gpus", "nodes", "gpu", "dataset"),
    ),
    *own_columns(_OF, lambda one: one.group),
    _OF.share(
        "logit_relative_rms",
        "logit error",
        "Root mean square of the logits' difference from fp32 over that of fp32's logits, same "
        "weights, over the probe's tokens.",
        lambda one: one.logits.number("relative_rms"),
        reason="logit_reason",
    ),
    _OF.number(
        "logit_max_abs",
        "largest",
        "1",
        "Largest difference of a logit from fp32's.",
        lambda one: one.logits.number("max_abs"),
        reason="logit_reason",
    ),
    _OF.share(
        "logit_argmax_agreement",
        "same choice",
        "Share of the probe's tokens after which the likeliest token is fp32's.",
        lambda one: one.logits.number("argmax_agreement"),
        reason="logit_reason",
    ),
    _OF.count(
        "logit_probe_tokens",
        "probed",
        "Tokens compared.",
        lambda one: _whole(one.logits.number("probe_tokens")),
        shown=False,
    ),
    _OF.number(
        "weight_bytes_per_step",
        "weights read",
        "B",
        "Weights that a step reads, over all ranks.",
        lambda one: one.weight_bytes_per_step,
        shown_with="weight_bytes_per_step",
    ),
    _OF.text(
        "logit_reason",
        "logit error: why not",
        "Why it is missing.",
        lambda one: one.logits.reason,
        shown=False,
    ),
)


def _formatted(results: Results) -> Iterator[_Formatted]:
    runs = {run.run_id: run for run in results.runs}
    for family in families(results, _FORMATS):
        if len(family) < SEVERAL:
            continue
        order = sorted(
            family,
            key=lambda group: (
                *format_order(str(group["quantization"]), str(group["dtype"])),
                *kept_words(group),
            ),
        )
        for group in order:
            own = [runs[run_id] for run_id in str(group["runs"]).split()]
            yield _Formatted(group=group, logits=LogitError.of(own))


FORMATS: Final = TableKind(
    name="formats",
    title="Formats",
    columns=_COLUMNS,
    of_results=_formatted,
    section="contrasts",
    heading="Formats of numbers and weights",
)
"""One row a grid point that was run in several formats of numbers and weights."""
