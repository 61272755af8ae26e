"""Energy against lengths, drawn."""

import pytest

from analysis.figures.chart import Chart
from analysis.figures.lengths import lengths
from analysis.figures.rendered import figure_of
from analysis.runs.sealed_runs import Loaded, load
from analysis.tables.table import Tables
from tests.analysis.lengths.built import INPUTS, OUTPUTS, grid, length_plan, tables_of
from tests.support.records import build_run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Loaded, Tables]:
    results = tmp_path_factory.mktemp("lengths")
    tables = grid(results)
    return load(results), tables


@pytest.fixture(scope="module")
def chart(made: tuple[Loaded, Tables]) -> Chart:
    return lengths(*made)


def test_each_length_has_its_runs_and_the_formula_s_line_through_them(chart: Chart) -> None:
    by_input, by_output, _ = chart.panels
    for panel, own, others in ((by_input, INPUTS, OUTPUTS), (by_output, OUTPUTS, INPUTS)):
        assert [one.kind for one in panel.series] == ["line", "points"] * len(others)
        for line, points in zip(panel.series[::2], panel.series[1::2], strict=True):
            assert [mark.x for mark in line.marks] == list(own) == [mark.x for mark in points.marks]
            for fitted, measured in zip(line.marks, points.marks, strict=True):
                assert fitted.y == pytest.approx(measured.y, rel=0.03)


def test_the_residuals_stand_about_nothing_with_their_whiskers(chart: Chart) -> None:
    marks = list(chart.panels[2].marks())
    assert len(marks) == 9
    assert all(abs(mark.y or 0.0) < 0.02 for mark in marks)
    assert all(mark.low is not None for mark in marks)


def test_it_is_drawn_and_says_that_weights_are_random(chart: Chart) -> None:
    assert figure_of(chart).svg is not None
    assert "random weights" in " ".join(chart.told_labels())


def test_runs_at_one_pair_of_lengths_are_no_figure(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    results = tmp_path_factory.mktemp("one")
    build_run(results, length_plan(10, 4))
    found = lengths(load(results), tables_of(results))
    assert found.reason == "no runs of exact lengths of one model, board and batch have a fit"
