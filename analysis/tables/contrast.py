"""Contrast: grid points that differ in one thing alone.

Points belong together when their specs are the same but for what the contrast is about, so that
no other work explains a difference. Where they were measured under other settings of the launch,
the settings stand beside each.
"""

import math
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from analysis.tables.column import Cell, Column, ColumnsOf, Row
from analysis.tables.groups import GROUPS
from analysis.tables.labels import LABELS
from analysis.tables.launched import LAUNCH_SETTINGS
from analysis.tables.point import POINT_BY_NAME, point_key
from analysis.tables.table import Results

T = TypeVar("T")

# One point alone is no contrast.
SEVERAL: Final = 2
# Where answers end by themselves two draws of the same model differ in length: 64 answers whose
# lengths scatter by a fifth differ by 5 % in one case of twenty.
DRAWN: Final = 0.05
"""Share by which lengths of answers that end by themselves may differ where work is the same."""
HALF_WIDTH: Final = (
    "Half of its 95 % interval where there are repeats, else the sensors' expanded uncertainty "
    "(k = 2)."
)
RATIO_WIDTH: Final = (
    "Expanded uncertainty of the ratio: the relative ones of both in quadrature, each half of its "
    "95 % interval where there are repeats, else by its sensors. Empty: it stands over itself."
)
_BY_NAME: Final = {column.name: column for column in GROUPS.columns}


def families(results: Results, but: Iterable[str]) -> list[list[Row]]:
    """Points that are the same but for `but` and the repeat, in the order of the groups."""
    left_out = tuple(but)
    runs = {run.run_id: run for run in results.runs}
    found: dict[str, list[Row]] = {}
    for group in results.rows(GROUPS):
        key = point_key(runs[str(group["runs"]).split()[0]], left_out)
        found.setdefault(key, []).append(group)
    return list(found.values())


def half_width(group: Row, name: str = "energy_per_token_j") -> float | None:
    """Half of a point's interval of a metric, else its sensors' part."""
    low, high = group[f"{name}_low"], group[f"{name}_high"]
    if low is not None and high is not None:
        return (float(high) - float(low)) / 2.0
    width = group[f"{name}_sensor"]
    return None if width is None else float(width)


def ratio(value: Cell, base: Cell) -> float | None:
    """One number over another; None when there are not both."""
    if not isinstance(value, int | float) or not isinstance(base, int | float) or not base:
        return None
    return float(value) / float(base)


def ratio_width(group: Row, base: Row) -> float | None:
    """What the ratio of two points' energies per token is uncertain by; None over itself."""
    over = ratio(group["energy_per_token_j_mean"], base["energy_per_token_j_mean"])
    if over is None or group is base:
        return None
    parts = [ratio(half_width(one), one["energy_per_token_j_mean"]) for one in (group, base)]
    known = [part for part in parts if part is not None]
    return over * math.hypot(*known) if len(known) == len(parts) else None


def same_launch(one: Row, other: Row) -> bool:
    """Whether two points were measured under the same settings."""
    return all(one[name] == other[name] for name in LAUNCH_SETTINGS)


def point_columns(
    of: ColumnsOf[T], group: Callable[[T], Row], first: Iterable[str], but: Iterable[str] = ()
) -> tuple[Column[T], ...]:
    """All that tells points apart, as the groups have it: `first` before the rest."""
    ahead, left_out = tuple(first), set(but)
    rest = (name for name in (*POINT_BY_NAME, *LAUNCH_SETTINGS) if name not in {*ahead, *left_out})
    return tuple(of.carried(_BY_NAME[name], group) for name in (*ahead, *rest))


def own_columns(of: ColumnsOf[T], group: Callable[[T], Row]) -> tuple[Column[T], ...]:
    """What one point had, by its groups' means."""
    return (
        of.simulated(lambda one: group(one)["simulated"]),
        *(of.carried(column, group) for column in LABELS),
        of.count("n", "repeats", "Sealed runs of the point.", lambda one: group(one)["n"]),
        of.number(
            "power_w",
            "power",
            "W",
            "Mean power of all working GPUs together.",
            lambda one: group(one)["power_w_mean"],
            uncertainty="power_uncertainty_w",
        ),
        of.number(
            "power_uncertainty_w",
            "±",
            "W",
            HALF_WIDTH,
            lambda one: half_width(group(one), "power_w"),
            shown=False,
        ),
        of.number(
            "energy_per_token_j",
            "J / token",
            "J",
            "Energy per generated token: mean over repeats.",
            lambda one: group(one)["energy_per_token_j_mean"],
            plus_minus="energy_per_token_uncertainty_j",
        ),
        of.number(
            "energy_per_token_uncertainty_j",
            "±",
            "J",
            HALF_WIDTH,
            lambda one: half_width(group(one)),
            shown=False,
        ),
        of.number(
            "tokens_per_s",
            "tokens/s",
            "1/s",
            "Generated tokens over the whole window.",
            lambda one: group(one)["tokens_per_s_mean"],
        ),
        of.number(
            "decode_tokens_per_s",
            "decode tokens/s",
            "1/s",
            "Of DECODE alone.",
            lambda one: group(one)["decode_tokens_per_s_mean"],
        ),
        of.share(
            "bound_share",
            "of bound",
            "tokens_per_s over the roofline bound by the stated peaks.",
            lambda one: group(one)["bound_share_mean"],
            shown_with="bound_share",
        ),
        of.share(
            "bound_share_measured",
            "of bound (measured)",
            "The same by the peaks measured on such a board.",
            lambda one: group(one)["bound_share_measured_mean"],
            shown_with="bound_share_measured",
        ),
    )
