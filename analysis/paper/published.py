"""The numbers of arXiv 2310.03003, beside ours where the conditions are the same."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

PAPER: Final = "arXiv 2310.03003"


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
    low: float | None = None
    """Lower end of the figure's own error bar; None where it has none."""
    high: float | None = None
    """Upper end of the same."""

    @property
    def digitised(self) -> bool:
        """True when it was read off a figure."""
        return self.kind == "digitised"

    @property
    def source_text(self) -> str:
        """Where the number stands and how it was had."""
        how = "digitised, about ±2 %" if self.digitised else "printed"
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
            low=cell.get("low"),
            high=cell.get("high"),
        )
        for cell in _content()["cells"]
    )


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """One entry of table I: what a node of the paper has."""

    gpu: str
    """Kind of GPU of the node."""
    item: str
    """What it is, such as `gpu_memory`."""
    unit: str
    """Of the value; empty for words."""
    text: str | None = None
    """Words; None for a number."""
    value: float | None = None
    """A number; None for words."""


@cache
def hardware() -> tuple[Hardware, ...]:
    """Table I, node by node."""
    return tuple(Hardware(**entry) for entry in _content()["hardware"])


@dataclass(frozen=True, kw_only=True)
class MinimumHardware:
    """One row of table II: the fewest GPUs that a model ran on, and its largest batch there."""

    model: str
    """Name of the model's shape."""
    gpu: str
    """Kind of GPU."""
    gpus: int
    """How many."""
    max_batch: int
    """Prompts answered together at most, at a length of 256."""


@cache
def minimum_hardware() -> tuple[MinimumHardware, ...]:
    """Table II, in the paper's order."""
    return tuple(MinimumHardware(**entry) for entry in _content()["minimum_hardware"])


def paper_conditions() -> dict[str, Any]:
    """What held for all of the paper's runs."""
    return dict(_content()["conditions"])


@cache
def _content() -> dict[str, Any]:
    text = resources.files("analysis.paper").joinpath("samsi2023.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content
