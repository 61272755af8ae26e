"""Comparison: the table of the paper's numbers beside ours, where the conditions are the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from analysis.tables.column import ColumnsOf, Row
from analysis.tables.groups import GROUPS
from analysis.tables.published import PAPER_ENGINE, Published, paper_conditions, published
from analysis.tables.table import Results, TableKind
from telemetry.record.spec import RunSpec

_PERCENT: Final = 100.0


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

    @property
    def metric(self) -> str:
        if self.number.against_power_cap_w is None:
            return self.number.metric
        return f"{self.number.metric}, change in % at {self.number.power_cap_w:g} W"


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
        "",
        "The paper's number, in the quantity's unit.",
        lambda one: one.number.value,
    ),
    _OF.number(
        "our_value",
        "ours",
        "",
        "Mean over our repeats; over all cells the paper averages.",
        lambda one: one.ours,
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
    chosen = [_closest(found, number.power_cap_w) for found in parts]
    if gpu != number.gpu or any(group["simulated"] for group in chosen):
        reason = "simulated: a model's output is not held against a measurement"
        return _Answer(number=number, gpu=gpu, reason=reason)
    values = [_value(number, group, found) for group, found in zip(chosen, parts, strict=True)]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        reason = f"our {number.metric} is not known in these conditions"
        return _Answer(number=number, gpu=gpu, reason=reason)
    remarks = "; ".join(_differences(number, chosen, specs)) or None
    return _Answer(number=number, gpu=gpu, ours=sum(known) / len(known), reason=remarks)


def _closest(groups: Sequence[Mapping[str, Any]], power_cap_w: float) -> Mapping[str, Any]:
    """The point most like the paper's: its software before its cap."""

    def distance(group: Mapping[str, Any]) -> tuple[bool, bool, bool, float]:
        cap = group["power_cap_w"]
        other_software = group["engine"] != PAPER_ENGINE, group["quantization"] != "none"
        return *other_software, cap is None, abs((cap or 0.0) - power_cap_w)

    return min(groups, key=distance)


def _value(
    number: Published, group: Mapping[str, Any], same_point: Sequence[Mapping[str, Any]]
) -> float | None:
    value: float | None = group.get(f"{number.metric}_mean")
    if number.against_power_cap_w is None or value is None:
        return value
    if group["power_cap_w"] != number.power_cap_w:
        return None
    alike = [
        other
        for other in same_point
        if all(other[name] == group[name] for name in ("engine", "dtype", "quantization"))
    ]
    base = _closest(alike, number.against_power_cap_w)
    reference: float | None = base.get(f"{number.metric}_mean")
    if base["power_cap_w"] != number.against_power_cap_w or not reference:
        return None
    return (value / reference - 1.0) * _PERCENT


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
            for name in ("prompts", "temperature", "top_p"):
                value = getattr(spec, name)
                if value != conditions[name]:
                    found[f"{name} {value:g}, paper {conditions[name]:g}"] = None
            if spec.engine != PAPER_ENGINE:
                found[f"engine {spec.engine}, paper the public eager code"] = None
            if spec.quantization != "none":
                found[f"weights in {spec.quantization}, paper fp16"] = None
            if spec.weights == "random":
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
