"""Axes: scales, ticks and names of a panel of a picture."""

import math
from collections.abc import Callable
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)

from analysis.figures.canvas import plain
from analysis.figures.chart import Panel
from analysis.figures.said import digits

TICKS: Final = {1: 7, 2: 4, 3: 3}
"""Ticks of values by how many panels stand side by side."""
# Room for texts behind bars, as a share, by the same.
_ROOM: Final = {1: 0.16, 2: 0.32, 3: 0.46}
# Names of categories under standing bars that are longer in all are turned.
_FLAT_CHARS: Final = 60
# An axis of more decades has ticks at tens alone.
_FEW_DECADES: Final = 2.5


def set_axes(axes: Axes, panel: Panel, *, named: bool, columns: int) -> None:
    """Scales, ranges, ticks and names of both axes; `named` is whether categories are written.

    `columns` is how many panels stand side by side in a picture of full width.
    """
    value, argument = (axes.xaxis, axes.yaxis) if panel.sideways else (axes.yaxis, axes.xaxis)
    argument.set_label_text(plain(panel.x_label))
    value.set_label_text(plain(panel.y_label))
    axes.grid(visible=False, axis="y" if panel.sideways else "x")
    axes.grid(visible=True, axis="x" if panel.sideways else "y")
    texts = any(mark.text for mark in panel.marks())
    room = _ROOM[columns] if texts and panel.sideways else _ROOM[1] if texts else 0.05
    along = 0.1 if texts and not panel.sideways else 0.04
    axes.margins(room if panel.sideways else along, along if panel.sideways else room)
    set_scale = {"x": axes.set_xscale, "y": axes.set_yscale}
    set_range: dict[str, Callable[..., Any]] = {"x": axes.set_xlim, "y": axes.set_ylim}
    of = {"x": ("y" if panel.sideways else "x"), "y": ("x" if panel.sideways else "y")}
    for name, axis, scale in (("x", argument, panel.x_scale), ("y", value, panel.y_scale)):
        if scale == "log":
            set_scale[of[name]]("log")
            _log_ticks(axes, axis, of[name])
        elif name == "y" or panel.categories is None:
            axis.set_major_locator(MaxNLocator(nbins=TICKS[columns]))
            axis.set_major_formatter(FuncFormatter(lambda at, _: digits(at)))
    if panel.y_percent:
        value.set_major_formatter(PercentFormatter(xmax=1))
    if panel.from_zero and panel.y_scale == "linear":
        set_range[of["y"]](0.0)
    if panel.categories is not None:
        _name_categories(axes, panel, named=named)
    elif panel.ticks:
        argument.set_ticks(list(panel.ticks), [digits(tick) for tick in panel.ticks])
        argument.set_ticks([], minor=True)
    for name, given in (("x", panel.x_range), ("y", panel.y_range)):
        if given is not None:
            set_range[of[name]](given)
    if panel.title:
        axes.set_title(plain(panel.title), loc="left", fontsize=9.5)


def _name_categories(axes: Axes, panel: Panel, *, named: bool) -> None:
    names = [plain(name) for name in panel.categories or ()]
    at = list(range(len(names)))
    ends = (-0.5, len(names) - 0.5)
    if panel.sideways:
        axes.set_yticks(at, names if named else [""] * len(names), fontsize=9)
        axes.set_ylim(*reversed(ends))
        return
    long = sum(map(len, names)) > _FLAT_CHARS
    turned: dict[str, Any] = (
        {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if long else {}
    )
    axes.set_xticks(at, names, fontsize=9, **turned)
    axes.set_xlim(*ends)


def _log_ticks(axes: Axes, axis: Any, name: str) -> None:
    """Ticks at 1, 2 and 5 of each decade where there are few, as plain numbers."""
    low, high = axes.get_xlim() if name == "x" else axes.get_ylim()
    few = low > 0 and math.log10(high / low) < _FEW_DECADES
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda at, _: digits(at)))
    axis.set_minor_formatter(NullFormatter())
