"""Comparison: the table of the paper's numbers beside ours, where the conditions are the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from analysis.paper.amount import Amount
from analysis.paper.answer import quantity, unit_of
from analysis.paper.matching import Parts, chosen, of_its_work, on_gpus, only, value_of
from analysis.paper.point import PAPER_DTYPE, GridPoint, points
from analysis.paper.published import Published, paper_conditions, published
from analysis.tables.column import UNIT_OF_ROW, ColumnsOf, Row
from analysis.tables.labels import pooled_label_columns
from analysis.tables.point import PAPER_ENGINE, RANDOM, kept_words, rounded_part
from analysis.tables.table import Results, TableKind

# What the paper says of all its runs and a spec says too.
_CONDITIONS: Final = ("prompts", "temperature", "top_p")


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """One number of the paper, and what our points with its conditions say."""

    number: Published
    """The paper's."""
    gpu: str
    """Kind of GPU of our points: the paper's, or its simulation."""
    ours: Amount | None = None
    """Mean over all cells that the paper averages; None for none."""
    under_its_conditions: bool = False
    """Whether all conditions hold for ours that the exhibits ask of a ratio."""
    reason: str | None = None
    """Why there is no number of ours or no ratio, or in what ours may still differ."""
    groups: Sequence[Row] = ()
    """Our points that `ours` is made of, or would be."""

    @property
    def ratio(self) -> float | None:
        """Ours over the paper's; None where ours is not under its conditions."""
        if self.ours is None or not self.under_its_conditions:
            return None
        return self.ours.value / self.number.value


_OF: Final = ColumnsOf[_Answer]()

_COLUMNS: Final = (
    _OF.text(
        "source",
        "in the paper",
        "Where the paper gives the number.",
        lambda one: one.number.source_text,
    ),
    _OF.text(
        "metric", "quantity", "Which column of the results.", lambda one: quantity(one.number)
    ),
    _OF.number(
        "paper_value",
        "paper",
        UNIT_OF_ROW,
        "The paper's number, in the quantity's unit.",
        lambda one: one.number.value,
    ),
    _OF.number(
        "our_value",
        "ours",
        UNIT_OF_ROW,
        "Mean over our repeats; over all cells the paper averages.",
        lambda one: None if one.ours is None else one.ours.value,
    ),
    _OF.text(
        "unit",
        "unit",
        "SI unit of the quantity; `%` of a change.",
        lambda one: unit_of(one.number),
        shown=False,
    ),
    _OF.number(
        "ratio",
        "ours / paper",
        "1",
        "our_value / paper_value, where ours is under the paper's conditions as the exhibits ask "
        "for them.",
        lambda one: one.ratio,
        reason="reason",
    ),
    _OF.text("model", "model", "Name of the model's shape.", lambda one: one.number.model),
    _OF.text(
        "dataset",
        "dataset",
        "Where the prompts come from.",
        lambda one: ", ".join(one.number.datasets),
    ),
    _OF.text("gpu", "GPU", "Kind of GPU.", lambda one: one.gpu),
    _OF.count("gpus", "GPUs", "GPUs used.", lambda one: one.number.gpus),
    _OF.count(
        "batch_size", "batch", "Prompts answered together.", lambda one: one.number.batch_size
    ),
    _OF.text(
        "max_gen_len",
        "max tokens",
        "Tokens generated for each prompt at most.",
        lambda one: ", ".join(str(length) for length in one.number.max_gen_lens),
    ),
    *pooled_label_columns(_OF, lambda one, label: [group[label.name] for group in one.groups]),
    _OF.text(
        "reason",
        "remarks",
        "Why there is no ratio, or in which conditions ours differ.",
        lambda one: one.reason,
    ),
)


def _compared(results: Results) -> Iterator[_Answer]:
    """Each of the paper's numbers that our points can answer.

    A number is answered when there is a row for every data set and length it averages. Simulated
    rows are named and get no ratio: they are no measurement.
    """
    told = points(results)
    for number in published():
        work = only(
            on_gpus(of_its_work(number, told), number.gpus),
            lambda point, number=number: (  # type: ignore[misc]
                point.corpus in number.datasets and point.as_asked
            ),
        )
        for gpu in (number.gpu, f"simulated-{number.gpu}"):
            parts = only(work, lambda point, gpu=gpu: point["gpu"] == gpu)  # type: ignore[misc]
            if all(parts):
                yield _answer(number, gpu, parts)


def _answer(number: Published, gpu: str, parts: Parts) -> _Answer:
    picked = chosen(number, parts)
    if picked is None:
        reason = "no point of ours is the same in all the cells that the paper averages"
        groups = [point.row for found in parts for point in found]
        return _Answer(number=number, gpu=gpu, reason=reason, groups=groups)
    groups = [point.row for point in picked]
    if gpu != number.gpu or any(point.simulated for point in picked):
        reason = "simulated: a model's output is not held against a measurement"
        return _Answer(number=number, gpu=gpu, reason=reason, groups=groups)
    if number.against_power_cap_w is not None and any(
        point["power_cap_w"] != number.power_cap_w for point in picked
    ):
        reason = f"no run of ours under the cap of {number.power_cap_w:g} W"
        return _Answer(number=number, gpu=gpu, reason=reason, groups=groups)
    ours = value_of(number, picked, parts, number.metric)
    if isinstance(ours, str):
        return _Answer(number=number, gpu=gpu, reason=ours, groups=groups)
    same = all(
        point.is_the_papers(number) and point.capped_at(number.power_cap_w) for point in picked
    )
    told = "; ".join([*_differences(number, picked), *_others(parts)])
    if not same:
        told = f"no ratio, as ours is not under the paper's conditions: {told}"
    return _Answer(
        number=number,
        gpu=gpu,
        ours=ours,
        under_its_conditions=same,
        reason=told or None,
        groups=groups,
    )


def _others(parts: Parts) -> list[str]:
    """A remark when other points of ours have the same conditions of the paper."""
    most = max(len(found) for found in parts)
    return [f"the closest of {most} points of ours"] if most > 1 else []


def _differences(number: Published, picked: Sequence[GridPoint]) -> list[str]:
    conditions = paper_conditions()
    found: dict[str, None] = {}
    for point in picked:
        cap = point["power_cap_w"]
        if not point.capped_at(number.power_cap_w):
            ours = "none" if cap is None else f"{cap:g} W"
            force = " in force" if cap == number.power_cap_w else ""
            found[f"power cap {ours}, paper {number.power_cap_w:g} W{force}"] = None
        elif cap is None:
            found[f"no cap asked for: the boards' own limit is {number.power_cap_w:g} W"] = None
        for lock in point.locks:
            found[f"clock {lock}, paper none locked"] = None
        if point["ignore_eos"]:
            found["answers in full length, paper to their ends"] = None
        if point["dataset"] not in number.datasets:
            found[f"prompts of {point['dataset']}"] = None
        for name in _CONDITIONS:
            value = point[name]
            if value != conditions[name]:
                found[f"{name} {value:g}, paper {conditions[name]:g}"] = None
        if point["engine"] != PAPER_ENGINE:
            found[f"engine {point['engine']}, paper the public eager code"] = None
        if point["quantization"] != "none":
            what = rounded_part(point["quantization"])
            found[f"{what} in {point['quantization']}, paper fp16"] = None
        elif point["dtype"] != PAPER_DTYPE:
            found[f"numbers in {point['dtype']}, paper {PAPER_DTYPE}"] = None
        found.update((f"{words}, paper {PAPER_DTYPE}", None) for words in kept_words(point.row))
        if point["weights"] == RANDOM:
            found["random weights, paper the released ones"] = None
    return list(found)


COMPARISON: Final = TableKind(
    name="comparison",
    title="Against the paper",
    columns=_COLUMNS,
    of_results=_compared,
    section="paper",
    label="The paper's numbers and ours",
)
"""One row a number of the paper that a run of ours has the board and the work of: the summary of
all exhibits, which names in what ours differs."""
