"""Time and energy against caps and clocks, drawn."""

from dataclasses import replace

import pytest

from analysis.figures.caps import against_cap, against_clock
from analysis.figures.chart import Chart
from analysis.runs.sealed_runs import Loaded, load
from analysis.tables.table import Tables
from analysis.workbook import build
from tests.analysis.findings.built import H200, REAL, SPREAD_S
from tests.support.records import Plan, build_run

_NAMES = (
    *("groups", "runs", "performance", "gpus", "conditions", "phases"),
    *("cap_curves", "transitions"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Loaded, Tables]:
    """Both engines without a cap, under one, and under a lock; `fast` is not slowed."""
    results = tmp_path_factory.mktemp("caps")
    for repeat, more_s in enumerate(SPREAD_S):
        for engine, slower_s in (("reference", 1.0), ("fast", 0.0)):
            for setting in ({}, {"power_cap_w": 200.0}, {"sm_clock_mhz": 990}):
                spec = {**REAL, "engine": engine, "repeat": repeat, **setting}
                decode_s = 1.5 + more_s + (slower_s if setting else 0.0)
                build_run(
                    results,
                    Plan(spec=spec, gpu=H200, decode_s=decode_s, overhead_s=0.0, state=True),
                )
    loaded = load(results)
    wanted = tuple(kind for kind in build.TABLES if kind.name in _NAMES)
    return loaded, build.build_tables(loaded, kinds=wanted)


def marks(chart: Chart, title: str) -> dict[str, list[tuple[float, float]]]:
    (panel,) = (panel for panel in chart.panels if panel.title == title)
    return {
        one.name.split(",")[0]: [(mark.x, float(mark.y or 0.0)) for mark in one.marks]
        for one in panel.series
    }


def test_a_panel_stands_for_each_phase_and_amount_with_both_engines(
    made: tuple[Loaded, Tables],
) -> None:
    for chart in (against_cap(*made), against_clock(*made)):
        assert len(chart.panels) == 9
        for panel in chart.panels:
            assert [one.name.split(",")[0] for one in panel.series] == [
                "nano reference",
                "nano fast",
            ]
            assert "[" in panel.x_label


def test_a_capped_point_stands_over_the_one_without(made: tuple[Loaded, Tables]) -> None:
    found = marks(against_cap(*made), "time of a token, decode")
    # A lock is no cap: it has no place on this axis.
    ((watts, slower),) = found["nano reference"]
    assert watts == 200.0
    assert slower == pytest.approx(2.5 / 1.5, rel=1e-3)
    ((watts, same),) = found["nano fast"]
    assert watts == 200.0
    assert same == pytest.approx(1.0)


def test_against_the_clock_stand_caps_locks_and_the_base(made: tuple[Loaded, Tables]) -> None:
    found = marks(against_clock(*made), "energy of a token, whole")
    assert len(found["nano reference"]) == len(found["nano fast"]) == 3
    assert min(y for _, y in found["nano reference"]) == pytest.approx(1.0)


def test_what_a_cap_leaves_alone_is_under_no_magnifying_glass(made: tuple[Loaded, Tables]) -> None:
    (panel,) = (
        panel for panel in against_cap(*made).panels if panel.title == "time of a token, prefill"
    )
    assert panel.y_range == (0.95, 1.05)


def test_without_several_settings_there_is_no_figure_and_it_says_why(
    made: tuple[Loaded, Tables],
) -> None:
    loaded, tables = made
    none = replace(
        tables, by_name={**tables.by_name, "cap_curves": replace(tables.cap_curves, rows=())}
    )
    assert "no point with a power cap" in str(against_cap(loaded, none).reason)
    assert "several caps or clocks" in str(against_clock(loaded, none).reason)
