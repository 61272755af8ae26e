"""Energy and time against the clock, drawn task by task."""

from pathlib import Path

import pytest

from analysis.figures.dvfs import dvfs
from analysis.figures.rendered import figure_of
from analysis.runs.sealed_runs import load
from tests.analysis.power.clocked import clocked_plan, qa_plan, tables_of


def test_each_task_has_energy_and_time_and_no_clock_that_was_not_held(tmp_path: Path) -> None:
    tables = tables_of(
        tmp_path,
        *(clocked_plan(lock) for lock in (None, 1590, 1200)),
        clocked_plan(990, kept_mhz=1100.0),
        *(qa_plan(lock) for lock in (None, 1590)),
    )
    chart = dvfs(load(tmp_path), tables)
    assert [panel.title for panel in chart.panels] == [
        f"{amount} of a token, {task}"
        for task in ("generation, gsm8k-sample", "qa, squad")
        for amount in ("energy", "time")
    ]
    for panel, clocks in zip(
        chart.panels, [(1200, 1590, 1980)] * 2 + [(1590, 1980)] * 2, strict=True
    ):
        assert [one.name.rpartition(", ")[0].rpartition(", ")[2] for one in panel.series] == [
            "whole",
            "prefill",
            "decode",
        ]
        for one in panel.series:
            assert [mark.x for mark in one.marks] == pytest.approx(clocks)
            assert one.marks[-1].y == 1.0
    assert figure_of(chart).svg is not None
    assert "random weights" in " ".join(chart.told_labels())


def test_one_clock_alone_is_no_figure(tmp_path: Path) -> None:
    chart = dvfs(load(tmp_path), tables_of(tmp_path, clocked_plan(None)))
    assert chart.reason is not None
