"""Figure: the ratios of all cells with their intervals, one panel a metric."""

from collections.abc import Sequence
from typing import Final

from analysis.compare.comparison import Comparison
from analysis.compare.sides import Side
from analysis.compare.verdict import Judgement, Word
from analysis.figures.chart import SIMULATED, Chart, ChartSeries, Line, Mark, Panel, Shade, undrawn
from analysis.figures.static import svg

_KEY: Final = "compare"
# What is told stands out from what is not.
_TOLD, _NOT_TOLD = "circle", "x"


def ratios(comparison: Comparison) -> str | None:
    """The figure as SVG; None where no cell has a ratio."""
    return svg(chart(comparison))


def chart(comparison: Comparison) -> Chart:
    """What it shows: a line a cell, and each other side in a colour of its own."""
    base, others = comparison.sides[0], comparison.sides[1:]
    over = ", ".join(f"{side.letter} / {base.letter}" for side in others)
    title = f"{over}, cell by cell"
    if not any(one.ratio for each in comparison.verdicts for one in each):
        return undrawn(_KEY, title, "no cell has a ratio")
    several = len(others) > 1
    names = tuple(
        f"{name} ({cell.other.letter})" if several else name
        for name, cell in zip(comparison.names, comparison.cells, strict=True)
    )
    return Chart(
        key=_KEY,
        title=title,
        caption="Ratios with their 95 % intervals.",
        panels=tuple(_panel(comparison, verdicts, names) for verdicts in comparison.verdicts),
        labels=(SIMULATED,) if comparison.simulated else (),
    )


def _panel(comparison: Comparison, verdicts: Sequence[Judgement], names: tuple[str, ...]) -> Panel:
    margin = 1 + comparison.margin
    return Panel(
        series=tuple(
            series
            for colour, side in enumerate(comparison.sides[1:])
            for series in _series(comparison, verdicts, side, colour)
        ),
        y_label=verdicts[0].metric.label,
        categories=names,
        sideways=True,
        lines=(Line(at=1.0),),
        shades=(Shade(low=1 / margin, high=margin, axis="y", name="counts as the same"),),
    )


def _series(
    comparison: Comparison, verdicts: Sequence[Judgement], side: Side, colour: int
) -> list[ChartSeries]:
    found = []
    for symbol, told in ((_TOLD, True), (_NOT_TOLD, False)):
        marks = tuple(
            _mark(one, place, comparison.labels[place])
            for place, one in enumerate(verdicts)
            if one.cell.other is side and (one.word is not Word.CANNOT_TELL) is told
        )
        said = "95 % interval" if told else "cannot tell"
        if any(mark.y is not None for mark in marks):
            found.append(
                ChartSeries(
                    name=f"{side.letter}: {said}",
                    kind="points",
                    marks=marks,
                    colour=colour,
                    symbol=symbol,
                )
            )
    return found


def _mark(one: Judgement, place: int, labels: Sequence[str]) -> Mark:
    found = one.ratio
    if found is None:
        return Mark(x=float(place), y=None, hover="no number")
    known = found.low is not None and found.high is not None
    return Mark(
        x=float(place),
        y=found.ratio,
        low=found.low if known else None,
        high=found.high if known else None,
        interval="95 %" if known and not found.reason else found.reason or "",
        hover=str(one.word),
        labels=tuple(labels),
    )
