"""Labels: what tells points of a figure apart, and numbers as figures write them."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from analysis.tables.column import Cell, Column, Row, differing
from analysis.tables.launched import LAUNCHED
from analysis.tables.point import POINT, POINT_BY_NAME, RANDOM

# How a point is told where the bare word would not say what it is of; all else as "label value".
_TEXTS: Final = {
    "model": "{}",
    "dataset": "{}",
    "gpu": "{}",
    "engine": "{}",
    "dtype": "{}",
    "quantization": "{}",
    "kv_dtype": "keys in {}",
    "weights": "weights {}",
    "gpus": "{} GPUs",
    "nodes": "{} nodes",
    "batch_size": "batch {}",
    "prompts": "{} prompts",
    "max_prompt_len": "prompts of {} tokens",
    "max_gen_len": "{} tokens",
    "power_cap_w": "{} W",
    "sm_clock_mhz": "{} MHz",
    "min_window_s": "window of {} s",
}
_PLURALS: Final = ("{} GPUs", "{} nodes", "{} prompts", "{} tokens")
# A quarter of a figure's width in letters of 9 points.
_LINE_CHARS: Final = 36
# Text where there is no value: the GPU's own power limit, and the format of all numbers.
_WITHOUT: Final = {
    **{"power_cap_w": "no cap", "sm_clock_mhz": "no clock lock"},
    "kv_dtype": "keys not rounded",
}


def names_of(rows: Sequence[Row], but: Iterable[str] = (), per: Iterable[str] = ()) -> list[str]:
    """What each of these rows is called: all in which their specs differ.

    `but` is left to the caller, and `per` is what a figure tells apart by colour or place. Where
    rows would still be one, the settings of the measurement in which they differ come behind.
    """
    left_out, beside = set(but), tuple(per)
    spec = [one for one in differing(POINT, rows) if one.name not in left_out]
    names = [_texts(row, spec) for row in rows]
    alike: dict[tuple[Cell, ...], list[int]] = {}
    for index, (row, name) in enumerate(zip(rows, names, strict=True)):
        alike.setdefault((name, *(row[key] for key in beside)), []).append(index)
    for indices in alike.values():
        own = [rows[index] for index in indices]
        more = [
            one
            for one in differing([POINT_BY_NAME["gpus_per_node"], *LAUNCHED], own)
            if one.name not in beside
        ]
        for index in indices if more else ():
            names[index] = ", ".join(filter(None, (names[index], _texts(rows[index], more))))
    return names


def _texts(row: Row, columns: Iterable[Column[Any]]) -> str:
    return ", ".join(setting_text(row[column.name], column) for column in columns)


def setting_text(value: Cell, column: Column[Any]) -> str:
    """One setting of a point in words."""
    if value is None:
        return _WITHOUT.get(column.name, f"no {column.label}")
    if isinstance(value, bool):
        return column.label if value else f"no {column.label}"
    if column.name == "quantization" and value == "none":
        return "not quantized"
    whole = isinstance(value, float) and value.is_integer()
    said = str(int(value) if whole else value)
    text = _TEXTS.get(column.name, f"{column.label} {{}}")
    return (
        text.removesuffix("s").format(said)
        if said == "1" and text in _PLURALS
        else text.format(said)
    )


def notes(rows: Sequence[Row]) -> str:
    """What a caption has to say of these points beside what is drawn; begins with a blank."""
    apart = [one.label for one in differing(LAUNCHED, rows)]
    told = [weights_note([str(row["weights"]) for row in rows])]
    if apart:
        told.append(f"They differ in {', '.join(apart)} too: the table has which.")
    return "".join(f" {note}" for note in told if note)


def weights_note(weights: Sequence[str]) -> str:
    """That weights are random, which no trained model's are; empty where none are."""
    random = weights.count(RANDOM)
    if not random:
        return ""
    return (
        "Random weights."
        if random == len(weights)
        else (f"Random weights in {random} of {len(weights)}.")
    )


def wrapped(name: str) -> str:
    """A name in lines that leave a figure's panel its room, broken behind commas."""
    lines: list[str] = []
    for part in name.split(", "):
        if lines and len(lines[-1]) + len(part) < _LINE_CHARS:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return ",\n".join(lines)


def short(value: float) -> str:
    """Three digits of a number, the last of them written though it be 0."""
    size = math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{max(0, 2 - size)}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def known(row: Row, name: str) -> bool:
    """True when the grid point has a mean of that metric."""
    return row.get(f"{name}_mean") is not None


def number_of(value: object) -> float:
    """A cell that holds a number."""
    assert isinstance(value, int | float)
    return float(value)


def plural_s(count: object) -> str:
    """The letter that several of a thing have."""
    return "" if count == 1 else "s"
