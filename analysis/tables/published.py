"""The numbers of arXiv 2310.03003, beside ours where the conditions are the same."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import product
from typing import Any, Final

from telemetry.record.spec import RunSpec

PAPER: Final = "arXiv 2310.03003"
_PERCENT: Final = 100.0
# The engine that works as the paper's software did.
_ENGINE: Final = "reference"


@dataclass(frozen=True, kw_only=True)
class Published:
    """One number of the paper and the conditions it was had in."""

    source: str
    """Figure or table."""
    kind: str
    """`printed`, or `digitised` (read off a figure, about ±2 %)."""
    model: str
    """Name of the model's shape, such as `65b`."""
    gpu: str
    """Kind of GPU, such as `v100`."""
    gpus: int
    """GPUs over which the model was sharded."""
    datasets: tuple[str, ...]
    """More than one: the paper's number is their mean."""
    batch_size: int
    """Prompts answered together."""
    max_gen_lens: tuple[int, ...]
    """More than one: the paper's number is their mean."""
    power_cap_w: float
    """Power limit of each GPU."""
    against_power_cap_w: float | None
    """Given: the number is the change in per cent against that cap."""
    metric: str
    """Column of the runs table."""
    value: float
    """The number, in the unit of that column, or in per cent for a change."""

    @property
    def source_text(self) -> str:
        """Where the number stands and how it was had."""
        how = "printed" if self.kind == "printed" else "digitised, about ±2 %"
        return f"{PAPER} {self.source}, {how}"


@cache
def published() -> tuple[Published, ...]:
    """All numbers, in the paper's order."""
    return tuple(
        Published(
            source=cell["source"],
            kind=cell["kind"],
            model=cell["model"],
            gpu=cell["gpu"],
            gpus=cell["gpus"],
            datasets=tuple(cell["datasets"]),
            batch_size=cell["batch_size"],
            max_gen_lens=tuple(cell["max_gen_lens"]),
            power_cap_w=float(cell["power_cap_w"]),
            against_power_cap_w=cell.get("against_power_cap_w"),
            metric=cell["metric"],
            value=float(cell["value"]),
        )
        for cell in _content()["cells"]
    )


def paper_conditions() -> dict[str, Any]:
    """What held for all of the paper's runs."""
    return dict(_content()["conditions"])


def compare(
    groups: Sequence[Mapping[str, Any]], specs: Sequence[RunSpec]
) -> list[dict[str, str | int | float | bool | None]]:
    """Rows of `columns.COMPARISON` for each of the paper's numbers that `groups` can answer.

    A number is answered when there is a row for every data set and length it averages. Simulated
    rows are named and get no ratio: they are no measurement.
    """
    by_run = {spec.run_id: spec for spec in specs}
    rows: list[dict[str, str | int | float | bool | None]] = []
    for number in published():
        for simulated in (False, True):
            rows.extend(_answers(number, groups, by_run, simulated=simulated))
    return rows


def _answers(
    number: Published,
    groups: Sequence[Mapping[str, Any]],
    specs: Mapping[str, RunSpec],
    *,
    simulated: bool,
) -> list[dict[str, str | int | float | bool | None]]:
    gpu = f"simulated-{number.gpu}" if simulated else number.gpu
    parts: list[list[Mapping[str, Any]]] = []
    for dataset, length in product(number.datasets, number.max_gen_lens):
        point = {
            "model": number.model,
            "gpu": gpu,
            "gpus": number.gpus,
            "dataset": dataset,
            "batch_size": number.batch_size,
            "max_gen_len": length,
        }
        found = [group for group in groups if all(group[key] == point[key] for key in point)]
        if not found:
            return []
        parts.append(found)
    chosen = [_closest(found, number.power_cap_w) for found in parts]
    row: dict[str, str | int | float | bool | None] = {
        "source": number.source_text,
        "model": number.model,
        "dataset": ", ".join(number.datasets),
        "gpu": gpu,
        "gpus": number.gpus,
        "batch_size": number.batch_size,
        "max_gen_len": ", ".join(str(length) for length in number.max_gen_lens),
        "metric": number.metric,
        "paper_value": number.value,
        "our_value": None,
        "ratio": None,
        "reason": None,
    }
    if number.against_power_cap_w is not None:
        row["metric"] = f"{number.metric}, change in % at {number.power_cap_w:g} W"
    if simulated or any(group["simulated"] for group in chosen):
        row["reason"] = "simulated: a model's output is not held against a measurement"
        return [row]
    values = [_value(number, group, found) for group, found in zip(chosen, parts, strict=True)]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        row["reason"] = f"our {number.metric} is not known in these conditions"
        return [row]
    ours = sum(known) / len(known)
    row["our_value"] = ours
    row["ratio"] = ours / number.value
    row["reason"] = "; ".join(_differences(number, chosen, specs)) or None
    return [row]


def _closest(groups: Sequence[Mapping[str, Any]], power_cap_w: float) -> Mapping[str, Any]:
    """The point most like the paper's: its software before its cap."""

    def distance(group: Mapping[str, Any]) -> tuple[bool, bool, bool, float]:
        cap = group["power_cap_w"]
        other_software = group["engine"] != _ENGINE, group["quantization"] != "none"
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
            if spec.engine != _ENGINE:
                found[f"engine {spec.engine}, paper the public eager code"] = None
            if spec.quantization != "none":
                found[f"weights in {spec.quantization}, paper fp16"] = None
            if spec.weights == "random":
                found["random weights, paper the released ones"] = None
    return list(found)


@cache
def _content() -> dict[str, Any]:
    text = resources.files("analysis.tables").joinpath("samsi2023.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content
