"""Groups: the table with one row a grid point, over its repeats, with their intervals."""

import math
from dataclasses import dataclass, fields
from functools import cached_property
from statistics import stdev
from typing import Any, Final

from analysis.runs.sealed_runs import Run
from analysis.statistics.intervals import Interval, widened, width_of_mean
from analysis.statistics.resampled import LEAST_RESAMPLED, intervals_by_rule, told
from analysis.tables.column import Cell, Column, ColumnsOf, Row
from analysis.tables.definitions import DEFINED_METRICS
from analysis.tables.labels import pooled_label_columns
from analysis.tables.launched import LAUNCHED, launch_key
from analysis.tables.performance import PERFORMANCE
from analysis.tables.point import POINT, engine_order, format_order, model_order, point_key
from analysis.tables.runs import RUNS
from analysis.tables.table import Results, TableKind

HEADLINE: Final = "energy_per_token_j"
"""The metric whose interval the page shows, and whose uncertainty stands apart."""
METRICS: Final = (
    HEADLINE,
    "charged_energy_per_token_j",
    "net_energy_per_token_j",
    "energy_per_response_j",
    "energy_j",
    "power_w",
    "duration_s",
    "tokens_per_s",
    "decode_tokens_per_s",
    "encode_tokens_per_s",
    "prefill_tokens_per_s",
    "first_token_mean_s",
    "first_token_p50_s",
    "first_token_p95_s",
    "first_token_p99_s",
    "inter_token_p50_s",
    "inter_token_p95_s",
    "inter_token_p99_s",
    "encode_flop_utilization",
    "encode_bandwidth_utilization",
    "prefill_flop_utilization",
    "prefill_bandwidth_utilization",
    "decode_flop_utilization",
    "decode_bandwidth_utilization",
    "decode_bandwidth_utilization_measured",
    "bound_share",
    "bound_share_measured",
    "decode_bound_share",
    "decode_bound_share_measured",
    "words_per_s",
    "responses_per_s",
    "gpu_utilization",
    "memory_copy_utilization_max",
    *DEFINED_METRICS,
)
"""Columns of runs and of performance that have a mean and an interval over repeats."""
_BASES: Final[dict[str, Column[Any]]] = {
    **{column.name: column for column in PERFORMANCE.columns},
    **{column.name: column for column in RUNS.columns},
}
# Metrics of which each repeat has an uncertainty by its sensors.
_SENSED: Final = tuple(
    name for name in METRICS if _BASES[name].plus_minus or _BASES[name].uncertainty
)
# What no run of a model without an encoder has, and what none of one with an encoder has: its lack
# is no fault of the repeats.
_OF_ENCODERS: Final = tuple(name for name in METRICS if name.startswith("encode_"))
_OF_OTHERS: Final = ("prefill_tokens_per_s",)
# What the page's first table leaves to the others: the files have all.
_LEFT_OUT: Final = frozenset(
    {
        *METRICS[METRICS.index("encode_tokens_per_s") : METRICS.index("gpu_utilization")],
        "memory_copy_utilization_max",
        *DEFINED_METRICS,
    }
)


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Runs that differ in nothing but `repeat`, measured under the same settings."""

    runs: tuple[Run, ...]
    """Its repeats, in the order of the tables."""
    rows: tuple[Row, ...]
    """Each run's row of runs and of performance, in one."""

    @cached_property
    def _scattered(self) -> dict[str, Interval | str]:
        """Each metric's interval by the scatter alone, or why there is not even a mean."""
        found: dict[str, Interval | str] = {}
        series: dict[str, list[float]] = {}
        for name in METRICS:
            values = [row[name] for row in self.rows]
            known = [float(value) for value in values if value is not None]
            if len(known) < len(values) or not known:
                lacking = len(values) - len(known)
                found[name] = f"{lacking} of {len(values)} repeats lack {name}"
            else:
                series[name] = known
        made = dict(zip(series, intervals_by_rule(list(series.values())), strict=True))
        return {name: made.get(name) or found[name] for name in METRICS}

    @cached_property
    def _intervals(self) -> dict[str, Interval | str]:
        """The same with the sensors' part."""
        return {
            name: widened(each, self._width(name)) if isinstance(each, Interval) else each
            for name, each in self._scattered.items()
        }

    def interval(self, name: str) -> Interval | None:
        interval = self._intervals[name]
        return interval if isinstance(interval, Interval) else None

    def end(self, name: str, end: str) -> float | None:
        """`mean`, `low` or `high` of a metric."""
        interval = self.interval(name)
        value: float | None = None if interval is None else getattr(interval, end)
        return value

    def scattered_end(self, name: str, end: str) -> float | None:
        """`low` or `high` of a metric by the scatter of its repeats alone."""
        interval = self._scattered[name]
        value: float | None = getattr(interval, end) if isinstance(interval, Interval) else None
        return value

    @property
    def interval_rule(self) -> str | None:
        """By what the headline's interval was made, and why by that; None without one."""
        interval = self.interval(HEADLINE)
        if interval is None or interval.low is None:
            return None
        return told(interval.n, resampled=interval.resampled)

    @property
    def scatter(self) -> float | None:
        """Standard deviation of the logarithms of the headline; None with fewer than two."""
        values = [row[HEADLINE] for row in self.rows]
        logs = [math.log(value) for value in values if isinstance(value, float) and value > 0]
        return stdev(logs) if len(logs) == len(values) > 1 else None

    @property
    def interval_reason(self) -> str | None:
        """The first reason why a metric has no interval."""
        encoded = any(row["encode_s"] is not None for row in self.rows)
        absent = _OF_OTHERS if encoded else _OF_ENCODERS
        reasons = (
            each.reason if isinstance(each, Interval) else each
            for name, each in self._intervals.items()
            if name not in absent
        )
        return next(filter(None, reasons), None)

    @property
    def gain(self) -> float | None:
        """The most that the boards' gain may come to in a repeat's energy per token."""
        if self.interval(HEADLINE) is None:
            return None
        gains = [
            float(row["energy_gain_uncertainty_j"]) / float(row["generated_tokens"])
            for row in self.rows
            if row["energy_gain_uncertainty_j"] is not None and row["generated_tokens"]
        ]
        return max(gains, default=None)

    def _width(self, name: str) -> float | None:
        """Expanded uncertainty of a metric's mean by the sensors alone; None when it has none."""
        column = _BASES[name]
        beside = column.plus_minus or column.uncertainty
        if beside is None:
            return None
        widths = [row[beside] for row in self.rows]
        known = [float(width) for width in widths if width is not None]
        return width_of_mean(known) if len(known) == len(widths) else None

    def sensor(self, name: str) -> float | None:
        """The same, where there is a mean."""
        return None if self.interval(name) is None else self._width(name)


_OF: Final = ColumnsOf[_Group]()


_SCATTERED: Final = (
    f"of the repeats' mean by the BCa bootstrap from {LEAST_RESAMPLED} repeats on, by Student's t "
    "of fewer"
)


def _interval_columns(name: str) -> tuple[Column[_Group], ...]:
    base = _BASES[name]
    headline = name == HEADLINE

    def end(which: str, side: str, word: str) -> Column[_Group]:
        return _OF.number(
            f"{name}_{which}",
            f"{base.label} {word}",
            base.unit,
            f"{side} end of {name}'s 95 % interval: {_SCATTERED}"
            + (f", each end widened in quadrature by {name}_sensor." if name in _SENSED else "."),
            lambda group: group.end(name, which),
            # The page shows the interval of the headline alone, where there are repeats.
            shown=headline,
            shown_with=f"{name}_low",
        )

    mean: Column[_Group] = Column(
        name=f"{name}_mean",
        label=base.label,
        unit=base.unit,
        meaning=f"Mean of {name} over the repeats.",
        value=lambda group: group.end(name, "mean"),
        type=base.type,
        shown=name not in _LEFT_OUT,
        shown_with=f"{name}_mean" if base.shown_with == name else base.shown_with,
        plus_minus=f"{name}_sensor" if headline else None,
        uncertainty=f"{name}_sensor" if name in _SENSED else None,
        interval=(f"{name}_low", f"{name}_high"),
    )
    return mean, end("low", "Lower", "from"), end("high", "Upper", "to")


def _sensor_column(name: str) -> Column[_Group]:
    return _OF.number(
        f"{name}_sensor",
        "±",
        _BASES[name].unit,
        f"Expanded uncertainty (k = 2) of {name}_mean by the sensors' timing alone: root sum of "
        "squares of the repeats' over n. It says nothing of how repeats scatter.",
        lambda group: group.sensor(name),
        shown=False,
    )


def _scattered_columns(name: str) -> tuple[Column[_Group], ...]:
    def end(which: str, side: str) -> Column[_Group]:
        return _OF.number(
            f"{name}_scatter_{which}",
            f"{_BASES[name].label} {side.lower()} by scatter",
            _BASES[name].unit,
            f"{side} end of {name}'s 95 % interval {_SCATTERED}; without the sensors' part. "
            f"{name}_sensor is that part, {name}_{which} both together.",
            lambda group: group.scattered_end(name, which),
            shown=False,
        )

    return end("low", "Lower"), end("high", "Upper")


def _idle_gpus(group: _Group) -> Cell:
    return max(int(row["idle_gpus"] or 0) for row in group.rows)


_COLUMNS: Final = (
    *(_OF.told(column, lambda group: group.runs[0].spec) for column in POINT),
    *(_OF.told(column, lambda group: group.runs[0]) for column in LAUNCHED),
    _OF.simulated(lambda group: any(run.simulated for run in group.runs)),
    *pooled_label_columns(_OF, lambda group, label: [row[label.name] for row in group.rows]),
    _OF.count(
        "n",
        "repeats",
        "Sealed runs that differ in nothing but `repeat`, measured under the same settings.",
        lambda group: len(group.runs),
    ),
    _OF.count(
        "idle_gpus",
        "idle GPUs",
        "GPUs that the jobs held and no rank worked on: the most of all repeats.",
        _idle_gpus,
        shown_with="idle_gpus",
    ),
    *(column for name in METRICS for column in _interval_columns(name)),
    *(column for name in _SENSED for column in _scattered_columns(name)),
    *map(_sensor_column, _SENSED),
    _OF.number(
        f"{HEADLINE}_gain",
        "± gain",
        "J",
        "What the boards' own errors of gain may come to in energy_per_token_j_mean: "
        "energy_gain_uncertainty_j / generated_tokens, the most of the repeats, as repeating does "
        "not lessen it. A limit, in no interval of this table: it cancels between runs on the "
        "same GPUs.",
        lambda group: group.gain,
        shown_with=f"{HEADLINE}_gain",
    ),
    _OF.number(
        f"{HEADLINE}_scatter",
        "scatter",
        "1",
        f"Standard deviation of the logarithms of the repeats' {HEADLINE}: about their relative "
        "one. Empty with fewer than two.",
        lambda group: group.scatter,
        shown=False,
    ),
    _OF.text(
        "interval_rule",
        "interval by",
        f"By what {HEADLINE}'s interval over the repeats was made, and why by that.",
        lambda group: group.interval_rule,
        shown=False,
    ),
    _OF.text(
        "interval_reason",
        "no interval",
        "Why there is no interval.",
        lambda group: group.interval_reason,
    ),
    _OF.text(
        "runs",
        "runs",
        "The runs in this row.",
        lambda group: " ".join(run.run_id for run in group.runs),
        shown=False,
    ),
)


def _grouped(results: Results) -> list[_Group]:
    groups: dict[tuple[str, str], list[tuple[Run, Row]]] = {}
    rows = zip(results.rows(PERFORMANCE), results.rows(RUNS), strict=True)
    for run, (speed, row) in zip(results.runs, rows, strict=True):
        key = point_key(run), launch_key(run)
        groups.setdefault(key, []).append((run, {**speed, **row}))
    made = [
        _Group(runs=tuple(run for run, _ in members), rows=tuple(row for _, row in members))
        for _, members in sorted(groups.items())
    ]
    return sorted(made, key=_group_order)


def _group_order(group: _Group) -> tuple[Any, ...]:
    spec = group.runs[0].spec
    return (
        *model_order(spec.model),
        *(spec.dataset, spec.gpu, spec.gpus, spec.nodes, spec.batch_size, spec.max_gen_len),
        spec.power_cap_w or 0.0,
        *engine_order(spec.engine),
        *format_order(spec.quantization, spec.dtype),
        *(_place(getattr(spec, one.name)) for one in fields(spec)),
        " ".join(run.run_id for run in group.runs),
    )


def _place(value: Cell) -> tuple[bool, Any]:
    """Sorts values of one field: what is not set stands first."""
    return value is not None, 0 if value is None else value


GROUPS: Final = TableKind(
    name="groups",
    title="Grid points",
    columns=_COLUMNS,
    of_results=_grouped,
    section="results",
    label="Results by grid point",
)
"""One row a grid point, over its repeats."""
