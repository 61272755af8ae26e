"""Format curve: joules and tokens a second of each format of weights, against rows side by side."""

from collections.abc import Callable
from typing import Final

from analysis.findings.format_points import FormatPoint, curve_points
from analysis.tables.column import Column, ColumnsOf
from analysis.tables.contrast import own_columns, point_columns
from analysis.tables.table import TableKind

_OF: Final = ColumnsOf[FormatPoint]()
# What stands first: what a curve is of, then what its points differ in.
_FIRST: Final = ("model", "dtype", "quantization", "batch_size", "engine", "gpus", "nodes", "gpu")
_NO_CLOCKS: Final = "too few readings say what held the clocks"


def _phase(phase: str) -> tuple[Column[FormatPoint], ...]:
    return _OF.uncertain(
        f"{phase}_energy_per_token_j",
        f"{phase} J / token",
        "J",
        f"Energy of {phase.upper()} over all generated tokens: mean over the repeats.",
        lambda one: one.phase_energy(phase),
        reason=f"{phase}_reason",
    )


def _why(name: str, label: str, value: Callable[[FormatPoint], str | None]) -> Column[FormatPoint]:
    return _OF.why(name, label, "Why it is missing.", value)


def _bound(name: str, label: str, meaning: str, reason: str) -> Column[FormatPoint]:
    return _OF.share(
        name, label, meaning, lambda one: one.mean(name), reason=reason, shown_with=name
    )


_COLUMNS: Final = (
    *point_columns(_OF, lambda one: one.group, _FIRST),
    _OF.text(
        "board",
        "board",
        "Product of the working GPUs, as the record names it.",
        lambda one: one.point.board,
    ),
    *own_columns(_OF, lambda one: one.group),
    *_phase("prefill"),
    *_phase("decode"),
    _OF.number(
        "prefill_per_batch_s",
        "prefill",
        "s",
        "Time in PREFILL over the batches of the window: mean over the repeats.",
        lambda one: one.prefill_per_batch_s,
        reason="prefill_per_batch_reason",
    ),
    _bound(
        "decode_bound_share",
        "decode of bound",
        "decode_tokens_per_s over the roofline bound of DECODE by the stated peaks: bytes and "
        "operations of that format.",
        "bound_reason",
    ),
    _bound(
        "decode_bound_share_measured",
        "decode of bound (measured)",
        "The same by the peaks measured on such a board.",
        "bound_measured_reason",
    ),
    _OF.share(
        "weight_bytes_share",
        "weights' bytes",
        "Weights' share of the bytes that the window moves, keys and values being the rest: what "
        "fewer bits of weight can spare.",
        lambda one: one.weight_share,
        reason="work_reason",
    ),
    _OF.share(
        "cap_bound_share",
        "limit bound",
        "Share of the window's readings at which a power limit, asked for or the board's own, held "
        "a clock down: mean over the repeats.",
        lambda one: one.mean("cap_bound_share"),
        reason="clocks_reason",
    ),
    _OF.share(
        "logit_relative_rms",
        "logit error",
        "Root mean square of the logits' difference from fp32 over that of fp32's logits, same "
        "weights, as in `formats`.",
        lambda one: one.logits.number("relative_rms"),
        reason="logit_reason",
    ),
    _OF.share(
        "logit_argmax_agreement",
        "same choice",
        "Share of the probe's tokens after which the likeliest token is fp32's.",
        lambda one: one.logits.number("argmax_agreement"),
        reason="logit_reason",
    ),
    *(
        _why(f"{phase}_reason", phase, lambda one, _phase=phase: one.phase_energy(_phase).reason)  # type: ignore[misc]
        for phase in ("prefill", "decode")
    ),
    _why(
        "prefill_per_batch_reason",
        "prefill",
        lambda one: "a run of it tells no prefill" if one.prefill_per_batch_s is None else None,
    ),
    _why("bound_reason", "bound", lambda one: one.reason("performance_reason")),
    _why("bound_measured_reason", "bound", lambda one: one.reason("performance_measured_reason")),
    _why(
        "work_reason",
        "bytes",
        lambda one: (
            one.reason("work_reason") or "it moved nothing" if one.weight_share is None else None
        ),
    ),
    _why(
        "clocks_reason",
        "limit",
        lambda one: _NO_CLOCKS if one.mean("cap_bound_share") is None else None,
    ),
    _why("logit_reason", "logit error", lambda one: one.logits.reason),
    _OF.text("runs", "runs", "The runs of the point.", lambda one: one.group["runs"], shown=False),
)

FORMAT_CURVE: Final = TableKind(
    name="format_curve",
    title="Formats of weights against rows",
    columns=_COLUMNS,
    of_results=curve_points,
    section="contrasts",
    heading="Formats of weights against rows side by side",
    text="Each model, board, number of GPUs and engine that was run in several formats of weights, "
    "at each number of rows answered together.",
)
"""One row a grid point of a curve that was run in several formats of weights."""
