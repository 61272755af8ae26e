"""Comparisons: what each level of a factor takes over another, one mark a comparison."""

from collections.abc import Sequence
from typing import Final

from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Line, Mark, Panel, undrawn
from analysis.figures.labels import number_of, plural_s
from analysis.figures.marks import labels_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.table import Tables

# A page has no more lines than that; the table has all.
_MOST: Final = 40


def comparisons(_loaded: Loaded, tables: Tables) -> Chart:
    """Ratios of joules a token with their intervals, measured ones where there are such."""
    key, title = "comparisons", "What makes a difference"
    rows = tables.comparisons.rows
    measured = [row for row in rows if not row["simulated"]]
    chosen = _fewest(measured or list(rows))
    if not chosen:
        return undrawn(key, title, "no two grid points differ in one factor alone")
    factors = list(dict.fromkeys(str(row["factor"]) for row in chosen))
    series = tuple(
        ChartSeries(
            name=factor,
            kind="points",
            marks=tuple(
                _mark(row, index) for index, row in enumerate(chosen) if row["factor"] == factor
            ),
            colour=place,
            symbol=SYMBOLS[place % len(SYMBOLS)],
        )
        for place, factor in enumerate(factors)
    )
    panel = Panel(
        series=series,
        y_label="joules a token, level over base",
        y_scale="log",
        categories=tuple(f"{row['level']} over {row['base']}" for row in chosen),
        sideways=True,
        lines=(Line(at=1.0, name="the same"),),
    )
    bare = sum(row["ratio_low"] is None for row in chosen)
    left = len(rows) - len(chosen)
    return Chart(
        key=key,
        title=title,
        caption="Geometric mean over all pairs of grid points that differ in that factor alone. "
        "Whiskers: the 95 % interval by the scatter of the pairs with the sensors' part and the "
        "boards' gain."
        + (f" {bare} without: too few pairs." if bare else "")
        + (f" {left} more comparison{plural_s(left)} in the table." if left else ""),
        panels=(panel,),
    )


def _fewest(rows: Sequence[Row]) -> list[Row]:
    """All in the table's order; of too many those that most pairs stand behind."""
    most = sorted(rows, key=lambda row: -number_of(row["pairs"]))[:_MOST]
    return [row for row in rows if any(row is one for one in most)]


def _mark(row: Row, index: int) -> Mark:
    low, high = row["ratio_low"], row["ratio_high"]
    pairs = f"{row['pairs']} pair{plural_s(row['pairs'])}"
    known = low is not None and high is not None
    return Mark(
        x=float(index),
        y=number_of(row["ratio"]),
        low=number_of(low) if known else None,
        high=number_of(high) if known else None,
        interval=f"95 % over {pairs}" if known else f"no interval: {row['reason']}",
        hover=f"{row['level']} over {row['base']}"
        + (f"\np = {number_of(row['p_holm']):.2g} after Holm" if row["p_holm"] is not None else ""),
        axes={"factor": str(row["factor"])},
        labels=labels_of(row),
    )
