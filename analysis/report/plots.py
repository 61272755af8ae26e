"""Plots: a figure on the page: its picture, and the plot that a script draws over it.

`chart.js` finds both by `data-chart` and `data-chart-of`; a page without a script, or on paper,
shows the pictures.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup, escape

from analysis.figures.canvas import DrawnFigure

# What HTML would read in JSON as the end of the element that it stands in.
_ESCAPED: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def chart_html(figure: DrawnFigure) -> Markup:
    """One figure: its picture, and data and layout of its plot where it has one."""
    picture = Markup(figure.svg or "")  # noqa: S704 - escaped by matplotlib
    alt = figure.alt or figure.title
    plot = "" if figure.plot is None else plot_json(figure.key, figure.plot)
    return Markup(
        '<div class="plot" data-chart="{key}" data-alt="{alt}">'
        '<div class="picture" role="img" aria-label="{alt}">{picture}</div></div>{plot}'
    ).format(key=figure.key, alt=alt, picture=picture, plot=plot)


def plot_json(key: str, plot: Mapping[str, Any]) -> Markup:
    """Data and layout of a plot as an element that no browser runs."""
    text = json.dumps(plot, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup('<script type="application/json" data-chart-of="{key}">{plot}</script>').format(
        key=escape(key),
        plot=Markup(text.translate(_ESCAPED)),  # noqa: S704 - no letter of it means anything to HTML
    )
