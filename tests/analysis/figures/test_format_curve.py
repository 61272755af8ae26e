"""The figure of the whole curve: three panels a curve, one look a format, measured runs alone."""

from pathlib import Path
from typing import Any, Final

import pytest

from analysis.figures.chart import Chart
from analysis.figures.format_curve import format_curve
from analysis.figures.rendered import figure_of
from analysis.runs.sealed_runs import load
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run

H200: Final = {"name": "NVIDIA H200", "kind": "h200"}


def plan(bits: str, rows: int, **changes: Any) -> Plan:
    spec = {"gpu": "h200", "dtype": "fp16", "engine": "fast", "ignore_eos": True}
    work = {"batch_size": rows, "prompts": rows, "quantization": bits}
    return Plan(spec={**spec, **work, **changes.pop("spec", {})}, gpu=H200, **changes)


def chart_of(results: Path, *plans: Plan) -> Chart:
    for one in plans:
        build_run(results, one)
    loaded = load(results)
    return format_curve(loaded, build_tables(loaded))


def test_a_curve_has_joules_speed_and_ratio_with_one_look_a_format(tmp_path: Path) -> None:
    plans = [plan(bits, rows) for bits in ("none", "int8", "int4") for rows in (1, 2, 4)]
    chart = chart_of(tmp_path, *plans)
    energy, rate, ratio = chart.panels
    assert [one.name for one in energy.series] == ["fp16", "int8", "int4"]
    assert [one.name for one in ratio.series] == ["int8", "int4"]
    assert {one.name: (one.colour, one.symbol) for one in energy.series[1:]} == {
        one.name: (one.colour, one.symbol) for one in ratio.series
    }
    for panel in chart.panels:
        assert [mark.x for mark in panel.series[0].marks] == [1.0, 2.0, 4.0]
        assert (panel.x_scale, panel.ticks) == ("log", (1.0, 2.0, 4.0))
    assert energy.title == rate.title == "nano, 1 x h200, fast"
    assert [line.at for line in ratio.lines] == [1.0]
    assert all("random weights" in mark.labels for mark in chart.marks())


def test_two_models_have_panels_of_their_own_and_share_the_legend(tmp_path: Path) -> None:
    plans = [
        plan(bits, rows, spec={"model": model})
        for model in ("nano", "micro")
        for bits in ("none", "int8")
        for rows in (1, 2)
    ]
    chart = chart_of(tmp_path, *plans)
    assert [panel.title.partition(",")[0] for panel in chart.panels] == ["nano"] * 3 + ["micro"] * 3
    assert {one.name for panel in chart.panels for one in panel.series} == {"fp16", "int8"}


def test_ten_numbers_of_rows_are_written_at_every_second(tmp_path: Path) -> None:
    plans = [plan(bits, 2**power) for bits in ("none", "int8") for power in range(7)]
    assert chart_of(tmp_path, *plans).panels[0].ticks == (1.0, 4.0, 16.0, 64.0)


def test_simulated_points_are_drawn_where_nothing_was_measured_and_say_so(tmp_path: Path) -> None:
    spec = {"gpu": "simulated-a100", "dtype": "fp32"}
    fake = [plan(bits, rows, spec=spec) for bits in ("none", "int8") for rows in (1, 2)]
    simulated = chart_of(tmp_path, *(Plan(spec=one.spec) for one in fake))
    assert simulated.simulated
    assert "simulated" in simulated.told_labels()
    real = [plan(bits, rows) for bits in ("none", "int8") for rows in (1, 2)]
    chart = chart_of(tmp_path, *real)
    assert not chart.simulated
    assert len(chart.panels) == 3


def test_without_two_numbers_of_rows_or_two_formats_there_is_nothing_to_draw(
    tmp_path: Path,
) -> None:
    chart = chart_of(tmp_path / "alone", plan("none", 1), plan("none", 2))
    assert chart.reason == "no format of weights was run beside another at several rows"
    pair = chart_of(tmp_path / "one", plan("none", 1), plan("int8", 1))
    assert pair.reason == chart.reason
    apart = chart_of(tmp_path / "apart", plan("none", 1), plan("int8", 2))
    assert apart.reason == chart.reason


@pytest.mark.parametrize("count", [1, 4])
def test_the_picture_and_the_plot_are_drawn_of_it(count: int, tmp_path: Path) -> None:
    models = ("nano", "micro", "7b", "13b", "65b")[: count + (count > 1)]
    plans = [
        plan(bits, rows, spec={"model": model})
        for model in models
        for bits in ("none", "int8", "int4")
        for rows in (1, 2)
    ]
    chart = chart_of(tmp_path, *plans)
    assert len(chart.panels) == 3 * count
    assert ("The first 4 of 5 curves; the table has all." in chart.caption) == (count > 1)
    drawn = figure_of(chart)
    assert "int4" in str(drawn.svg)
