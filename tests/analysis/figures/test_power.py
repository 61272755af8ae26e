"""The power of GPUs over time: of one run with all that is known, of several at a glance."""

from pathlib import Path
from typing import Any

import pytest

from analysis.energy.run_energy import RunEnergy
from analysis.figures.power import power_chart, power_over_time, trace_chart
from analysis.runs.sealed_runs import load
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run

pytestmark = pytest.mark.reports


def content(boards: int = 1, hosts: int = 1) -> dict[str, Any]:
    """What a trace holds: four readings a board, one of them missing, one held down."""
    return {
        "fields": ["power_instant_w"],
        "silent": [["GPU-9", "no reading of its power"]],
        "window": [0, 3000],
        "phases": {"decode": [1000, 1000], "prefill": [0, 1000]},
        "held": [[0, 1900, 2100, "power cap"]],
        "nodes": [],
        "boards": [
            {
                "gpu": f"GPU-{at}",
                "host": f"node{at * hosts // boards}",
                "rank": at,
                "t": [0, 1000, 1000, 1000],
                "w": [1000 + at, 3000, 4000, None],
            }
            for at in range(boards)
        ],
    }


@pytest.fixture
def energy(tmp_path: Path) -> RunEnergy:
    build_run(tmp_path, Plan(spec={"power_cap_w": 250.0}))
    return RunEnergy(load(tmp_path).runs[0])


def test_a_run_is_drawn_with_phases_cap_gap_and_what_held_it_down(energy: RunEnergy) -> None:
    chart = trace_chart(energy.run, content(), labels=("simulated",))
    (panel,) = chart.panels
    line, held = panel.series
    assert [(mark.x, mark.y) for mark in line.marks] == [
        (0.0, 100.0),
        (1.0, 300.0),
        (2.0, 400.0),
        (3.0, None),
    ]
    assert held.name == "held down: power cap"
    assert [mark.x for mark in held.marks if mark.y is not None] == [2.0]
    assert [(one.name, one.low, one.high) for one in panel.shades] == [
        ("prefill", 0.0, 1.0),
        ("decode", 1.0, 2.0),
    ]
    assert panel.lines[0].name == "power cap of 250 W"
    assert "GPU-9: no reading of its power" in chart.caption
    assert all(mark.labels == ("simulated",) for mark in line.marks)


def test_more_boards_than_can_be_told_apart_are_a_band_a_node(energy: RunEnergy) -> None:
    chart = trace_chart(energy.run, content(boards=16, hosts=2), labels=())
    series = [one for one in chart.panels[0].series if not one.name.startswith("held")]
    assert [(one.name, one.kind) for one in series] == [
        ("node0: 8 GPUs", "band"),
        ("node0: 8 GPUs", "line"),
        ("node1: 8 GPUs", "band"),
        ("node1: 8 GPUs", "line"),
    ]
    first = series[0].marks[0]
    assert (first.low, first.high) == (100.0, 100.7)


def test_a_recorded_run_becomes_such_a_chart(energy: RunEnergy) -> None:
    chart = power_chart(energy, ("simulated",))
    assert chart.simulated
    assert {one.name for one in chart.panels[0].shades} >= {"prefill", "decode"}


def test_several_runs_are_an_overview_of_every_one(tmp_path: Path) -> None:
    runs = [build_run(tmp_path, Plan(spec={"batch_size": size})) for size in (1, 2, 4)]
    loaded = load(tmp_path)
    chart = power_over_time(loaded, build_tables(loaded))
    assert chart.title.endswith("3 runs")
    assert "An overview" in chart.caption
    told = {mark.hover for mark in chart.marks()}
    assert told == {run.run_id for run in runs}
    assert all("simulated" in mark.labels for mark in chart.marks())
