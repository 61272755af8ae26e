"""Engine ladder: what software alone is worth, one line a work and one place an engine."""

from collections.abc import Mapping, Sequence
from typing import Final

from analysis.figures.chart import COLOURS, SYMBOLS, Chart, ChartSeries, Line, Mark, Panel, undrawn
from analysis.figures.labels import names_of, number_of, plural_s, short
from analysis.figures.marks import axes_among, axes_of, half_width_mark, labels_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Cell, Row
from analysis.tables.point import POINT_BY_NAME
from analysis.tables.table import Tables

# As many lines as there are colours; the table has all.
_MOST: Final = COLOURS
# One rung is no ladder.
_SEVERAL: Final = 2
_WORK: Final = (
    *(name for name in POINT_BY_NAME if name != "engine"),
    *("prompts_digest", "device"),
)


def engine_ladder(_loaded: Loaded, tables: Tables) -> Chart:
    """Joules a token and the share of the bound, engine by engine, measured ones if any are."""
    key, title = "engine-ladder", "The engines on one ladder: what software alone is worth"
    rows = [row for row in tables.engine_ladder.rows if row["reason"] is None]
    rows = [row for row in rows if not row["simulated"]] or rows
    works: dict[tuple[Cell, ...], list[Row]] = {}
    for row in rows:
        works.setdefault(tuple(row[name] for name in _WORK), []).append(row)
    told = [own for own in works.values() if len({row["engine"] for row in own}) >= _SEVERAL]
    if not told:
        return undrawn(key, title, "no work was done by two engines")
    # Those with the most rungs first, then those on the fewest GPUs, else as the table has them.
    shown = sorted(told, key=_first_shown)[:_MOST]
    engines = dict(
        sorted(
            {str(row["engine"]): row["rung"] for own in shown for row in own}.items(),
            key=lambda one: number_of(one[1]),
        )
    )
    names = names_of([own[0] for own in shown], but=("engine",))
    columns = axes_among(tables)
    axes = [axes_of(own[0], columns) for own in shown]
    energy, share = (
        tuple(
            ChartSeries(
                name=name or "this work",
                kind="line",
                marks=tuple(
                    _mark(row, which, list(engines).index(str(row["engine"])), name, one)
                    for row in own
                    if row[which] is not None
                ),
                colour=index,
                symbol=SYMBOLS[index % len(SYMBOLS)],
            )
            for index, (own, name, one) in enumerate(zip(shown, names, axes, strict=True))
        )
        for which in ("energy_per_token_j", "bound_share")
    )
    panels = [
        Panel(
            series=energy,
            y_label="energy per token [J]",
            y_scale="log",
            categories=tuple(engines),
        )
    ]
    if any(series.marks for series in share):
        panels.append(
            Panel(
                series=tuple(one for one in share if one.marks),
                y_label="tokens/s over the roofline bound",
                y_percent=True,
                from_zero=True,
                categories=tuple(engines),
                lines=(Line(at=1.0, name="the bound"),),
            )
        )
    more = len(told) - len(shown)
    return Chart(
        key=key,
        title=title,
        caption="One line a work: the same model, prompts, batch, lengths, GPUs and formats under "
        "each engine. Whiskers: the 95 % interval of two repeats or more, else the sensors' part "
        "alone. Engines without runs of a work, or whose runs did other work, stand in the table "
        "with the reason." + (f" {more} more work{plural_s(more)} in the table." if more else ""),
        panels=tuple(panels),
        columns=2,
    )


def _first_shown(own: Sequence[Row]) -> tuple[int, float]:
    return -len({row["engine"] for row in own}), number_of(own[0]["gpus"])


def _mark(row: Row, which: str, place: int, name: str, axes: Mapping[str, str]) -> Mark:
    over = row["energy_ratio"]
    told = (
        ""
        if over is None
        else (
            f"\n{short(number_of(over))} of the joules of {row['first_rung']}, "
            f"{short(number_of(row['rate_ratio']))} of its tokens/s"
            if row["rate_ratio"] is not None
            else f"\n{short(number_of(over))} of the joules of {row['first_rung']}"
        )
    )
    hover = f"{row['engine']}, {name}{told}".replace(", \n", "\n")
    own = {**axes, "engine": str(row["engine"])}
    if which == "energy_per_token_j":
        beside = "energy_per_token_uncertainty_j"
        return half_width_mark(row, which, beside, float(place), hover=hover, axes=own)
    return Mark(
        x=float(place),
        y=number_of(row[which]),
        interval="no interval",
        hover=hover,
        axes=own,
        labels=labels_of(row),
    )
