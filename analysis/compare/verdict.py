"""Verdict: a metric of a cell, side by side, with the tests behind what is said of it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from analysis.compare.cells import Cell
from analysis.compare.copied import copied
from analysis.compare.facts import uuids_of
from analysis.compare.sides import Member
from analysis.runs.campaign import campaign_of
from analysis.statistics.design import LEVEL
from analysis.statistics.intervals import Interval, width_of_mean
from analysis.statistics.ratio import Ratio, Repeats, holm, ratio_of
from analysis.statistics.resampled import interval_by_rule


class Word(StrEnum):
    """What can be said of the other side."""

    SAME = "same"
    LESS = "less"
    MORE = "more"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number of a run that sides are compared by."""

    name: str
    """Column of the table of runs."""
    label: str
    """Heading."""
    unit: str
    """SI unit."""
    takes: str
    """Verb of a sentence about it."""
    less: str
    """`less`, or `fewer` of what is counted."""
    of: str
    """What follows `less` in it."""
    like_energy: bool
    """True: an energy over something exact, so that energy's sensors and gain are its own."""


METRICS: Final = (
    Metric(
        name="energy_per_token_j",
        label="J / token (generated)",
        unit="J",
        takes="takes",
        less="less",
        of="energy per token",
        like_energy=True,
    ),
    Metric(
        name="power_w",
        label="W (all working GPUs)",
        unit="W",
        takes="draws",
        less="less",
        of="power",
        like_energy=True,
    ),
    Metric(
        name="tokens_per_s",
        label="tokens/s",
        unit="1/s",
        takes="generates",
        less="fewer",
        of="tokens per second",
        like_energy=False,
    ),
)
"""What is compared, the headline first."""
HEADLINE: Final = METRICS[0].name


@dataclass(frozen=True, kw_only=True)
class SideFigures:
    """One side's number."""

    interval: Interval | None
    """Mean over the repeats, and its 95 % interval with the sensors in it; None without a mean."""
    sensor: float | None
    """Expanded uncertainty (k = 2) of the mean by the sensors alone; None where there is none."""
    reason: str | None
    """Why there is no mean, or no sensors' part of a number that has one; None when there is."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What is said of a metric of one cell."""

    cell: Cell
    """Of what."""
    metric: Metric
    """In what."""
    margin: float
    """Share by which sides that count as the same may differ."""
    base: SideFigures
    """What the base has."""
    other: SideFigures
    """What the other has."""
    ratio: Ratio | None
    """The other over the base; None where a side has no number."""
    p_difference: float | None
    """Probability of such a difference by chance, by Holm over the cells; None without a test."""
    p_same: float | None
    """The same of being so near though they differ by the margin."""
    gain: str | None
    """How the boards' errors of gain were taken; None for what is no energy."""
    copy: str | None = None
    """Which run of a side is a copy of the other's, of which nothing can be said; None for none."""

    @property
    def within_margin(self) -> bool:
        """True where the test of equivalence shows it; a difference may be shown as well."""
        return self.copy is None and self.p_same is not None and self.p_same < LEVEL

    @property
    def differs_beyond(self) -> bool:
        """True where the sides are shown to differ, and the whole interval is beyond the margin."""
        if self.copy is not None or self.p_difference is None or self.p_difference >= LEVEL:
            return False
        assert self.ratio is not None
        assert self.ratio.low is not None
        assert self.ratio.high is not None
        return self.ratio.high < 1 / (1 + self.margin) or self.ratio.low > 1 + self.margin

    @property
    def word(self) -> Word:
        """A difference that is shown comes before a sameness that is: it may be a small one."""
        if self.copy is not None or self.ratio is None or self.p_difference is None:
            return Word.CANNOT_TELL
        if self.p_difference < LEVEL:
            return Word.LESS if self.ratio.ratio < 1 else Word.MORE
        return Word.SAME if self.within_margin else Word.CANNOT_TELL

    @property
    def reason(self) -> str | None:
        """Why one cannot tell; None where one can."""
        if self.word is not Word.CANNOT_TELL:
            return None
        if self.copy is not None:
            return self.copy
        if self.ratio is None:
            return self.base.reason or self.other.reason
        if self.ratio.reason is not None:
            return self.ratio.reason
        return (
            f"neither a difference (p = {self.p_difference:.2g}) nor sameness within "
            f"{self.margin:.3g} of it (p = {self.p_same:.2g}) is shown"
        )


def judge(cells: Sequence[Cell], *, margin: float) -> list[list[Judgement]]:
    """Each metric's verdicts of all cells, in the order of `METRICS`; Holm's over the cells."""
    copies = [copied(cell.base_members, cell.other_members) for cell in cells]
    return [
        _corrected(
            [_verdict(cell, metric, margin, copy) for cell, copy in zip(cells, copies, strict=True)]
        )
        for metric in METRICS
    ]


def _corrected(verdicts: Sequence[Judgement]) -> list[Judgement]:
    """The verdicts once any of them may err."""
    tested = [one for one in verdicts if one.ratio is not None and one.ratio.reason is None]
    differences = iter(holm([_known(one.p_difference) for one in tested]))
    sames = iter(holm([_known(one.p_same) for one in tested]))
    made = []
    for one in verdicts:
        if one.ratio is None or one.ratio.reason is not None:
            made.append(one)
            continue
        made.append(replace(one, p_difference=next(differences), p_same=next(sames)))
    return made


def _known(value: float | None) -> float:
    assert value is not None
    return value


def _verdict(cell: Cell, metric: Metric, margin: float, copy: str | None) -> Judgement:
    base, other = (_figures(each, metric) for each in (cell.base_members, cell.other_members))
    gain, ratio = None, None
    if base.reason is None and other.reason is None:
        gains = (0.0, 0.0)
        if metric.like_energy:
            gains, gain = _gains(cell)
        ratio = ratio_of(
            _repeats(cell.base_members, metric, base, gains[0]),
            _repeats(cell.other_members, metric, other, gains[1]),
            margin=margin,
            paired=_pair_up(cell),
        )
    return Judgement(
        cell=cell,
        metric=metric,
        margin=margin,
        base=base,
        other=other,
        ratio=ratio,
        p_difference=None if ratio is None else ratio.p_difference,
        p_same=None if ratio is None else ratio.p_same,
        gain=gain,
        copy=copy,
    )


def _figures(members: Sequence[Member], metric: Metric) -> SideFigures:
    values = _values(members, metric)
    if len(values) < len(members):
        lacking = len(members) - len(values)
        why = next((str(m.row["energy_reason"]) for m in members if m.row["energy_reason"]), "")
        said = f"{lacking} of {len(members)} runs lack {metric.label}"
        return SideFigures(interval=None, sensor=None, reason=f"{said}: {why}" if why else said)
    if not metric.like_energy:
        return SideFigures(interval=interval_by_rule(values), sensor=None, reason=None)
    widths = []
    for value, member in zip(values, members, strict=True):
        energy_j, width_j = member.row["energy_j"], member.row["energy_uncertainty_j"]
        if width_j is None or not energy_j:
            return SideFigures(
                interval=interval_by_rule(values),
                sensor=None,
                reason=f"the sensors' ± of {member.run.run_id} is not known",
            )
        widths.append(value / float(energy_j) * float(width_j))
    sensor = width_of_mean(widths)
    return SideFigures(interval=interval_by_rule(values, sensor), sensor=sensor, reason=None)


def _values(members: Iterable[Member], metric: Metric) -> list[float]:
    found = (member.row[metric.name] for member in members)
    return [
        float(value)
        for value in found
        if isinstance(value, int | float) and math.isfinite(value) and value > 0
    ]


def _repeats(
    members: Sequence[Member], metric: Metric, figures: SideFigures, gain: float
) -> Repeats:
    assert figures.interval is not None
    share = 0.0 if figures.sensor is None else figures.sensor / figures.interval.mean
    return Repeats(values=tuple(_values(members, metric)), sensor=share, gain=gain)


def _gains(cell: Cell) -> tuple[tuple[float, float], str]:
    """What the boards' errors of gain may come to on each side, and how that was taken."""
    base, other = uuids_of(cell.base_members), uuids_of(cell.other_members)
    if base and base == other:
        return (0.0, 0.0), "the same GPUs on both sides: their gain cancels"
    found = tuple(_gain(each) for each in (cell.base_members, cell.other_members))
    if not any(found):
        return (found[0], found[1]), "no board's gain is uncertain"
    told = " and ".join(f"{gain:.1%}".replace("%", " %") for gain in found)
    return (found[0], found[1]), f"other GPUs: their gain, up to {told}, is in the interval"


def _gain(members: Sequence[Member]) -> float:
    """The most of all repeats, as repeating does not lessen it."""
    return max(
        (
            float(m.row["energy_gain_uncertainty_j"]) / float(m.row["energy_j"])
            for m in members
            if m.row["energy_gain_uncertainty_j"] is not None and m.row["energy_j"]
        ),
        default=0.0,
    )


def _pair_up(cell: Cell) -> bool:
    """Whether each run has its twin: the same repeat of the same campaign on the same GPUs.

    A campaign runs its first repeat of all points, then the second: what drifts from one repeat to
    the next is in both.
    """
    places = [
        [(campaign_of(m.run), m.run.spec.repeat) for m in members]
        for members in (cell.base_members, cell.other_members)
    ]
    return (
        places[0] == places[1]
        and all(campaign is not None for campaign, _ in places[0])
        and uuids_of(cell.base_members) == uuids_of(cell.other_members)
    )
