"""Factor: one thing in which grid points differ on purpose, and how its levels are called."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from analysis.tables.column import Row
from analysis.tables.point import UNQUANTIZED, engine_order, format_order, kept_words, rounded_part


@dataclass(frozen=True, kw_only=True)
class Factor:
    """Fields of a spec that are set together."""

    name: str
    """As the tables have it."""
    fields: tuple[str, ...]
    """What of a spec it is."""
    level: Callable[[Row], str]
    """What a point's level is called in a sentence."""
    order: Callable[[Row], Any]
    """Sorts levels: what others are held against stands first."""
    plural: bool = False
    """Whether levels are several things: they take, and do not takes."""
    decides: tuple[str, ...] = ()
    """Settings of the launch that it decides: points that differ in it differ in them."""


def _counted(count: object, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _shards(row: Row) -> str:
    gpus = _counted(row["gpus"], "GPU")
    return gpus if row["nodes"] in (None, 1) else f"{gpus} on {row['nodes']} nodes"


def _limit(row: Row, name: str, unit: str, what: str) -> str:
    value = row[name]
    return f"no {what}" if value is None else f"a {what} of {value:g} {unit}"


def _format(row: Row) -> str:
    numbers, quantized = str(row["dtype"]), row["quantization"]
    if quantized != UNQUANTIZED:
        numbers = f"{numbers} with {quantized} {rounded_part(quantized)}"
    return ", ".join((numbers, *kept_words(row)))


def _number(row: Row, name: str) -> tuple[bool, float]:
    """What is not set stands first: no cap before all caps."""
    value = row[name]
    return (value is not None, float(value) if isinstance(value, int | float) else 0.0)


FACTORS: Final = (
    Factor(
        name="engine",
        fields=("engine",),
        level=lambda row: str(row["engine"]),
        order=lambda row: engine_order(str(row["engine"])),
    ),
    Factor(
        name="board",
        fields=("gpu",),
        level=lambda row: str(row["gpu"]),
        order=lambda row: str(row["gpu"]),
    ),
    Factor(
        name="shards",
        fields=("gpus", "gpus_per_node"),
        level=_shards,
        order=lambda row: (_number(row, "gpus"), _number(row, "nodes")),
        plural=True,
    ),
    Factor(
        name="cap",
        fields=("power_cap_w",),
        level=lambda row: _limit(row, "power_cap_w", "W", "cap"),
        order=lambda row: _number(row, "power_cap_w"),
    ),
    Factor(
        name="clock",
        fields=("sm_clock_mhz",),
        level=lambda row: _limit(row, "sm_clock_mhz", "MHz", "clock lock"),
        order=lambda row: _number(row, "sm_clock_mhz"),
    ),
    Factor(
        name="format",
        fields=("dtype", "quantization", "kv_dtype"),
        level=_format,
        order=lambda row: (
            *format_order(str(row["quantization"]), str(row["dtype"])),
            *kept_words(row),
        ),
    ),
    Factor(
        name="dataset",
        fields=("dataset",),
        level=lambda row: str(row["dataset"]),
        order=lambda row: str(row["dataset"]),
        decides=("prompts_digest",),
    ),
    Factor(
        name="batch",
        fields=("batch_size",),
        level=lambda row: f"batch {row['batch_size']}",
        order=lambda row: _number(row, "batch_size"),
    ),
    Factor(
        name="length",
        fields=("max_gen_len",),
        level=lambda row: f"{row['max_gen_len']} tokens",
        order=lambda row: _number(row, "max_gen_len"),
        plural=True,
    ),
)
"""What grids vary, in the order of the tables."""
