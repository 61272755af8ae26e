"""Answer: a number of the paper, what our points with its conditions say, and why some do not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from analysis.paper.amount import Amount
from analysis.paper.definition import DEFINITIONS, OURS
from analysis.paper.matching import (
    Parts,
    chosen,
    of_its_work,
    on_gpus,
    only,
    parts_of,
    value_of,
    why_none,
)
from analysis.paper.point import GridPoint, points
from analysis.paper.published import Published
from analysis.tables.groups import GROUPS
from analysis.tables.table import Results

_UNITS: Final = {column.name.removesuffix("_mean"): column.unit for column in GROUPS.columns}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What points of ours say of one number, by a definition."""

    amount: Amount
    """A mean over the parts that the paper averages."""
    gpus: int
    """GPUs that it ran on."""
    runs: str
    """The runs behind it."""
    labels: tuple[str, ...]
    """What it is not."""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """One number of the paper beside ours."""

    number: Published
    """The paper's."""
    by: Mapping[str, Found] = field(default_factory=dict)
    """Ours under the paper's conditions, by the definition's name; one that is missing is in
    `reasons`."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why there is none, by the definition's name."""
    remarks: tuple[str, ...] = ()
    """In what ours may still differ."""
    series: Mapping[str, Found] = field(default_factory=dict)
    """Points of ours that are not the paper's, each by the name of its column."""

    @property
    def metric(self) -> str:
        """The quantity in words of our columns."""
        return quantity(self.number)

    @property
    def unit(self) -> str:
        """Of the paper's number and of ours."""
        return unit_of(self.number)

    @property
    def ours(self) -> Found | None:
        """By our own definition."""
        return self.by.get(OURS.name)

    def ratio(self, definition: str) -> Amount | None:
        """Ours over the paper's; None where there is none."""
        found = self.by.get(definition)
        if found is None:
            return None
        return found.amount.over(self.number.value, digitised=self.number.digitised)


def quantity(number: Published) -> str:
    """What a number of the paper is of, in words of our columns."""
    if number.against_power_cap_w is None:
        return number.metric
    return f"{number.metric}, change in % at {number.power_cap_w:g} W"


def unit_of(number: Published) -> str:
    """The unit of a number of the paper, and of ours beside it."""
    return "%" if number.against_power_cap_w is not None else _UNITS[number.metric]


def answers(results: Results, numbers: Iterable[Published], *, any_gpus: bool) -> list[Beside]:
    """An answer for each of these numbers, in their order.

    Of another board than the paper's, points on the paper's number of GPUs stand beside it; with
    `any_gpus`, where there are none, those on the fewest.
    """
    told = points(results)
    return [answer(number, told, any_gpus=any_gpus) for number in numbers]


def answer(number: Published, told: Sequence[GridPoint], *, any_gpus: bool) -> Beside:
    """What all points of ours say of one number."""
    work = of_its_work(number, told)
    own = only(on_gpus(work, number.gpus), lambda point: point.is_the_papers(number))
    by, reasons, remarks = _own(number, told, own)
    return Beside(
        number=number,
        by=by,
        reasons=reasons,
        remarks=remarks,
        series=_series(number, work, any_gpus=any_gpus),
    )


def _own(
    number: Published, told: Sequence[GridPoint], own: Parts
) -> tuple[dict[str, Found], dict[str, str], tuple[str, ...]]:
    # Where a change against a cap is asked for, its base stands among the points as well.
    picked = chosen(number, only(own, lambda point: point.capped_at(number.power_cap_w)))
    if picked is None:
        reason = why_none(number, told)
        return {}, {one.name: reason for one in DEFINITIONS}, ()
    by: dict[str, Found] = {}
    reasons: dict[str, str] = {}
    at_its_gpus = on_gpus(of_its_work(number, told), number.gpus)
    for definition in DEFINITIONS:
        if (unknown := definition.unknown.get(number.metric)) is not None:
            reasons[definition.name] = unknown
            continue
        amount = value_of(number, picked, at_its_gpus, definition.column(number.metric))
        if isinstance(amount, str):
            reasons[definition.name] = amount
        else:
            by[definition.name] = found_of(picked, amount)
    return by, reasons, tuple(_remarks(number, picked, own))


def _series(number: Published, work: Parts, *, any_gpus: bool) -> dict[str, Found]:
    def foreign(point: GridPoint) -> bool:
        on_its_gpus = point["gpus"] == number.gpus
        # A model's output stands beside no measurement; and what is under another cap is another
        # row of a table of changes, or what this one is told against.
        return (
            not point.simulated
            and (on_its_gpus or any_gpus)
            and not (on_its_gpus and point.is_the_papers(number))
            and (number.against_power_cap_w is None or point.capped_at(number.power_cap_w))
        )

    others = only(work, foreign)
    told: dict[str, Found] = {}
    for name in sorted({point.series(number) for found in others for point in found}):
        own = only(
            others,
            lambda point, name=name: point.series(number) == name,  # type: ignore[misc]
        )
        if (found := _one_series(number, name, own, work)) is not None:
            told[found[0]] = found[1]
    return told


def _one_series(number: Published, name: str, own: Parts, work: Parts) -> tuple[str, Found] | None:
    """A series' name and what it says; where it lacks parts of a mean its name has which are there.

    All parts on the paper's number of GPUs come first, then all on the fewest, then some.
    """
    in_turn = _gpus_in_turn(number, own)
    for whole in (True, False):
        for gpus in in_turn:
            parts = on_gpus(own, gpus)
            there = [place for place, found in enumerate(parts) if found]
            if not there or (len(there) == len(parts)) is not whole:
                continue
            picked = chosen(number, tuple(parts[place] for place in there))
            if picked is None:
                continue
            bases = on_gpus(work, gpus)
            amount = value_of(number, picked, tuple(bases[place] for place in there), number.metric)
            if isinstance(amount, Amount):
                alone = "" if whole else f", {_alone(number, there)}"
                return f"{name}{alone}", found_of(picked, amount)
    return None


def _alone(number: Published, there: Sequence[int]) -> str:
    """Which parts of a mean are there, in words."""
    told = [parts_of(number)[place] for place in there]
    datasets = dict.fromkeys(dataset for dataset, _ in told)
    lengths = dict.fromkeys(str(length) for _, length in told)
    words = []
    if len(datasets) < len(number.datasets):
        words.append(" and ".join(datasets))
    if len(lengths) < len(number.max_gen_lens):
        words.append(f"{' and '.join(lengths)} tokens")
    return f"{', '.join(words)} alone"


def _gpus_in_turn(number: Published, parts: Parts) -> list[int]:
    """The paper's number of GPUs first, then the fewest."""
    there = {int(str(point["gpus"])) for found in parts for point in found}
    return sorted(there, key=lambda gpus: (gpus != number.gpus, gpus))


def found_of(picked: Sequence[GridPoint], amount: Amount) -> Found:
    """What these points say, with what a reader of it has to know."""
    return Found(
        amount=amount,
        gpus=int(str(picked[0]["gpus"])),
        runs=" ".join(point.runs_text for point in picked),
        labels=tuple(dict.fromkeys(label for point in picked for label in point.labels)),
    )


def _remarks(number: Published, picked: Sequence[GridPoint], parts: Parts) -> list[str]:
    found: dict[str, None] = {}
    for point in picked:
        found |= dict.fromkeys(point.other_prompts)
        if point["dataset"] not in number.datasets:
            found[f"prompts of {point['dataset']}"] = None
        if point["power_cap_w"] is None:
            found[f"no cap asked for: the boards' own limit is {number.power_cap_w:g} W"] = None
        if len(point.runs) == 1:
            found["one repeat: how runs scatter is in no interval"] = None
    most = max(len(there) for there in parts)
    if most > 1:
        found[f"the closest of {most} points of ours"] = None
    return list(found)
