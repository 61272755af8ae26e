"""What makes a difference, and where the scatter comes from, drawn from their tables' rows."""

from pathlib import Path
from typing import Any

import pytest

from analysis.effects.comparisons import COMPARISONS
from analysis.effects.variance import VARIANCE
from analysis.figures.chart import Chart
from analysis.figures.comparisons import comparisons
from analysis.figures.static import svg
from analysis.figures.variance import variance
from analysis.runs.sealed_runs import Loaded
from analysis.tables.table import Table, TableKind, Tables

NOTHING = Loaded(results=Path("results"), runs=(), not_counted=())


def tables(kind: TableKind[Any], *rows: dict[str, Any]) -> Tables:
    empty: dict[str, Any] = dict.fromkeys(column.name for column in kind.columns)
    made = tuple({**empty, **row} for row in rows)
    return Tables(by_name={kind.name: Table(kind=kind, columns=kind.columns, rows=made)}, notes=())


def compared(**changes: Any) -> dict[str, Any]:
    return {
        **{"factor": "engine", "base": "reference", "level": "fast", "pairs": 9, "ratio": 0.27},
        **{"ratio_low": 0.25, "ratio_high": 0.29, "sentence": "fast takes 0.27 times."},
        **{"simulated": False, "labels": "random weights", **changes},
    }


def part(**changes: Any) -> dict[str, Any]:
    return {
        **{"metric": "energy per token", "gpu": "h200", "gpus": 2, "nodes": 1},
        **{"between": "runs of a point", "scatter": 0.02, "scatter_low": 0.01},
        **{"scatter_high": 0.05, "share": 0.8, "share_low": 0.3, "share_high": 0.95},
        **{"simulated": False, "sentence": "On 2 GPUs.", **changes},
    }


def marks(chart: Chart, panel: int = 0) -> list[tuple[float | None, float | None, float | None]]:
    return [(mark.y, mark.low, mark.high) for mark in chart.panels[panel].marks()]


def test_a_forest_has_a_line_for_each_comparison_with_its_interval() -> None:
    more = compared(
        factor="board", base="h100", level="h200", ratio=0.8, ratio_low=None, ratio_high=None
    )
    chart = comparisons(NOTHING, tables(COMPARISONS, compared(), more))
    assert chart.panels[0].categories == ("fast over reference", "h200 over h100")
    assert marks(chart) == [(0.27, 0.25, 0.29), (0.8, None, None)]
    assert [one.name for one in chart.panels[0].series] == ["engine", "board"]
    assert "1 without: too few pairs" in chart.caption
    assert chart.told_labels() == ("random weights",)
    assert "fast over reference" in str(svg(chart))


def test_measured_and_simulated_comparisons_never_share_the_forest() -> None:
    simulated = compared(level="eager", simulated=True)
    both = comparisons(NOTHING, tables(COMPARISONS, compared(), simulated))
    assert not both.simulated
    assert "1 more comparison in the table" in both.caption
    assert comparisons(NOTHING, tables(COMPARISONS, simulated)).simulated


def test_a_forest_of_too_many_has_those_with_the_most_pairs() -> None:
    rows = [compared(level=f"engine {pairs}", pairs=pairs) for pairs in range(1, 61)]
    chart = comparisons(NOTHING, tables(COMPARISONS, *rows))
    assert len(marks(chart)) == 40
    assert "20 more comparisons in the table" in chart.caption
    assert chart.panels[0].categories is not None
    assert chart.panels[0].categories[0] == "engine 21 over reference"


def test_scatter_is_drawn_by_level_and_shares_where_they_are_told() -> None:
    alone = part(gpus=1, share=None, share_low=None, share_high=None)
    power = part(metric="power", scatter=0.5)
    untold = part(between="nodes of a run", scatter=None, reason="every run was on one node")
    chart = variance(NOTHING, tables(VARIANCE, alone, part(), power, untold))
    assert chart.panels[0].categories == ("1 x h200,\n1 node", "2 x h200,\n1 node")
    assert marks(chart) == [(0.02, 0.01, 0.05), (0.02, 0.01, 0.05)]
    assert marks(chart, 1) == [(0.8, 0.3, 0.95)]
    assert "1 part cannot be told" in chart.caption
    assert svg(chart)


@pytest.mark.parametrize(
    ("chart", "said"),
    [
        (comparisons(NOTHING, tables(COMPARISONS)), "no two grid points differ in one factor"),
        (variance(NOTHING, tables(VARIANCE)), "no point was run more than once"),
    ],
)
def test_without_rows_a_figure_says_why(chart: Chart, said: str) -> None:
    assert said in str(chart.reason)
    assert chart.panels == ()
