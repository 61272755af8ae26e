"""Canvas: how every figure looks, and how it becomes SVG that is the same every time.

Colours are those of Okabe and Ito, which people with any colour vision tell apart. Text and axes
take the page's own colour, so a figure is readable in light and in dark.
"""

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.chart import Chart
from analysis.figures.palette import without_variables
from telemetry.terminal import printable_lines

# M. Okabe and K. Ito, Color Universal Design, jfly.uni-koeln.de/color: without black and yellow,
# which vanish in dark and in light; grey is added, and last the wine of P. Tol's muted scheme
# (personal.sron.nl/~pault), as there are eight phases.
PALETTE: Final = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7"),
    *("#56B4E9", "#D55E00", "#8A8A8A", "#882255"),
)
HATCHES: Final = ("", "//", "..", "xx", "\\\\", "++", "--")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
LINES: Final = (("--", "dashed"), ("-", "full"), (":", "dotted"), ("-.", "dash-dotted"))
"""Styles of lines by position, and what a caption calls them."""

# The page's ink and paper in light, `report.css`.
_PAGE_INK: Final = "#1c2128"
_PAPER: Final = '<rect width="100%" height="100%" fill="#ffffff"/>'
INK: Final = "#010203"
"""Stands for the page's text colour until the SVG is written."""
# Any: matplotlib types its settings as a closed set of literals.
_STYLE: Final[Any] = {
    "text.parse_math": False,
    "svg.hashsalt": "joulegrid",
    "svg.fonttype": "none",
    "font.size": 10.0,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": INK,
    "grid.alpha": 0.14,
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "hatch.linewidth": 0.6,
    # TrueType: what publishers ask for, and text that can be searched.
    "pdf.fonttype": 42,
    "figure.constrained_layout.use": True,
}
WIDTH_IN: Final = 8.0
"""Width of every figure in inches."""
# A hundredth of a point is less than any screen shows.
_LONG_NUMBER: Final = re.compile(r"(\d\.\d\d)\d+")


@dataclass(frozen=True, kw_only=True)
class DrawnFigure:
    """One figure of the report."""

    key: str
    """File name without its ending, and prefix of its ids."""
    title: str
    """Heading of the figure, without a full stop."""
    caption: str
    """What is seen, in one or two sentences."""
    alt: str = ""
    """What is seen, for who cannot see it; empty when nothing is drawn."""
    svg: str | None
    """None when there is nothing to draw."""
    reason: str | None
    """Why there is nothing to draw; None when there is."""
    simulated: bool
    """True when anything drawn is simulated; False when nothing is drawn."""
    plot: Mapping[str, Any] | None = None
    """What plotly draws on the page: data and layout; None where there is the picture alone."""
    chart: Chart | None = None
    """What it was drawn from, for a PDF; None where it was not drawn from a chart."""


@contextmanager
def style() -> Iterator[None]:
    """The look of all figures, whatever the user's own matplotlib settings are."""
    with mpl.rc_context(), warnings.catch_warnings():
        # Glyphs that the font lacks, a name wider than the picture: nobody at a terminal can mend
        # them, and what becomes of them is seen in the picture.
        warnings.simplefilter("ignore")
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def new_figure(panels: int, height_in: float) -> tuple[Figure, list[Axes]]:
    """A figure of `panels` panels side by side."""
    figure = Figure(figsize=(WIDTH_IN, height_in))
    axes = figure.subplots(1, panels, squeeze=False)
    return figure, list(axes[0])


def watermark(axes: Axes, *, small: bool = False) -> None:
    """Write SIMULATED across a panel."""
    axes.text(
        0.5,
        0.5,
        "SIMULATED",
        transform=axes.transAxes,
        rotation=20,
        ha="center",
        va="center",
        fontsize=14 if small else 26,
        fontweight="bold",
        color="#D55E00",
        alpha=0.28,
        zorder=10,
    )


def to_svg(figure: Figure, key: str) -> str:
    """The figure as an SVG element without dates, foreign addresses or clashing ids."""
    sink = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(sink, format="svg", metadata=nothing)
    text = sink.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{key}-\1)", text)
    text = re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{key}-\1"', text)
    text = re.sub(r' d="[^"]*"', lambda path: _LONG_NUMBER.sub(r"\1", path.group()), text)
    return text.replace(INK, "currentColor").strip() + "\n"


def standalone(svg: str) -> str:
    """The figure as a file of its own: dark ink on white, wherever it is shown."""
    head, end, rest = without_variables(svg).partition(">")
    return head + end + _PAPER + rest.replace("currentColor", _PAGE_INK)


def nothing(key: str, title: str, reason: str) -> DrawnFigure:
    """A figure that has nothing to show, and why."""
    return DrawnFigure(key=key, title=title, caption="", svg=None, reason=reason, simulated=False)


def plain(text: str) -> str:
    """Text that XML can hold and matplotlib shows: it hides labels that begin with `_`."""
    return printable_lines(text).lstrip("_")
