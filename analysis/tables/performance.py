"""Performance: the table of how fast each run was, and how near to what its GPUs allow."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.performance.latency import Latency
from analysis.performance.run_performance import KINDS, MEASURED, STATED, Performance
from analysis.tables.column import Column, ColumnsOf
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.point import POINT_BY_NAME
from analysis.tables.table import TableKind
from telemetry.boards.peaks import Peaks
from telemetry.record.schema import Phase

# Phases whose use of the GPUs is told.
_USED: Final = (Phase.ENCODE, Phase.PREFILL, Phase.DECODE)


@dataclass(frozen=True, kw_only=True)
class _Speed:
    of: Measured
    """The run that it is of."""

    @property
    def performance(self) -> Performance:
        return self.of.performance

    @property
    def times(self) -> Latency | None:
        latency = self.performance.latency
        return latency if isinstance(latency, Latency) else None

    @property
    def latency_reason(self) -> str | None:
        latency = self.performance.latency
        if isinstance(latency, str):
            return latency
        if latency.first_token_mean_s is None:
            return "no answer kept a token"
        return "no answer kept two tokens" if latency.inter_token_s(0.5) is None else None

    @property
    def first_token_mean_s(self) -> float | None:
        return None if self.times is None else self.times.first_token_mean_s

    @property
    def prefill_tokens_per_s(self) -> float | None:
        tokens, prefill_s = self.performance.prefilled_tokens, self.of.seconds(Phase.PREFILL)
        return None if tokens is None or not prefill_s else tokens / prefill_s

    @property
    def encode_tokens_per_s(self) -> float | None:
        encode_s = self.of.seconds(Phase.ENCODE)
        return self.of.prompt_tokens / encode_s if encode_s else None

    @property
    def peak_source(self) -> str | None:
        peaks = self.performance.peaks
        if not isinstance(peaks, Peaks):
            return None
        return "; ".join(filter(None, (peaks.source, peaks.measured_source)))

    @cached_property
    def utilizations(self) -> dict[tuple[Phase, str], tuple[float | None, float | None]]:
        """Shares of bandwidth and of operations, by phase and kind of peaks."""
        return {
            (phase, kind): self.performance.utilization(phase, kind)
            for phase in _USED
            for kind in KINDS
        }

    @cached_property
    def _bounds(self) -> dict[str, tuple[float | None, float | None]]:
        speed = self.performance
        return {
            kind: (speed.bound_tokens_per_s(kind), speed.decode_bound_tokens_per_s(kind))
            for kind in KINDS
        }

    def bound(self, kind: str) -> float | None:
        return self._bounds[kind][0]

    def decode_bound(self, kind: str) -> float | None:
        return self._bounds[kind][1]

    def missing(self, kind: str) -> str | None:
        """Why a use or a bound by one kind of peaks is missing; None where none is."""
        if self.performance.reason is not None:
            return self.performance.reason
        limits = self.performance.limits(kind)
        unknown = [
            name
            for name, limit in (
                ("bandwidth", limits.bytes_per_s),
                (f"operations in {self.of.spec.product_format}", limits.flop_per_s),
            )
            if limit is None
        ]
        if unknown:
            return f"nobody measured {' and '.join(unknown)} of such a board"
        phases = _USED if self.performance.encodes else (Phase.PREFILL, Phase.DECODE)
        uses = (self.utilizations[phase, kind] for phase in phases)
        found = (*(use for pair in uses for use in pair), *self._bounds[kind])
        rates = self.of.tokens_per_s, self.of.decode_tokens_per_s
        # A run without a token has a bound of 0, and no share of it.
        whole = None not in (*found, *rates) and all(self._bounds[kind])
        return None if whole else "a phase took no time, or chose no token"

    def missing_encode(self, kind: str) -> str | None:
        """Why the encoder's use by one kind of peaks is missing; None where it is not."""
        return self.missing(kind) if self.performance.encodes else "the model has no encoder"


_OF: Final = ColumnsOf[_Speed]()
# The column that says why what is held against a kind of peaks is missing.
_WHY: Final = {STATED: "performance_reason", MEASURED: "performance_measured_reason"}
# The same of the encoder's uses.
_WHY_ENCODE: Final = {STATED: "encode_reason", MEASURED: "encode_measured_reason"}
_AGAINST_MEASURED: Final = "the same against the peaks measured on such a board"


def _quantiles(
    stem: str,
    label: str,
    meaning: str,
    shown: tuple[float, ...],
    time_s: Callable[[Latency, float], float | None],
) -> tuple[Column[_Speed], ...]:
    def column(share: float, word: str) -> Column[_Speed]:
        name = f"p{share * 100:.0f}"
        return _OF.number(
            f"{stem}_{name}_s",
            f"{label} {name}",
            "s",
            f"{word} of {meaning}",
            lambda one: None if one.times is None else time_s(one.times, share),
            shown=share in shown,
            reason="latency_reason",
        )

    return column(0.50, "Median"), column(0.95, "95 % point"), column(0.99, "99 % point")


def _utilizations(phase: Phase) -> tuple[Column[_Speed], ...]:
    def column(flop: bool, kind: str) -> Column[_Speed]:
        what, label = ("flop", "FLOP use") if flop else ("bandwidth", "memory use")
        needed = "Operations" if flop else "Bytes"
        peak = "peak of the run's numbers" if flop else "peak bandwidth"
        stated = kind == STATED
        against = "as their datasheet states it" if stated else _AGAINST_MEASURED
        name = f"{phase.value}_{what}_utilization{'' if stated else '_measured'}"
        return _OF.share(
            name,
            f"{phase.value} {label}{'' if stated else ' (measured)'}",
            f"{needed} that the model needs of {phase.value.upper()} over its time and the GPUs' "
            f"{peak}, {against}.",
            lambda one: one.utilizations[phase, kind][flop],
            shown=flop is (phase is not Phase.DECODE),
            shown_with=name,
            reason=(_WHY_ENCODE if phase is Phase.ENCODE else _WHY)[kind],
        )

    return tuple(column(flop, kind) for flop in (True, False) for kind in (STATED, MEASURED))


def _bounds(
    stem: str,
    label: str,
    rate_name: str,
    meaning: str,
    *,
    rate: Callable[[_Speed], float | None],
    bound: Callable[[_Speed, str], float | None],
) -> tuple[Column[_Speed], ...]:
    def reached(one: _Speed, kind: str) -> float | None:
        most, own = bound(one, kind), rate(one)
        # A run without a token has a bound of 0.
        return None if not most or own is None else own / most

    def columns(kind: str, ending: str, mark: str, against: str) -> tuple[Column[_Speed], ...]:
        return (
            _OF.number(
                f"{stem}{ending}_tokens_per_s",
                f"{label}{mark}",
                "1/s",
                f"{meaning}; {against}.",
                lambda one: bound(one, kind),
                shown=not ending,
                shown_with=f"{stem}{ending}_tokens_per_s",
                reason=_WHY[kind],
            ),
            _OF.share(
                f"{stem}_share{ending}",
                f"of {label}{mark}",
                f"{rate_name} / {stem}{ending}_tokens_per_s.",
                lambda one: reached(one, kind),
                shown_with=f"{stem}_share{ending}",
                reason=_WHY[kind],
            ),
        )

    loose = f"{_AGAINST_MEASURED}, operations as stated where nobody measured them"
    return (
        *columns(STATED, "", "", "by the stated peaks"),
        *columns(MEASURED, "_measured", " (measured)", loose),
    )


def _real(value: int | None) -> float | None:
    return None if value is None else float(value)


_COLUMNS: Final = (
    _OF.run_id(lambda one: one.of.run_id),
    *(
        _OF.told(POINT_BY_NAME[name], lambda one: one.of.spec)
        for name in ("engine", "dtype", "quantization")
    ),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    _OF.number(
        "first_token_mean_s",
        "first token",
        "s",
        "Time to first token: from the begin of a request's batch to its first token, mean over "
        "all requests that kept one. No queue stands before a batch.",
        lambda one: one.first_token_mean_s,
        reason="latency_reason",
    ),
    *_quantiles(
        "first_token",
        "first token",
        "the time to first token over requests.",
        (0.95,),
        lambda times, share: times.first_token_s(share),
    ),
    *_quantiles(
        "inter_token",
        "next token",
        "the time between two tokens of one request: intervals between steps, each weighted by the "
        "rows that waited for both of its tokens; the one after prefill's token is the first.",
        (0.50, 0.95, 0.99),
        lambda times, share: times.inter_token_s(share),
    ),
    _OF.number(
        "encode_tokens_per_s",
        "encode tokens/s",
        "1/s",
        "Tokens of prompts over the time in ENCODE; empty where the model has no encoder.",
        lambda one: one.encode_tokens_per_s,
        shown_with="encode_tokens_per_s",
    ),
    _OF.number(
        "prefill_tokens_per_s",
        "prefill tokens/s",
        "1/s",
        "Tokens of prompts that PREFILL read over the time in it: under engine `reference` no more "
        "than each batch's shortest prompt has; empty where an encoder read them.",
        lambda one: one.prefill_tokens_per_s,
        reason="latency_reason",
    ),
    _OF.number(
        "decode_tokens_per_s",
        "decode tokens/s",
        "1/s",
        "Tokens chosen in DECODE over the time in it; as in the table of runs.",
        lambda one: one.of.decode_tokens_per_s,
    ),
    *_utilizations(Phase.ENCODE),
    *_utilizations(Phase.PREFILL),
    *_utilizations(Phase.DECODE),
    *_bounds(
        "bound",
        "bound",
        "tokens_per_s",
        "Roofline: generated tokens over the least time in which the same answers could be had, "
        "encode, prefill and decode, batch by batch the longer of moving the bytes and of doing "
        "the operations (docs/performance.md)",
        rate=lambda one: one.of.tokens_per_s,
        bound=lambda one, kind: one.bound(kind),
    ),
    *_bounds(
        "decode_bound",
        "decode bound",
        "decode_tokens_per_s",
        "Roofline of DECODE alone: tokens after each answer's first over the least time of its "
        "steps",
        rate=lambda one: one.of.decode_tokens_per_s,
        bound=lambda one, kind: one.decode_bound(kind),
    ),
    _OF.number(
        "weight_bytes_per_step",
        "weights read",
        "B",
        "Weights that a step reads, over all ranks: layers, norms and output head as they lie in "
        "memory, as the run counted them.",
        lambda one: _real(one.performance.model.weight_bytes),
        shown=False,
    ),
    _OF.number(
        "kv_bytes_per_position",
        "cache read",
        "B",
        "Keys and values of one position of one row, over all ranks.",
        lambda one: _real(one.performance.model.kv_bytes),
        shown=False,
    ),
    _OF.number(
        "peak_bytes_per_s",
        "bandwidth",
        "B/s",
        "Stated bandwidth of all GPUs.",
        lambda one: one.performance.limits(STATED).bytes_per_s,
        shown=False,
    ),
    _OF.number(
        "peak_flop_per_s",
        "operations",
        "1/s",
        "Stated dense operations a second of all GPUs, in the run's numbers.",
        lambda one: one.performance.limits(STATED).flop_per_s,
        shown=False,
    ),
    _OF.number(
        "peak_bytes_measured_per_s",
        "bandwidth, measured",
        "B/s",
        "Measured bandwidth of all GPUs; empty where nobody measured it.",
        lambda one: one.performance.limits(MEASURED).bytes_per_s,
        shown=False,
    ),
    _OF.number(
        "peak_flop_measured_per_s",
        "operations, measured",
        "1/s",
        "Measured dense operations a second of all GPUs; empty where nobody measured them.",
        lambda one: one.performance.limits(MEASURED).flop_per_s,
        shown=False,
    ),
    _OF.text(
        "peak_source",
        "peaks from",
        "Where the peaks come from.",
        lambda one: one.peak_source,
        shown=False,
    ),
    _OF.why(
        "latency_reason",
        "latency",
        "Why times to tokens are missing.",
        lambda one: one.latency_reason,
    ),
    _OF.why(
        "performance_reason",
        "bound",
        "Why uses and bounds by the stated peaks are missing.",
        lambda one: one.missing(STATED),
    ),
    _OF.why(
        "performance_measured_reason",
        "bound (measured)",
        "Why uses and bounds by the measured peaks are missing.",
        lambda one: one.missing(MEASURED),
    ),
    _OF.why(
        "encode_reason",
        "encode use",
        "Why the encoder's uses of the stated peaks are missing.",
        lambda one: one.missing_encode(STATED),
    ),
    _OF.why(
        "encode_measured_reason",
        "encode use (measured)",
        "Why the encoder's uses of the measured peaks are missing.",
        lambda one: one.missing_encode(MEASURED),
    ),
)

PERFORMANCE: Final = TableKind(
    name="performance",
    title="Speed",
    columns=_COLUMNS,
    of_run=lambda one: [_Speed(of=one)],
    section="speed",
    label="Latency, rates and bounds",
)
"""One row a sealed run: how fast, and how near to what its GPUs allow."""
