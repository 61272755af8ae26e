"""Table: a comparison as rows, one a cell and metric, for CSV, Parquet and LaTeX."""

from dataclasses import dataclass
from typing import Final

from analysis.compare.comparison import Comparison
from analysis.compare.verdict import Judgement, SideFigures
from analysis.tables.column import Cell as TableCell
from analysis.tables.column import Column, ColumnsOf
from analysis.tables.point import POINT
from analysis.tables.table import Table, TableKind


@dataclass(frozen=True, kw_only=True)
class _Line:
    verdict: Judgement
    """Of one cell and metric."""
    labels: tuple[str, ...]
    """What has to stand beside it."""


_OF: Final = ColumnsOf[_Line]()


def _side(which: str, word: str) -> tuple[Column[_Line], ...]:
    def figures(line: _Line) -> SideFigures:
        found: SideFigures = getattr(line.verdict, which)
        return found

    def of(line: _Line, name: str) -> TableCell:
        interval = figures(line).interval
        value: TableCell = None if interval is None else getattr(interval, name)
        return value

    def runs(line: _Line) -> str:
        members = getattr(line.verdict.cell, f"{which}_members")
        return " ".join(member.run.run_id for member in members)

    return (
        _OF.text(
            which,
            word,
            f"Letter of the {word} side.",
            lambda line: getattr(line.verdict.cell, which).letter,
        ),
        _OF.text(
            f"{which}_name",
            f"{word}, name",
            f"What the {word} side is: its folder, or what tells it apart in one.",
            lambda line: getattr(line.verdict.cell, which).name,
        ),
        _OF.count(
            f"{which}_n",
            f"{word}, repeats",
            f"Sealed runs of the {word} side.",
            lambda line: of(line, "n"),
        ),
        _OF.number(
            f"{which}_mean",
            f"{word}, mean",
            "",
            f"Mean over the {word} side's repeats, in `unit`.",
            lambda line: of(line, "mean"),
        ),
        _OF.number(
            f"{which}_low",
            f"{word}, from",
            "",
            "Lower end of its 95 % interval: Student's t over the repeats, BCa's from 20 of them "
            "on, widened in quadrature by the sensors' part.",
            lambda line: of(line, "low"),
        ),
        _OF.number(
            f"{which}_high",
            f"{word}, to",
            "",
            "Upper end of the same.",
            lambda line: of(line, "high"),
        ),
        _OF.number(
            f"{which}_sensor",
            f"{word}, ± sensors",
            "",
            "Expanded uncertainty (k = 2) of the mean by the sensors' timing alone, in `unit`.",
            lambda line: figures(line).sensor,
        ),
        _OF.text(f"{which}_runs", f"{word}, runs", f"The {word} side's runs.", runs),
    )


def _ratio(name: str) -> "Column[_Line]":
    told = {
        "ratio": "The other side over the base, of geometric means.",
        "low": "Lower end of its 95 % interval, not corrected for the number of cells: repeats, "
        "sensors and the gain of other GPUs.",
        "high": "Upper end of the same.",
        "degrees": "Degrees of freedom of the scatter, by Welch; empty without repeats.",
        "effect": "Difference of logarithms over their scatter: Hedges' g.",
        "smallest": "Least difference, as a share, that the test would have shown in four cases of "
        "five.",
    }
    label = name if name in ("ratio", "effect") else f"ratio_{name}"

    def value(line: _Line) -> TableCell:
        ratio = line.verdict.ratio
        found: TableCell = None if ratio is None else getattr(ratio, name)
        return found

    return _OF.number(label, label.replace("_", " "), "1", told[name], value)


_COLUMNS: Final = (
    *(
        _OF.told(column, lambda line: line.verdict.cell.base_members[0].run.spec)
        for column in POINT
    ),
    _OF.text(
        "metric", "metric", "Column of the table of runs.", lambda line: line.verdict.metric.name
    ),
    _OF.text("unit", "unit", "Its SI unit.", lambda line: line.verdict.metric.unit),
    *_side("base", "base"),
    *_side("other", "other"),
    *(_ratio(name) for name in ("ratio", "low", "high", "degrees", "effect", "smallest")),
    _OF.text(
        "interval",
        "interval",
        "By what the ratio's interval was made, and why by that.",
        lambda line: None if line.verdict.ratio is None else line.verdict.ratio.interval,
    ),
    _OF.text(
        "test",
        "test",
        "What was tested by; `none` without repeats.",
        lambda line: None if line.verdict.ratio is None else line.verdict.ratio.test,
    ),
    _OF.number(
        "p_difference",
        "p, difference",
        "1",
        "Probability of such a ratio where the sides are the same, corrected by Holm over the "
        "cells of the metric.",
        lambda line: line.verdict.p_difference,
    ),
    _OF.number(
        "p_same",
        "p, same",
        "1",
        "The larger of two one-sided tests: the probability of a ratio so near 1 where the sides "
        "differ by the margin; corrected alike.",
        lambda line: line.verdict.p_same,
    ),
    _OF.share(
        "margin",
        "margin",
        "Share by which sides that count as the same may differ.",
        lambda line: line.verdict.margin,
    ),
    _OF.text(
        "verdict",
        "verdict",
        "`less` or `more` where a difference is shown (p_difference < 0.05), else `same` where "
        "sameness within the margin is (p_same < 0.05), else `cannot tell`.",
        lambda line: str(line.verdict.word),
    ),
    _OF.flag(
        "within_margin",
        "within margin",
        "True where p_same < 0.05, whatever the verdict.",
        lambda line: line.verdict.within_margin,
    ),
    _OF.text("gain", "gain", "How the boards' gain was taken.", lambda line: line.verdict.gain),
    _OF.simulated(lambda line: any(line.verdict.cell.simulated)),
    _OF.text(
        "labels",
        "to know",
        "What has to stand beside the numbers.",
        lambda line: "; ".join(line.labels) or None,
    ),
    _OF.reason(lambda line: line.verdict.reason),
)

COMPARE: Final = TableKind(
    name="compare",
    title="Comparison",
    columns=_COLUMNS,
    # Made of several results folders, not of one.
    of_results=lambda _: (),
)
"""One row a cell and metric."""


def table_of(comparison: Comparison) -> Table:
    """The comparison as a table: the headline's cells first."""
    return COMPARE.table(
        _Line(verdict=verdict, labels=labels)
        for verdicts in comparison.verdicts
        for verdict, labels in zip(verdicts, comparison.labels, strict=True)
    )
