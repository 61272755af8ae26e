"""The power of GPUs over time: of one run with what was going on, of many by one rule."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from analysis.energy.power_trace import PowerTrace, packed
from analysis.figures.chart import Chart
from analysis.figures.power import MOST_LINES, MOST_PANELS, power_over_time
from analysis.runs.sealed_runs import load
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run

pytestmark = pytest.mark.reports


def trace(watts: Sequence[float | None], *, held: bool = False, boards: int = 1) -> PowerTrace:
    """What is kept of a run of so many seconds, a reading each."""
    tenths = [None if one is None else round(10 * one) for one in watts]
    band = {
        **{"boards": boards, "from": 0, "to": 1000 * len(watts), "mean": tenths},
        "least": [None if one is None else one - 10 for one in tenths],
        "greatest": [None if one is None else one + 10 for one in tenths],
    }
    told = {
        **{"fields": ["power_instant_w"], "silent": [["GPU-9", "no reading of its power"]]},
        "phases": {"decode": [1000, 1000], "prefill": [0, 1000]},
        "held": [[0, 1600, 1900, "power limit"]] if held else [],
        "band": band,
    }
    return PowerTrace(whole=packed({}), band=packed(told))


def chart_of(
    traces: Sequence[PowerTrace], rows: Sequence[dict[str, Any]], cap_w: float | None = None
) -> Chart:
    """The figure of runs with such power, whose rows say so of them."""
    names = [f"run-{at}" for at in range(len(rows))]
    usual = {
        **{"model": "7b", "gpus": 1, "gpu": "h200", "engine": "fast", "quantization": "none"},
        **{"weights": "real", "simulated": True},
    }
    told = [{**usual, "run_id": name, **row} for name, row in zip(names, rows, strict=True)]
    spec = SimpleNamespace(power_cap_w=cap_w)
    loaded: Any = SimpleNamespace(runs=[SimpleNamespace(run_id=name, spec=spec) for name in names])
    tables: Any = SimpleNamespace(
        traces=dict(zip(names, traces, strict=True)),
        runs=SimpleNamespace(rows=told),
        groups=SimpleNamespace(rows=told),
    )
    return power_over_time(loaded, tables)


def test_a_run_is_drawn_with_phases_cap_gap_and_what_held_it_down() -> None:
    chart = chart_of([trace([100.0, 300.0, None, 400.0], held=True)], [{}], cap_w=250.0)
    (panel,) = chart.panels
    band, line, held = panel.series
    assert [(mark.x, mark.y) for mark in line.marks] == [
        *((0.5, 100.0), (1.5, 300.0), (2.5, None), (3.5, 400.0)),
    ]
    assert (band.marks[0].low, band.marks[0].high) == (99.0, 101.0)
    assert held.name == "held down: power limit"
    assert [mark.x for mark in held.marks] == [1.5]
    assert [(one.name, one.low, one.high) for one in panel.shades] == [
        ("prefill", 0.0, 1.0),
        ("decode", 1.0, 2.0),
    ]
    assert panel.lines[0].name == "power cap of 250 W"
    assert "GPU-9: no reading of its power" in chart.caption
    assert all(mark.labels == ("simulated",) for mark in line.marks)


def test_no_cap_stands_in_the_legend_where_nobody_set_one() -> None:
    chart = chart_of([trace([100.0, 300.0, 400.0], held=True)], [{}])
    (panel,) = chart.panels
    names = [*(one.name for one in panel.series), *(line.name for line in panel.lines)]
    assert not any("cap" in name for name in names)


def test_few_runs_of_a_kind_are_a_line_each_and_each_kind_has_a_panel() -> None:
    rows = [{"gpus": 1}] * MOST_LINES + [{"gpus": 2}]
    chart = chart_of([trace([100.0, 200.0])] * len(rows), rows)
    assert [panel.title for panel in chart.panels] == [
        f"7b, 1 x h200: {MOST_LINES} runs",
        "7b, 2 x h200: 1 run",
    ]
    assert [one.kind for one in chart.panels[0].series] == ["line"] * MOST_LINES
    hovers = {mark.hover for mark in chart.marks()}
    assert hovers == {f"run-{at}" for at in range(len(rows))}


def test_of_many_runs_of_a_kind_each_way_is_a_median_in_a_band() -> None:
    watts = [100.0, 200.0, 400.0, 500.0, 600.0]
    rows: list[dict[str, Any]] = [*[{}] * 4, {"engine": "reference"}]
    chart = chart_of([trace([one] * 3) for one in watts], rows)
    (panel,) = chart.panels
    assert [(one.name, one.kind) for one in panel.series] == [
        *(("fast", "band"), ("fast", "line"), ("reference", "line")),
    ]
    first = panel.series[0].marks[0]
    assert (first.y, first.low, first.high) == (300.0, 100.0, 500.0)
    assert first.hover == "median of 4 runs of 7b, 1 x h200"
    assert "more than 4 runs the median" in chart.caption


def test_a_run_that_ended_is_in_no_median_of_later_times() -> None:
    long, short = trace([200.0] * 10), trace([100.0] * 5)
    line = chart_of([long, *[short] * 4], [{}] * 5).panels[0].series[1]
    assert [mark.y for mark in line.marks][:: len(line.marks) - 1] == [100.0, 200.0]


def test_two_thousand_runs_of_many_kinds_keep_to_a_number_of_panels_and_points() -> None:
    rows = [{"gpus": 1 + at % 20} for at in range(1990)] + [{"gpus": 4}] * 10
    chart = chart_of([trace([100.0] * 20)] * len(rows), rows)
    assert len(chart.panels) == MOST_PANELS
    assert any(panel.title == "7b, 4 x h200: 110 runs" for panel in chart.panels)
    assert f"the {MOST_PANELS} of 20 kinds with the most runs" in chart.caption
    assert sum(1 for _ in chart.marks()) <= 12_000


def test_recorded_runs_become_such_a_chart(tmp_path: Path) -> None:
    build_run(tmp_path, Plan())
    loaded = load(tmp_path)
    chart = power_over_time(loaded, build_tables(loaded))
    assert chart.simulated
    assert {one.name for one in chart.panels[0].shades} >= {"prefill", "decode"}
    runs = [build_run(tmp_path, Plan(spec={"batch_size": size})) for size in (1, 4)]
    loaded = load(tmp_path)
    chart = power_over_time(loaded, build_tables(loaded))
    assert chart.title.endswith("3 runs")
    assert {mark.hover for mark in chart.marks()} >= {run.run_id for run in runs}
