"""Plot axes: what plotly has of a panel beside its traces: axes, lines, shades and a title."""

import math
from typing import Any, Final

from analysis.figures.chart import Panel, Shade
from analysis.figures.palette import name_of
from analysis.figures.said import digits, shown

# Digits of a number of a plot: more than the highest screen has dots.
_DIGITS: Final = 6


def lay_out(layout: dict[str, Any], panel: Panel, number: str, *, named: bool) -> None:
    """Axes, reference lines and titles of one panel; the page sets where it stands."""
    argument: dict[str, Any] = {"title": {"text": safe(panel.x_label)}, "type": panel.x_scale}
    value: dict[str, Any] = {"title": {"text": safe(panel.y_label)}, "type": panel.y_scale}
    if panel.categories is not None:
        count = len(panel.categories)
        ends = [count - 0.5, -0.5] if panel.sideways else [-0.5, count - 0.5]
        names = [safe(name).replace("\n", "<br>") for name in panel.categories]
        argument |= {"tickvals": list(range(count)), "ticktext": names, "range": ends}
        argument |= {"showgrid": False, "zeroline": False, "type": "linear"}
        if not named:
            argument["showticklabels"] = False
    elif panel.ticks:
        argument |= {"tickvals": list(panel.ticks), "ticktext": [digits(at) for at in panel.ticks]}
    if panel.y_percent:
        value["tickformat"] = ".0%"
    if panel.from_zero and panel.y_scale == "linear":
        value["rangemode"] = "tozero"
    for axis, given in ((argument, panel.x_range), (value, panel.y_range)):
        if given is not None:
            log = axis["type"] == "log"
            axis["range"] = [math.log10(end) if log else end for end in given]
    argument["meta"], value["meta"] = "argument", "value"
    along, across = ("y", "x") if panel.sideways else ("x", "y")
    layout[f"{along}axis{number}"] = argument
    layout[f"{across}axis{number}"] = value
    for line in panel.lines:
        across_x = (line.axis == "x") != panel.sideways
        on, over = ("x", "y") if across_x else ("y", "x")
        layout["shapes"].append(
            {
                "type": "line",
                f"{on}ref": f"{on}{number}",
                f"{over}ref": f"{over}{number} domain",
                **{f"{on}0": rounded(line.at), f"{on}1": rounded(line.at)},
                **{f"{over}0": 0, f"{over}1": 1},
                "line": {"color": f"@{name_of(line.colour)}", "width": 1.2, "dash": line.dash},
                "name": shown(line.name),
            }
        )
    layout["shapes"].extend(_shades(panel, number))
    if panel.title:
        layout["annotations"].append(
            {
                "text": f"<b>{safe(panel.title)}</b>",
                **{"xref": f"x{number} domain", "yref": f"y{number} domain", "x": 0, "y": 1},
                **{"xanchor": "left", "yanchor": "bottom", "showarrow": False},
            }
        )


def _shades(panel: Panel, number: str) -> list[dict[str, Any]]:
    """Shaded stretches: one shape a name, that the page can hide by it."""
    named: dict[tuple[str, str], list[Shade]] = {}
    for shade in panel.shades:
        named.setdefault((shade.name, shade.axis), []).append(shade)
    made = []
    for (name, axis), shades in named.items():
        across = (axis == "x") != panel.sideways
        on, over = ("x", "y") if across else ("y", "x")
        made.append(
            {
                "type": "path",
                "layer": "below",
                "path": "".join(_rectangle(shade, across=across) for shade in shades),
                f"{on}ref": f"{on}{number}",
                f"{over}ref": f"{over}{number} domain",
                "fillcolor": f"@{name_of(shades[0].colour)}/0.2",
                "line": {"width": 0},
                "name": shown(name),
            }
        )
    return made


def _rectangle(shade: Shade, *, across: bool) -> str:
    """A stretch as SVG has paths, from one end of the other axis to the other."""
    low, high = rounded(shade.low), rounded(shade.high)
    ends = ((low, 0), (high, 0), (high, 1), (low, 1))
    points = (f"{at},{over}" if across else f"{over},{at}" for at, over in ends)
    return f"M{'L'.join(points)}Z"


def rows_of(panel: Panel) -> int:
    """How many bars or lines of names stand one above the other; 0 for a panel that stands."""
    if not (panel.sideways and panel.categories is not None):
        return 0
    most = 1 if panel.stacked else max(1, sum(one.kind == "bar" for one in panel.series))
    lines = max((name.count("\n") + 1 for name in panel.categories), default=1)
    return len(panel.categories) * max(most, lines)


def rounded(value: float | None) -> float | int | None:
    """A number in as many digits as are seen."""
    if value is None:
        return None
    short = float(f"{value:.{_DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 10**_DIGITS else short


def safe(text: str) -> str:
    """Text that plotly shows as it is: it reads some HTML."""
    return shown(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
