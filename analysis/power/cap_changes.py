"""Cap changes: what a cap or a clock lock changes against the same work without one.

Points belong together when their specs are the same but for caps and clocks: one engine, board,
model, data set, batch and length. A cap that never bound and a clock that was not held say so in
their labels; what was achieved stands beside what was asked.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from analysis.power.cap_effects import boards_of, no_effect
from analysis.runs.sealed_runs import Run
from analysis.tables.column import Cell, Column, ColumnsOf, Row
from analysis.tables.conditions import CONDITIONS
from analysis.tables.contrast import SEVERAL, families, half_width, own_columns, point_columns
from analysis.tables.table import Results, TableKind

SETTINGS: Final = (
    *("power_cap_w", "sm_clock_mhz", "memory_clock_mhz", "prefill_power_cap_w"),
    *("prefill_sm_clock_mhz", "decode_power_cap_w", "decode_sm_clock_mhz"),
)
"""Fields of a spec that ask for a cap or a clock."""
# 365.25 days.
_HOURS_A_YEAR: Final = 8766.0
_W_PER_KW: Final = 1000.0


@dataclass(frozen=True, kw_only=True)
class CapChange:
    """One point beside the one of its family that is held down the least."""

    group: Row
    """The point, as the groups have it."""
    base: Row
    """The one without cap and lock, else that of the highest."""
    conditions: tuple[Row, ...]
    """What its runs were measured under."""
    no_effect: str | None = None
    """Why what it changes is not its cap's doing; None where it may be."""

    @property
    def is_base(self) -> bool:
        """True of the one that the others are held against."""
        return self.group is self.base

    def ratio(self, name: str) -> float | None:
        """A mean of the groups over the base's."""
        own, base = _real(self.group[f"{name}_mean"]), _real(self.base[f"{name}_mean"])
        return None if own is None or not base else own / base

    def relative(self, name: str) -> float | None:
        """What that ratio is uncertain by, as a share of it; None without both intervals."""
        parts = []
        for row in (self.group, self.base):
            mean = _real(row[f"{name}_mean"])
            half = half_width(row, name) if f"{name}_sensor" in row else _half(row, name)
            if not mean or half is None:
                return None
            parts.append(half / mean)
        return math.hypot(*parts)

    @property
    def energy(self) -> float | None:
        """Energy of a token over the base's."""
        return self.ratio("energy_per_token_j")

    @property
    def time(self) -> float | None:
        """Time of a token over the base's."""
        rate = self.ratio("tokens_per_s")
        return None if not rate else 1.0 / rate

    @property
    def delay(self) -> float | None:
        """Energy times time of a token over the base's."""
        return None if self.energy is None or self.time is None else self.energy * self.time

    @property
    def delay_relative(self) -> float | None:
        """What that is uncertain by, energy and time taken for independent."""
        parts = [self.relative("energy_per_token_j"), self.relative("tokens_per_s")]
        known = [part for part in parts if part is not None]
        return math.hypot(*known) if len(known) == len(parts) else None

    @property
    def saved_kwh(self) -> float | None:
        """Saved by a GPU that does this work a year long, at the base's tokens."""
        power, gpus = _real(self.base["power_w_mean"]), _real(self.base["gpus"])
        if self.energy is None or power is None or not gpus or self.no_effect is not None:
            return None
        return (1.0 - self.energy) * power / gpus * _HOURS_A_YEAR / _W_PER_KW

    def mean(self, name: str) -> float | None:
        """A number of its runs' conditions; None where one of them lacks it."""
        values = [_real(row[name]) for row in self.conditions]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known and len(known) == len(values) else None

    @property
    def reason(self) -> str | None:
        """Why a change or its ± is missing."""
        if self.is_base:
            return "the others are held against it"
        if self.no_effect is not None:
            return self.no_effect
        if self.energy is None:
            return "one of the two has no energy per token"
        if self.relative("tokens_per_s") is None:
            return "one of the two has no repeats: how far its time scatters is not known"
        return None


def _real(value: Cell) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _half(row: Row, name: str) -> float | None:
    low, high = _real(row[f"{name}_low"]), _real(row[f"{name}_high"])
    return None if low is None or high is None else (high - low) / 2.0


def _less_one(value: float | None, *, base: bool) -> float | None:
    return None if value is None or base else value - 1.0


def _times(value: float | None, relative: float | None, *, base: bool) -> float | None:
    return None if value is None or relative is None or base else value * relative


_OF: Final = ColumnsOf[CapChange]()


def _change(
    name: str,
    label: str,
    meaning: str,
    value: Callable[[CapChange], float | None],
    relative: Callable[[CapChange], float | None],
) -> tuple[Column[CapChange], ...]:
    stem = name.removesuffix("_share")
    beside = f"{stem}_uncertainty_share"
    return (
        _OF.share(
            name,
            label,
            f"{meaning} over that of the base, less 1.",
            lambda one: _less_one(value(one), base=one.is_base),
            plus_minus=beside,
            reason="reason",
        ),
        _OF.share(
            beside,
            "±",
            f"Of {name}: the relative half widths of both 95 % intervals in quadrature.",
            lambda one: _times(value(one), relative(one), base=one.is_base),
            shown=False,
        ),
    )


_COLUMNS: Final = (
    *point_columns(
        _OF,
        lambda one: one.group,
        ("model", "engine", "gpus", "nodes", "gpu", "dataset", "batch_size", "max_gen_len"),
    ),
    *own_columns(_OF, lambda one: one.group),
    _OF.flag(
        "base",
        "base",
        "True of the point that the others are held against: without cap and lock, else the "
        "highest of them.",
        lambda one: one.is_base,
    ),
    _OF.number(
        "sm_clock_mean_mhz",
        "clock read",
        "MHz",
        "Mean clock that was achieved, over window, working GPUs and repeats.",
        lambda one: one.mean("sm_clock_mean_mhz"),
        shown_with="sm_clock_mean_mhz",
    ),
    _OF.share(
        "cap_bound_share",
        "limit bound",
        "Share of readings at which a power limit held a clock down, mean over repeats.",
        lambda one: one.mean("cap_bound_share"),
        shown_with="sm_clock_mean_mhz",
    ),
    *_change(
        "time_change_share",
        "time",
        "Time of a token",
        lambda one: one.time,
        lambda one: one.relative("tokens_per_s"),
    ),
    *_change(
        "energy_change_share",
        "energy",
        "Energy of a token",
        lambda one: one.energy,
        lambda one: one.relative("energy_per_token_j"),
    ),
    *_change(
        "energy_delay_change_share",
        "energy x time",
        "Energy times time of a token",
        lambda one: one.delay,
        lambda one: one.delay_relative,
    ),
    _OF.number(
        "saved_per_gpu_year_kwh",
        "saved a GPU-year",
        "kWh",
        "Energy that a GPU saves which does this work alone a year long, 8766 hours at the base's "
        "power, for the base's tokens: they take longer by the time's change.",
        lambda one: None if one.is_base else one.saved_kwh,
        reason="reason",
    ),
    _OF.reason(lambda one: one.reason),
)


def _changes(results: Results) -> Iterator[CapChange]:
    conditions = {str(row["run_id"]): row for row in results.rows(CONDITIONS)}
    runs = {run.run_id: run for run in results.runs}
    for alike in families(results, SETTINGS):
        by_boards: dict[str, list[Row]] = {}
        for group in alike:
            by_boards.setdefault(boards_of(group, runs), []).append(group)
        for family in by_boards.values():
            yield from _of_family(family, runs, conditions)


def _of_family(
    family: Sequence[Row], runs: Mapping[str, Run], conditions: Mapping[str, Row]
) -> Iterator[CapChange]:
    if len(family) < SEVERAL or len({how_far(group) for group in family}) < SEVERAL:
        return
    base = max(family, key=how_far)
    for group in sorted(family, key=how_far, reverse=True):
        names = str(group["runs"]).split()
        yield CapChange(
            group=group,
            base=base,
            conditions=tuple(conditions[run] for run in names if run in conditions),
            no_effect=no_effect(group, base, runs),
        )


def how_far(group: Mapping[str, Cell]) -> tuple[float, ...]:
    """How far up a point of the groups may go: nothing asked is as far as can be."""
    return tuple(
        math.inf if (value := _real(group.get(name))) is None else value for name in SETTINGS
    )


CAP_CHANGES: Final = TableKind(
    name="cap_changes",
    title="Caps and clocks",
    columns=_COLUMNS,
    of_results=_changes,
    section="contrasts",
    heading="What a cap or a clock lock changes",
    text="Each point beside the same work by the same engine without cap and lock, or with the "
    "highest, on the same boards. A cap that never bound and a clock that was not held say so in "
    "their labels; a cap that never bound, or is no lower than what stood without, saves nothing.",
)
"""One row a grid point, where points of the same work differ in caps or clocks."""
