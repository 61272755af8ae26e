"""What the recorded runs' own clocks say, observed and not set, of both engines and boards."""

from pathlib import Path

import pytest

from analysis.figures.observed_clock import observed_clock
from analysis.power.observed import ALL
from analysis.runs.sealed_runs import Loaded, load
from analysis.tables.column import Row
from analysis.tables.table import Tables
from analysis.workbook import build
from tests.support.recordings import FOLDER, recorded, unpack
from tests.support.records import Plan, build_run

# All tables would take several times as long.
_NAMES = ("groups", "runs", "performance", "gpus", "observed_clock", "clock_readings")


def tables_of(loaded: Loaded) -> Tables:
    """The tables of clocks, and what their figure reads beside them."""
    wanted = tuple(kind for kind in build.TABLES if kind.name in _NAMES)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(build, "TABLES", wanted)
        return build.build_tables(loaded)


@pytest.fixture(scope="module")
def recorded_tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[Loaded, Tables]:
    results = tmp_path_factory.mktemp("recorded")
    for archive in recorded(FOLDER / "gsm8k"):
        if archive.name.startswith("7b"):
            unpack(archive, results)
    loaded = load(results)
    return loaded, tables_of(loaded)


def row_of(tables: Tables, board: str, engine: str, outcome: str) -> Row:
    (found,) = (
        row
        for row in tables.observed_clock.rows
        if board in str(row["board"])
        and (row["engine"], row["outcome"], row["scope"]) == (engine, outcome, ALL)
    )
    return found


def test_the_fast_engines_steps_on_an_h100_are_not_paced_by_the_clock(
    recorded_tables: tuple[Loaded, Tables],
) -> None:
    row = row_of(recorded_tables[1], "H100", "fast", "step_s")
    # 1,770 to 1,980 MHz over three repeats, and a step takes the same time.
    assert (row["clock_mhz_least"], row["clock_mhz_most"]) == (1770.0, 1980.0)
    assert float(str(row["change_over_clock_low"])) > -0.05
    assert float(str(row["change_over_clock_high"])) < 0.05
    assert str(row["sentence"]).startswith("Observed, not set. No change of time of a step")
    assert "random weights" in str(row["labels"])


@pytest.mark.parametrize("board", ["H100", "H200"])
def test_a_reference_whose_clock_stood_still_cannot_tell(
    recorded_tables: tuple[Loaded, Tables], board: str
) -> None:
    for outcome in ("step_s", "energy_per_token_j", "power_w"):
        row = row_of(recorded_tables[1], board, "reference", outcome)
        assert row["change_over_clock"] is None
        assert row["clock_reason"] == "cannot tell: 1980 MHz throughout"


def test_a_reading_has_its_steps_its_power_and_what_held_its_clock(
    recorded_tables: tuple[Loaded, Tables],
) -> None:
    rows = [
        row
        for row in recorded_tables[1].clock_readings.rows
        if str(row["run_id"]).endswith("r2-67f6ad2a")
    ]
    assert [row["sm_clock_read_mhz"] for row in rows] == [1860.0, 1770.0, 1800.0]
    for row in rows:
        assert row["held_by_power"] is True
        assert 650.0 < float(str(row["power_w"])) < 750.0
        # The driver's buffer has 50 readings a second.
        assert 40 <= int(str(row["power_readings"])) <= 51
        assert float(str(row["energy_per_token_j"])) == pytest.approx(
            float(str(row["power_w"])) / float(str(row["tokens_per_s"]))
        )


def test_the_figure_has_both_engines_on_both_boards(
    recorded_tables: tuple[Loaded, Tables],
) -> None:
    chart = observed_clock(*recorded_tables)
    assert {panel.title for panel in chart.panels} == {
        f"{board}, {engine}"
        for board in ("NVIDIA H100 80GB HBM3", "NVIDIA H200")
        for engine in ("reference", "fast")
    }
    # Time and energy of each, on a scale of its own: one engine's scatter hides the other's none.
    assert len(chart.panels) == 8
    assert all(len(panel.series) == 1 for panel in chart.panels)


def test_no_mark_of_the_figure_is_an_energy_or_a_time_below_0(
    recorded_tables: tuple[Loaded, Tables],
) -> None:
    chart = observed_clock(*recorded_tables)
    marks = [mark for panel in chart.panels for one in panel.series for mark in one.marks]
    assert min(float(mark.y or 0.0) for mark in marks) > 0.0


def test_the_figure_says_that_nobody_set_a_clock_and_what_cannot_be_told(
    recorded_tables: tuple[Loaded, Tables],
) -> None:
    chart = observed_clock(*recorded_tables)
    assert "observed, not set" in chart.title
    assert "cannot tell: 1980 MHz throughout" in chart.caption


def test_a_run_without_a_clock_has_no_row_and_its_figure_says_why(tmp_path: Path) -> None:
    build_run(tmp_path, Plan())
    loaded = load(tmp_path)
    tables = tables_of(loaded)
    assert not tables.clock_readings.rows
    assert not tables.observed_clock.rows
    assert "no clock was read" in str(observed_clock(loaded, tables).reason)
