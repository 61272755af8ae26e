"""The findings' figures: every mark with its interval, its sentence and its labels."""

from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.figures.chart import Chart
from analysis.figures.choices import energy_delay, energy_saved
from analysis.figures.complexity import complexity
from analysis.figures.goodput import goodput
from analysis.figures.joules import where_joules_go
from analysis.figures.pareto import time_against_energy
from analysis.figures.scaling import scaling
from analysis.runs.sealed_runs import Loaded, load
from analysis.tables.table import Tables
from tests.analysis.findings.built import findings_of, point, repeated
from tests.support.records import Plan, build_run

Made = Callable[[Loaded, Tables], Chart]
ALL: tuple[Made, ...] = (
    *(time_against_energy, energy_delay, energy_saved, scaling),
    *(complexity, where_joules_go, goodput),
)


def measured(results: Path, *plans: Plan) -> tuple[Loaded, Tables]:
    for plan in plans:
        build_run(results, plan)
    loaded = load(results)
    return loaded, findings_of(loaded)


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> tuple[Loaded, Tables]:
    plans = *repeated(1.5, gpus=1), *repeated(1.2, gpus=2)
    return measured(tmp_path_factory.mktemp("several"), *plans)


@pytest.mark.parametrize("make", ALL)
def test_every_figure_is_drawn_with_labels_and_what_is_pointed_at(
    several: tuple[Loaded, Tables], make: Made
) -> None:
    chart = make(*several)
    assert chart.reason is None
    marks = list(chart.marks())
    assert marks
    assert any("random weights" in label for label in chart.told_labels())
    assert all(mark.hover and mark.labels for mark in marks if mark.axes)


@pytest.mark.parametrize("make", [time_against_energy, energy_delay, energy_saved, scaling])
def test_what_has_an_interval_in_its_table_has_one_in_the_figure(
    several: tuple[Loaded, Tables], make: Made
) -> None:
    marks = [mark for mark in make(*several).marks() if mark.hover]
    assert all(mark.low is not None and mark.high is not None for mark in marks)


def test_the_shares_of_a_run_stand_one_on_the_other_to_the_whole(
    several: tuple[Loaded, Tables],
) -> None:
    chart = where_joules_go(*several)
    (panel,) = chart.panels
    assert panel.stacked
    assert panel.categories is not None
    sums = dict.fromkeys(range(len(panel.categories)), 0.0)
    for mark in panel.marks():
        sums[round(mark.x)] += mark.y or 0.0
    assert list(sums.values()) == pytest.approx([1.0] * len(sums))


@pytest.mark.parametrize("make", [time_against_energy, energy_delay, energy_saved, scaling])
def test_one_point_alone_is_no_figure_and_says_why(tmp_path: Path, make: Made) -> None:
    chart = make(*measured(tmp_path, point(1.5)))
    assert chart.panels == ()
    assert chart.reason is not None
    assert "two" in chart.reason


def test_a_simulated_run_is_marked_wherever_it_is_drawn(tmp_path: Path) -> None:
    loaded, tables = measured(tmp_path, Plan())
    for make in (complexity, where_joules_go, goodput):
        assert make(loaded, tables).simulated


@pytest.mark.parametrize("make", [time_against_energy, energy_saved])
def test_works_that_differ_in_their_number_of_prompts_have_names_of_their_own(
    tmp_path: Path, make: Made
) -> None:
    works = [
        point(seconds, prompts=prompts, batch_size=2, engine=engine)
        for prompts in (2, 4)
        for engine, seconds in (("reference", 1.5), ("fast", 1.2))
    ]
    chart = make(*measured(tmp_path, *works))
    names = (
        [panel.title for panel in chart.panels]
        if make is time_against_energy
        else [series.name for series in chart.panels[0].series]
    )
    assert len(set(names)) == len(names) == 2
    assert all(f"{count} prompts" in name for count, name in zip((2, 4), names, strict=True))
