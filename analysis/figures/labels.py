"""Labels: what tells points of a figure apart, and numbers as figures write them."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from analysis.tables.column import Row

# What tells points apart beyond model, GPUs and engine, where it is not the same in all.
_MORE: Final = (
    ("dataset", "{}"),
    ("batch_size", "batch {}"),
    ("max_gen_len", "{} tokens"),
    ("dtype", "{}"),
    ("quantization", "{}"),
    ("nodes", "{} nodes"),
    ("power_cap_w", "{} W"),
)


def differences(row: Row, rows: Sequence[Row], but: Iterable[str] = ()) -> str:
    """What is not the same in all of these rows, of one of them; `but` is left to the caller."""
    return ", ".join(
        text.format(row[name])
        for name, text in _MORE
        if name not in but and len({other[name] for other in rows}) > 1
    )


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


def log_ticks(axis: Axis, text: Callable[[float], str]) -> None:
    """Ticks of a logarithmic axis at 1, 2 and 5 of each decade, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_formatter(NullFormatter())
