"""Ladder: the engines on the same work, rung by rung: what software alone is worth.

Runs stand on one ladder where their specs are the same but for the engine and the repeat, they
answered the same file of prompts on the same device, and what they record of it agrees: as many
tokens of prompts and of answers a response. Settings of the measurement may differ and are named.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.effects.pairing import PairedPoint, Points
from analysis.statistics.ratio import Ratio, Repeats, ratio_of
from analysis.tables.column import Cell, Row
from analysis.tables.contrast import DRAWN, families
from analysis.tables.gpus import GPUS
from analysis.tables.groups import HEADLINE
from analysis.tables.launched import LAUNCH_SETTINGS
from analysis.tables.performance import PERFORMANCE
from analysis.tables.point import engines_in_order
from analysis.tables.runs import RUNS
from analysis.tables.table import Results

RUNGS: Final = (
    *("reference", "transformers", "transformers-static", "transformers-compiled"),
    *("fast", "vllm"),
)
"""Engines from what the first studies ran to what centers serve with; others stand behind."""
# One rung is no ladder.
_SEVERAL: Final = 2
# What the engines were asked is decided by these two of the launch; the others say how it was
# measured.
_WORK: Final = ("prompts_digest", "device")
MEASURED: Final = tuple(name for name in LAUNCH_SETTINGS if name not in _WORK)
"""Settings of the launch in which rungs of one ladder may differ."""
# No verdict is taken from it: a ladder tells intervals.
_ANY_MARGIN: Final = 0.05
_RATE: Final = "tokens_per_s"
_METHOD: Final = "energy_method"
# What the drivers call a run's working GPUs, beside the columns of its rows.
_PRODUCTS: Final = "products"


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a grid point's runs record of their work, of one response on the mean."""

    prompt_tokens: float
    """Tokens of prompts."""
    generated_tokens: float
    """Tokens of answers."""


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One engine on a ladder, with its runs of the work or the reason why there are none."""

    engine: str
    """Its name."""
    number: int
    """Its place on the ladder, from 1."""
    work: Row
    """The row of groups whose spec says the work: that of the first rung."""
    point: PairedPoint | None
    """Its runs; None where it has none of this work."""
    first: PairedPoint
    """The runs of the first rung that has some."""
    done: Done | None
    """What its runs record of their work; None where it has none."""
    repeats: tuple[Row, ...]
    """Each of its runs' rows of runs and of performance, in one; empty where it has none."""
    first_repeats: tuple[Row, ...]
    """The same of the first rung."""
    reason: str | None
    """Why it has no numbers; None where it has."""

    @property
    def row(self) -> Row:
        """Its row of groups; empty where it has none."""
        return {} if self.point is None else self.point.row

    @property
    def is_first(self) -> bool:
        """Whether the others are held against it."""
        return self.point is self.first

    @cached_property
    def energy(self) -> Ratio | None:
        """Its joules a token over the first rung's; None of the first, and without numbers."""
        if self.point is None or self.is_first or not self.point.values or not self.first.values:
            return None
        same = bool(self.point.boards) and self.point.boards == self.first.boards
        base, other = (
            Repeats(
                values=one.values,
                sensor=one.sensor or 0.0,
                gain=0.0 if same else one.gain or 0.0,
            )
            for one in (self.first, self.point)
        )
        return ratio_of(base, other, margin=_ANY_MARGIN)

    @property
    def energy_interval(self) -> tuple[float, float] | None:
        """The ends of its 95 % interval; None where there is none."""
        found = self.energy
        if found is None or found.low is None or found.high is None:
            return None
        # Of single runs the sensors are all that it has: unknown ones make no interval.
        return None if found.reason and self._sensors_unknown else (found.low, found.high)

    @property
    def interval_rule(self) -> str | None:
        """By what that interval was made, or why there is none."""
        found = self.energy
        if found is None:
            return None
        unknown = "the sensors' part is not known" if self._sensors_unknown else None
        if self.energy_interval is None:
            return f"none: {unknown or found.reason}"
        told = found.interval if found.reason else f"{found.test}; {found.interval}"
        return f"{told}; {unknown}" if unknown else told

    @property
    def _sensors_unknown(self) -> bool:
        return any(one is None or one.sensor is None for one in (self.first, self.point))

    @cached_property
    def rate(self) -> Ratio | None:
        """Its tokens a second over the first rung's; None of the first, and without numbers."""
        rates = _rates(self.first_repeats), _rates(self.repeats)
        if self.is_first or not all(rates):
            return None
        base, other = (Repeats(values=one, sensor=0.0) for one in rates)
        return ratio_of(base, other, margin=_ANY_MARGIN)

    @property
    def ratio_reason(self) -> str | None:
        """Why it has no ratio to the first rung; None where it has both."""
        if self.is_first:
            return "the others are held against it"
        lacking = [name for name, one in ((HEADLINE, self.energy), (_RATE, self.rate)) if not one]
        return self.reason or (f"a run has no {' and no '.join(lacking)}" if lacking else None)

    @property
    def bound_reason(self) -> str | None:
        """Why it has no share of the bound; None where it has one."""
        if self.row.get("bound_share_mean") is not None:
            return None
        found = (row["performance_reason"] for row in self.repeats)
        return next((str(one) for one in found if one is not None), self.reason)

    @property
    def measured_apart(self) -> str | None:
        """Settings of the measurement in which it differs from the first rung, first / own."""
        if self.point is None or self.is_first:
            return None
        settings = _apart(self.first.row, self.point.row)
        first, own = (_each(one, _METHOD) for one in (self.first_repeats, self.repeats))
        method = f"energy by {first} / {own}" if first != own else None
        return ", ".join(filter(None, (settings, method))) or None

    @property
    def sentence(self) -> str | None:
        """What the rung says, for people; None of the first one and without numbers."""
        if self.energy is None or self.rate is None:
            return None
        ends = self.energy_interval
        told = "no interval" if ends is None else f"{ends[0]:.3g} to {ends[1]:.3g}"
        return (
            f"{self.engine} takes {self.energy.ratio:.3g} times the joules a token of "
            f"{self.first.row['engine']} ({told}) at {self.rate.ratio:.3g} times its tokens a "
            "second."
        )


def ladders(results: Results) -> Iterator[Rung]:
    """Every rung of every ladder, in the order of the groups."""
    points = {str(one.row["runs"]): one for one in Points(results).all()}
    both = zip(results.rows(PERFORMANCE), results.rows(RUNS), strict=True)
    runs: dict[str, Row] = {str(row["run_id"]): {**speed, **row} for speed, row in both}
    for row in results.rows(GPUS):
        if row["rank"] is not None:
            own = runs[str(row["run_id"])]
            own[_PRODUCTS] = _each([own, {_PRODUCTS: row["product"]}], _PRODUCTS)
    for family in families(results, ("engine",)):
        works: dict[tuple[Cell, ...], list[Row]] = {}
        for group in family:
            key = (bool(group["simulated"]), *(group[name] for name in _WORK))
            works.setdefault(key, []).append(group)
        for groups in works.values():
            if len({group["engine"] for group in groups}) >= _SEVERAL:
                others = [one for one in family if not any(one is own for own in groups)]
                yield from _ladder([points[str(one["runs"])] for one in groups], others, runs)


def _ladder(
    points: Sequence[PairedPoint], others: Sequence[Row], runs: Mapping[str, Row]
) -> Iterator[Rung]:
    """The rungs of one work, once for each way in which the first of them was measured."""
    by_engine: dict[str, list[PairedPoint]] = {}
    for point in points:
        by_engine.setdefault(str(point.row["engine"]), []).append(point)
    order = _order(by_engine)
    faults = {id(point): _fault(point, runs) for point in points}
    sound = [name for name in order if any(faults[id(one)] is None for one in by_engine[name])]
    if not sound:
        return
    for first in (one for one in by_engine[sound[0]] if faults[id(one)] is None):
        done = _done(first, runs)
        assert done is not None
        rungs = dict.fromkeys((*RUNGS, *order))
        for number, engine in enumerate(rungs, 1):
            own = by_engine.get(engine, [])
            if engine == sound[0]:
                own = [first]
            # Where an engine was measured in several ways, the one as the first rung's if any.
            alike = [one for one in own if _apart(first.row, one.row) is None]
            chosen: Sequence[PairedPoint | None] = alike or own or (None,)
            for found in chosen:
                reason = (
                    _missing(engine, first, others)
                    if found is None
                    else faults[id(found)] or _unlike(found, first, done, runs)
                )
                kept = found if reason is None else None
                yield Rung(
                    engine=engine,
                    number=number,
                    work=first.row,
                    point=kept,
                    first=first,
                    done=None if found is None else _done(found, runs),
                    repeats=() if kept is None else tuple(_rows(kept, runs)),
                    first_repeats=tuple(_rows(first, runs)),
                    reason=reason,
                )


def _order(engines: Mapping[str, Sequence[PairedPoint]]) -> list[str]:
    known = [name for name in RUNGS if name in engines]
    return known + [name for name in engines_in_order(engines) if name not in RUNGS]


def _rows(point: PairedPoint, runs: Mapping[str, Row]) -> list[Row]:
    return [runs[name] for name in str(point.row["runs"]).split()]


def _each(rows: Iterable[Row], name: str) -> str:
    """Every value that rows have of a column, each once."""
    found = {str(row[name]) for row in rows if row.get(name) is not None}
    return " and ".join(sorted({one for each in found for one in each.split(" and ")}))


def _rates(repeats: Sequence[Row]) -> tuple[float, ...]:
    found = [row[_RATE] for row in repeats]
    known = tuple(value for value in found if isinstance(value, float) and value > 0)
    return known if len(known) == len(found) else ()


def _done(point: PairedPoint, runs: Mapping[str, Row]) -> Done | None:
    rows = _rows(point, runs)
    responses = sum(int(row["responses"] or 0) for row in rows)
    if not responses:
        return None
    asked, got = (
        sum(int(row[name] or 0) for row in rows) / responses
        for name in ("prompt_tokens", "generated_tokens")
    )
    return Done(prompt_tokens=asked, generated_tokens=got)


def _fault(point: PairedPoint, runs: Mapping[str, Row]) -> str | None:
    """Why a point's runs did not do what their own spec says, or their work cannot be known."""
    if point.row["prompts_digest"] is None:
        return "its file of prompts is not on record"
    done = _done(point, runs)
    if done is None or not done.generated_tokens:
        return "it generated no token"
    prompts = int(point.row["prompts"] or 0)
    for row in _rows(point, runs):
        responses = int(row["responses"] or 0)
        if not prompts or responses % prompts:
            return f"it has {responses} responses to {prompts} prompts: not each as often"
        full = responses * int(row["max_gen_len"] or 0)
        if row["ignore_eos"] and row["generated_tokens"] != full:
            return (
                f"it generated {row['generated_tokens']} tokens in {responses} responses where "
                f"{full} were asked for"
            )
    if not point.values:
        return f"a run of it has no {HEADLINE}"
    return None


def _unlike(
    point: PairedPoint, first: PairedPoint, done: Done, runs: Mapping[str, Row]
) -> str | None:
    """In what a point's runs did other work than the first rung's; None: in nothing."""
    if point is first:
        return None
    own, base = _done(point, runs), first.row["engine"]
    assert own is not None
    products = [_each(_rows(one, runs), _PRODUCTS) for one in (point, first)]
    if products[0] != products[1]:
        return f"other boards: {products[0]}, {base} {products[1]}"
    if own.prompt_tokens != done.prompt_tokens:
        return (
            f"other work: {own.prompt_tokens:.6g} tokens of prompt a response, "
            f"{base} {done.prompt_tokens:.6g}"
        )
    allowed = 0.0 if point.row["ignore_eos"] else DRAWN
    if abs(own.generated_tokens / done.generated_tokens - 1.0) > allowed:
        return (
            f"other work: {own.generated_tokens:.6g} tokens of answer a response, "
            f"{base} {done.generated_tokens:.6g}"
        )
    return None


def _missing(engine: str, first: PairedPoint, others: Sequence[Row]) -> str:
    """Why an engine has no runs on a ladder."""
    own = [group for group in others if group["engine"] == engine]
    for group in own:
        apart = [name for name in _WORK if group[name] != first.row[name]]
        if apart:
            told = ", ".join(f"{name} {group[name] or 'not on record'}" for name in apart)
            return f"its runs of this spec did other work: {told}"
    return "no sealed run of this work"


def _apart(first: Row, own: Row) -> str | None:
    texts = (
        f"{name} {'none' if first[name] is None else first[name]} / "
        f"{'none' if own[name] is None else own[name]}"
        for name in MEASURED
        if first[name] != own[name]
    )
    return ", ".join(texts) or None
