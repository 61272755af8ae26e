"""Chart: what a figure shows, told once, from which every renderer draws.

A panel has an argument (x) and a value (y). A mark's interval is that of its value; `sideways`
turns a panel so that values run across and arguments down the page. An argument on a panel with
`categories` is the index of a category.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Kind = Literal["bar", "line", "points", "step", "band", "area"]
"""How a series is drawn: `band` fills from `low` to `high`, `area` from 0 to the value."""
Scale = Literal["linear", "log"]
Axis = Literal["x", "y"]

KINDS: Final[tuple[Kind, ...]] = ("bar", "line", "points", "step", "band", "area")
SCALES: Final[tuple[Scale, ...]] = ("linear", "log")
DASHES: Final = ("solid", "dash", "dot", "dashdot")
"""Styles of lines, in the words of plotly."""
SYMBOLS: Final = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x")
"""Shapes of marks, in the words of plotly."""
COLOURS: Final = 8
"""How many colours there are to tell series apart; after the last comes the first again."""
SIMULATED: Final = "simulated"
"""The label of a mark that no GPU measured."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One value of a series."""

    x: float
    """The argument, or the index of its category."""
    y: float | None
    """The value; None for a gap in a line."""
    low: float | None = None
    """Lower end of the value's interval; None when nobody knows one."""
    high: float | None = None
    """Upper end of the value's interval; None when nobody knows one."""
    x_low: float | None = None
    """Lower end of the argument's interval; None when it has none."""
    x_high: float | None = None
    """Upper end of the argument's interval; None when it has none."""
    interval: str = ""
    """What the interval is, as `95 % over 3 repeats`; empty without one."""
    hover: str = ""
    """What the mark is of: the run or the point, in plain text; lines are broken by newlines."""
    text: str = ""
    """Printed beside the mark; empty for nothing."""
    axes: Mapping[str, str] = field(default_factory=dict)
    """What the page can filter the mark by, as {"model": "llama-7b"}."""
    labels: tuple[str, ...] = ()
    """Honest labels: what the value is not, as `simulated` or `random weights`."""

    def __post_init__(self) -> None:
        numbers = {
            name: getattr(self, name) for name in ("x", "y", "low", "high", "x_low", "x_high")
        }
        for name, value in numbers.items():
            if value is not None and not math.isfinite(value):
                raise ValueError(f"`{name}` must be finite, but is {value} instead")
        for low, high in (("low", "high"), ("x_low", "x_high")):
            if (numbers[low] is None) != (numbers[high] is None):
                raise ValueError(
                    f"`{low}` and `{high}` must both be numbers or both be None, but are "
                    f"{numbers[low]} and {numbers[high]} instead"
                )
            if numbers[low] is not None and numbers[low] > numbers[high]:
                raise ValueError(
                    f"`{low}` must be at most `{high}`, but is {numbers[low]} instead, and that "
                    f"{numbers[high]}"
                )
        if self.x is None:
            raise ValueError("`x` must be a number, but is None instead")


@dataclass(frozen=True, kw_only=True)
class ChartSeries:
    """Marks of one name and one look; series of one name share a place in the legend."""

    name: str
    """What the legend says; empty for a series that stands in no legend."""
    kind: Kind
    """How it is drawn."""
    marks: tuple[Mark, ...]
    """Its values, a line's in the order in which it joins them."""
    colour: int | None = 0
    """Index of one of the palette's colours; None for the colour of the page's text."""
    dash: str = "solid"
    """One of `DASHES`."""
    symbol: str | None = None
    """One of `SYMBOLS`; None for a line without symbols; points have a circle then."""
    printed: bool = True
    """False when it is drawn on the page alone, and left out of the picture on paper."""

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, KINDS)
        _one_of("dash", self.dash, DASHES)
        if self.symbol is not None:
            _one_of("symbol", self.symbol, SYMBOLS)
        if self.colour is not None and self.colour < 0:
            raise ValueError(f"`colour` must be at least 0, but is {self.colour} instead")
        if self.kind == "band" and any(mark.low is None for mark in self.marks):
            raise ValueError("`marks` of a band must have an interval each, but one has none")

    @property
    def continuous(self) -> bool:
        """True when it is seen as one line or area, and not as marks of their own."""
        return self.kind not in {"bar", "points"} and self.symbol is None

    def units(self) -> Iterator[tuple[str, ...]]:
        """The labels of each thing that is seen: of every mark, or of a line as a whole."""
        labels = [tuple(dict.fromkeys(mark.labels)) for mark in self.marks if mark.y is not None]
        if self.continuous:
            yield tuple(dict.fromkeys(label for own in labels for label in own))
        else:
            yield from labels


@dataclass(frozen=True, kw_only=True)
class Line:
    """A straight reference line over a whole panel."""

    at: float
    """Where it stands."""
    axis: Axis = "y"
    """The axis on which `at` is read: one of x stands across the arguments."""
    name: str = ""
    """What it is; empty for nothing."""
    colour: int | None = None
    """Index of one of the palette's colours; None for the colour of the page's text."""
    dash: str = "solid"
    """One of `DASHES`."""

    def __post_init__(self) -> None:
        _one_of("axis", self.axis, ("x", "y"))
        _one_of("dash", self.dash, DASHES)


@dataclass(frozen=True, kw_only=True)
class Shade:
    """A shaded stretch over a whole panel; those of one name share a place in the legend."""

    low: float
    """Where it begins."""
    high: float
    """Where it ends."""
    axis: Axis = "x"
    """The axis on which both are read."""
    name: str = ""
    """What it is; empty for one that stands in no legend."""
    colour: int | None = None
    """Index of one of the palette's colours; None for the colour of the page's text."""

    def __post_init__(self) -> None:
        _one_of("axis", self.axis, ("x", "y"))
        if self.low > self.high:
            raise ValueError(
                f"`low` must be at most `high`, but is {self.low} instead, and that {self.high}"
            )


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One pair of axes."""

    series: tuple[ChartSeries, ...]
    """What is drawn, the last on top."""
    x_label: str = ""
    """Name of the argument with its unit in square brackets; empty where categories say it."""
    y_label: str = ""
    """Name of the value with its unit in square brackets."""
    title: str = ""
    """What tells the panel from others; empty where it is the only one."""
    x_scale: Scale = "linear"
    """How arguments are spread."""
    y_scale: Scale = "linear"
    """How values are spread: bars want `linear`, as they begin at 0."""
    categories: tuple[str, ...] | None = None
    """Names of the arguments 0, 1, 2...; a name may have lines. None for numbers."""
    sideways: bool = False
    """True when values run across and arguments down, the first on top: bars with long names."""
    stacked: bool = False
    """True when bars of one argument stand one on the other, not side by side."""
    ticks: tuple[float, ...] = ()
    """Arguments that are written at the axis, and no others; empty for a choice by the scale."""
    from_zero: bool = False
    """True when a linear axis of values begins at 0, though no bar does."""
    y_percent: bool = False
    """True when values are shares that are written as percent."""
    x_range: tuple[float, float] | None = None
    """First and last argument that are shown; None for all with some room."""
    y_range: tuple[float, float] | None = None
    """First and last value that are shown; None for all with some room."""
    lines: tuple[Line, ...] = ()
    """Straight lines to compare with."""
    shades: tuple[Shade, ...] = ()
    """Shaded stretches, under all else."""

    def __post_init__(self) -> None:
        _one_of("x_scale", self.x_scale, SCALES)
        _one_of("y_scale", self.y_scale, SCALES)
        if self.categories is not None:
            for mark in self.marks():
                if not 0 <= round(mark.x) < len(self.categories):
                    raise ValueError(
                        f"`x` must be the index of one of {len(self.categories)} categories, but "
                        f"is {mark.x} instead"
                    )

    def marks(self) -> Iterator[Mark]:
        """All marks of all series."""
        for series in self.series:
            yield from series.marks

    @property
    def partly_labelled(self) -> bool:
        """True when some marks carry a label and others none: those are drawn hollow or faint."""
        labelled = [bool(mark.labels) for mark in self.marks() if mark.y is not None]
        return any(labelled) and not all(labelled)


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One figure: its panels, or the reason why there is nothing to draw."""

    key: str
    """File name without its ending, and prefix of its ids: small letters, digits and `-`."""
    title: str
    """Heading of the figure, without a full stop."""
    caption: str = ""
    """What is seen, in one or two sentences."""
    alt: str = ""
    """What is seen, for who cannot see it: what `alt_text` tells where empty."""
    panels: tuple[Panel, ...] = ()
    """Its panels; empty when there is nothing to draw."""
    columns: int = 3
    """How many panels stand side by side before the next row begins."""
    labels: tuple[str, ...] = ()
    """Honest labels of the whole figure beside those of its marks."""
    reason: str | None = None
    """Why there is nothing to draw; None when there is."""
    number: str | None = None
    """Number in the paper, as `Figure 6`; None for a figure that the paper has not."""

    def __post_init__(self) -> None:
        if not self.key or not all(part.isalnum() for part in self.key.split("-")):
            raise ValueError(
                f"`key` must be letters and digits joined by -, but is {self.key!r} instead"
            )
        if bool(self.panels) == (self.reason is not None):
            raise ValueError("a chart must have either `panels` or a `reason`, but not both")
        if self.columns < 1:
            raise ValueError(f"`columns` must be at least 1, but is {self.columns} instead")

    def marks(self) -> Iterator[Mark]:
        """All marks of all panels."""
        for panel in self.panels:
            yield from panel.marks()

    @property
    def simulated(self) -> bool:
        """True when anything drawn is simulated; False when nothing is drawn."""
        return SIMULATED in self.labels or any(SIMULATED in mark.labels for mark in self.marks())

    def told_labels(self) -> tuple[str, ...]:
        """Every honest label, with how many marks or lines carry it where not all do."""
        units = [unit for panel in self.panels for one in panel.series for unit in one.units()]
        counts = Counter(label for unit in units for label in unit)
        lines = all(one.continuous for panel in self.panels for one in panel.series)
        of = f"of {len(units)} {'lines' if lines else 'marks'}"
        told = list(self.labels)
        for label, count in counts.items():
            if label not in self.labels:
                told.append(label if count == len(units) else f"{label}: {count} {of}")
        return tuple(told)

    def alt_text(self) -> str:
        """What is seen, in words: `alt`, or else what its panels hold."""
        if self.alt:
            return self.alt
        parts = []
        for panel in self.panels:
            names = list(dict.fromkeys(one.name for one in panel.series if one.name))
            count = sum(mark.y is not None for mark in panel.marks())
            of = f" of {', '.join(names)}" if names else ""
            against = f" against {panel.x_label}" if panel.x_label else ""
            parts.append(f"{panel.y_label or panel.title}{against}: {count} values{of}")
        told = "; ".join((*parts, *self.told_labels()))
        return f"{self.title}. {told}." if told else f"{self.title}."


def undrawn(key: str, title: str, reason: str, *, number: str | None = None) -> Chart:
    """A figure that has nothing to show, and why."""
    return Chart(key=key, title=title, reason=reason, number=number)


def unit_of(label: str) -> str:
    """The unit in the square brackets at the end of an axis' name; empty without."""
    head, bracket, rest = label.rpartition("[")
    return rest.rstrip("]") if bracket and head and label.endswith("]") else ""


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"`{name}` must be one of {', '.join(allowed)}, but is {value!r} instead")
