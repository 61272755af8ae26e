"""Comparison: the table of the paper's numbers beside ours, where the conditions are the same."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from analysis.paper.published import Published, paper_conditions, published
from analysis.tables.column import UNIT_OF_ROW, Cell, ColumnsOf, Row
from analysis.tables.groups import GROUPS
from analysis.tables.labels import pooled_label_columns
from analysis.tables.launched import LAUNCH_SETTINGS
from analysis.tables.point import PAPER_ENGINE, POINT_BY_NAME, RANDOM
from analysis.tables.table import Results, TableKind
from telemetry.record.spec import RunSpec

_PERCENT: Final = 100.0
# The format of the released checkpoints and of the code that the paper ran.
_PAPER_DTYPE: Final = "fp16"
# What the paper says of all its runs and a spec says too.
_CONDITIONS: Final = ("prompts", "temperature", "top_p")
# A number of the paper may be a mean over these; another dataset has other prompts.
_AVERAGED: Final = ("dataset", "max_gen_len", "prompts_digest")
_SETTINGS: Final = (*POINT_BY_NAME, *LAUNCH_SETTINGS)
_UNITS: Final = {column.name.removesuffix("_mean"): column.unit for column in GROUPS.columns}


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """One number of the paper, and what our points with its conditions say."""

    number: Published
    """The paper's."""
    gpu: str
    """Kind of GPU of our points: the paper's, or its simulation."""
    ours: float | None = None
    """Mean over all cells that the paper averages; None for none."""
    reason: str | None = None
    """Why there is no number of ours, or in which conditions it differs."""
    groups: Sequence[Row] = ()
    """Our points that `ours` is made of, or would be."""

    @property
    def metric(self) -> str:
        if self.number.against_power_cap_w is None:
            return self.number.metric
        return f"{self.number.metric}, change in % at {self.number.power_cap_w:g} W"

    @property
    def unit(self) -> str:
        if self.number.against_power_cap_w is not None:
            return "%"
        return _UNITS[self.number.metric]


_OF: Final = ColumnsOf[_Answer]()

_COLUMNS: Final = (
    _OF.text(
        "source",
        "in the paper",
        "Where the paper gives the number.",
        lambda one: one.number.source_text,
    ),
    _OF.text("metric", "quantity", "Which column of the results.", lambda one: one.metric),
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
        lambda one: one.ours,
    ),
    _OF.text(
        "unit",
        "unit",
        "SI unit of the quantity; `%` of a change.",
        lambda one: one.unit,
        shown=False,
    ),
    _OF.number(
        "ratio",
        "ours / paper",
        "1",
        "our_value / paper_value.",
        lambda one: None if one.ours is None else one.ours / one.number.value,
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
    groups, specs = results.rows(GROUPS), {run.run_id: run.spec for run in results.runs}
    for number in published():
        for gpu in (number.gpu, f"simulated-{number.gpu}"):
            parts = list(_parts(number, gpu, groups))
            if all(parts):
                yield _answer(number, gpu, parts, specs)


def _parts(number: Published, gpu: str, groups: Sequence[Row]) -> Iterator[list[Row]]:
    """For each data set and length that the paper averages, our points with its conditions."""
    for dataset, length in product(number.datasets, number.max_gen_lens):
        point = {
            "model": number.model,
            "gpu": gpu,
            "gpus": number.gpus,
            "dataset": dataset,
            "batch_size": number.batch_size,
            "max_gen_len": length,
        }
        yield [group for group in groups if all(group[key] == point[key] for key in point)]


def _answer(
    number: Published, gpu: str, parts: Sequence[list[Row]], specs: Mapping[str, RunSpec]
) -> _Answer:
    chosen = _chosen(number, parts)
    if chosen is None:
        reason = "no point of ours is the same in all the cells that the paper averages"
        groups = [group for found in parts for group in found]
        return _Answer(number=number, gpu=gpu, reason=reason, groups=groups)
    if gpu != number.gpu or any(group["simulated"] for group in chosen):
        reason = "simulated: a model's output is not held against a measurement"
        return _Answer(number=number, gpu=gpu, reason=reason, groups=chosen)
    values = [_value(number, group, found) for group, found in zip(chosen, parts, strict=True)]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        reason = f"our {number.metric} is not known in these conditions"
        return _Answer(number=number, gpu=gpu, reason=reason, groups=chosen)
    remarks = [*_differences(number, chosen, specs), *_others(parts)]
    ours = sum(known) / len(known)
    told = "; ".join(remarks) or None
    return _Answer(number=number, gpu=gpu, ours=ours, reason=told, groups=chosen)


def _chosen(number: Published, parts: Sequence[list[Row]]) -> list[Row] | None:
    """Our points for one number, the same in all that the paper does not average over.

    Of several the one most like the paper's; None when no point is in every cell.
    """
    for first in _closest_first(parts[0], number.power_cap_w):
        alike = [[other for other in found if _same(other, first, _AVERAGED)] for found in parts]
        if all(alike):
            return [first, *(found[0] for found in alike[1:])]
    return None


def _same(one: Row, other: Row, but: Iterable[str]) -> bool:
    left_out = set(but)
    return all(one[name] == other[name] for name in _SETTINGS if name not in left_out)


def _closest_first(groups: Iterable[Row], power_cap_w: float) -> list[Row]:
    """Points by how like the paper's they are: its software, its cap, its other conditions."""
    conditions = paper_conditions()

    def distance(group: Mapping[str, Any]) -> tuple[bool, bool, bool, bool, float, bool, int]:
        cap = group["power_cap_w"]
        return (
            group["engine"] != PAPER_ENGINE,
            group["quantization"] != "none",
            group["dtype"] != _PAPER_DTYPE,
            cap is None,
            abs((cap or 0.0) - power_cap_w),
            group["weights"] == RANDOM,
            sum(group[name] != conditions[name] for name in _CONDITIONS),
        )

    return sorted(groups, key=distance)


def _value(number: Published, group: Row, same_point: Sequence[Row]) -> float | None:
    value = _real(group.get(f"{number.metric}_mean"))
    if number.against_power_cap_w is None or value is None:
        return value
    if group["power_cap_w"] != number.power_cap_w:
        return None
    for base in same_point:
        if base["power_cap_w"] == number.against_power_cap_w and _same(
            base, group, ("power_cap_w",)
        ):
            reference = _real(base.get(f"{number.metric}_mean"))
            return (value / reference - 1.0) * _PERCENT if reference else None
    return None


def _real(value: Cell) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _others(parts: Sequence[list[Row]]) -> list[str]:
    """A remark when other points of ours have the same conditions of the paper."""
    most = max(len(found) for found in parts)
    return [f"the closest of {most} points of ours"] if most > 1 else []


def _differences(
    number: Published, groups: Sequence[Mapping[str, Any]], specs: Mapping[str, RunSpec]
) -> list[str]:
    conditions = paper_conditions()
    found: dict[str, None] = {}
    for group in groups:
        cap = group["power_cap_w"]
        if cap != number.power_cap_w:
            ours = "none" if cap is None else f"{cap:g} W"
            found[f"power cap {ours}, paper {number.power_cap_w:g} W"] = None
        for run_id in str(group["runs"]).split():
            spec = specs[run_id]
            for name in _CONDITIONS:
                value = getattr(spec, name)
                if value != conditions[name]:
                    found[f"{name} {value:g}, paper {conditions[name]:g}"] = None
            if spec.engine != PAPER_ENGINE:
                found[f"engine {spec.engine}, paper the public eager code"] = None
            if spec.quantization != "none":
                found[f"weights in {spec.quantization}, paper fp16"] = None
            elif spec.dtype != _PAPER_DTYPE:
                found[f"numbers in {spec.dtype}, paper {_PAPER_DTYPE}"] = None
            if spec.weights == RANDOM:
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
"""One row a number of the paper that a run of ours has the conditions of."""
