"""The clock of least energy by task and phase, and what others published of clocks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.tables.table import Tables
from tests.analysis.power.clocked import CLOCKS, clocked_plan, qa_plan, tables_of


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Text to go on at four clocks, questions at two, one of whose runs did not keep its own."""
    return tables_of(
        tmp_path_factory.mktemp("clocks"),
        *(clocked_plan(lock, repeat) for lock in CLOCKS for repeat in range(3)),
        *(qa_plan(lock, repeat) for lock in (None, 1590) for repeat in range(2)),
        qa_plan(1590, 2, kept_mhz=1400.0),
    )


def dvfs(tables: Tables, task: str, phase: str) -> dict[str, Any]:
    (row,) = [r for r in tables.dvfs.rows if (r["task"], r["phase"]) == (task, phase)]
    return row


def joules(lock: int | None, phase: str) -> float:
    power, prefill_s, decode_s = CLOCKS[lock]
    return power * {"prefill": prefill_s, "decode": decode_s, "whole": prefill_s + decode_s}[phase]


@pytest.mark.parametrize(
    ("phase", "lowest", "not_lowest"), [("whole", 1200, 990), ("decode", 1200, 990)]
)
def test_the_clock_of_least_energy_has_its_saving_and_its_slowdown(
    tables: Tables, phase: str, lowest: int, not_lowest: int
) -> None:
    row = dvfs(tables, "generation", phase)
    assert row["lowest"] == f"{lowest} MHz"
    assert row["lowest_clock_mhz"] == pytest.approx(lowest)
    assert row["lowest_clock_share"] == pytest.approx(lowest / 1980)
    assert f"{lowest} MHz takes the least energy" in row["sentence"]
    assert "more time [random weights]." in row["sentence"]
    built = 1.0 - joules(lowest, phase) / joules(None, phase)
    assert row["energy_saved_share"] == pytest.approx(built, abs=2e-3)
    assert row["energy_saved_share_low"] <= built <= row["energy_saved_share_high"]
    assert row["slower_share_low"] < row["slower_share"] < row["slower_share_high"]
    assert row["verdict"] == "saves energy"
    assert joules(lowest, phase) < joules(not_lowest, phase)


def test_the_lowest_clock_of_a_phase_that_the_clock_paces_is_its_own(tables: Tables) -> None:
    # 0.5, 0.4375, 0.4125 and 0.45 of the power times a second.
    row = dvfs(tables, "generation", "prefill")
    assert row["lowest"] == "1200 MHz"
    assert row["slower_share"] == pytest.approx(0.65, abs=1e-3)
    assert row["energy_saved_share"] == pytest.approx(0.175, abs=1e-3)


def test_tasks_stand_apart_and_by_their_kind(tables: Tables) -> None:
    told = {(row["task"], row["dataset"], row["clocks"]) for row in tables.dvfs.rows}
    assert told == {("generation", "gsm8k-sample", 4), ("qa", "squad", 2)}
    assert {row["task"] for row in tables.cap_curves.rows} == {"generation", "qa"}


def test_a_clock_stands_as_a_share_of_its_board_s_highest(tables: Tables) -> None:
    rows = [row for row in tables.cap_curves.rows if row["task"] == "generation"]
    shares = {row["sm_clock_mhz"]: row["sm_clock_share"] for row in rows}
    assert shares == {
        lock: pytest.approx((lock or 1980) / 1980) for lock in (None, 1590, 1200, 990)
    }


def test_a_run_whose_clock_was_not_held_is_in_no_number_and_named(tables: Tables) -> None:
    row = dvfs(tables, "qa", "whole")
    assert str(row["not_counted"]).endswith("at 1590 MHz: clock not held")
    assert row["lowest_clock_mhz"] == pytest.approx(1590.0)
    # The run that stood at 1400 MHz would have moved the mean by 63 MHz.
    curve = [
        one for one in tables.cap_curves.rows if (one["task"], one["phase"]) == ("qa", "whole")
    ]
    assert min(float(str(one["sm_clock_mean_mhz"])) for one in curve) == pytest.approx(
        1526.7, abs=1
    )


def test_where_no_clock_was_held_nothing_is_told(tmp_path: Path) -> None:
    made = tables_of(
        tmp_path, clocked_plan(1590, kept_mhz=1400.0), clocked_plan(1200, kept_mhz=1400.0)
    )
    for row in made.dvfs.rows:
        assert (row["lowest"], row["clocks"], row["reason"]) == (None, 0, "no run's clock was held")
        assert "cannot tell" in str(row["sentence"])


def test_a_lock_that_was_never_read_is_in_no_number(tmp_path: Path) -> None:
    def mute(row: dict[str, Any]) -> dict[str, Any] | None:
        return None if row["field"] == "sm_clock_mhz" else row

    blind = replace(clocked_plan(1590), sample=mute)
    made = tables_of(tmp_path, clocked_plan(None), blind)
    row = dvfs(made, "generation", "whole")
    assert str(row["not_counted"]).endswith("clock not checked")
    assert row["reason"] == "one clock alone has an energy of whole and was held"


def test_what_the_second_paper_says_is_held_against_each_family(tables: Tables) -> None:
    told = {
        str(row["statement"]): row
        for row in tables.dvfs_published.rows
        if row["task"] == "generation"
    }
    # A saving of 41 % and more reaches 30 %.
    assert told["v2-saving"]["verdict"] == "reproduced"
    # 990 MHz is no 6.3 % of 1980.
    for name in ("v4-saving", "v4-latency", "v4-decode-clock"):
        assert told[name]["verdict"] == "cannot tell"
        assert "the lowest that was held and read is at 50.0%" in str(told[name]["reason"])
    assert told["v4-decode-share"]["verdict"] == "not reproduced"
    assert told["v4-decode-share"]["ours"] == pytest.approx(0.75, abs=1e-3)
    assert told["v1-dvfs"]["reason"] == "it prints no number to hold ours against"


def test_a_simulated_clock_tells_nothing_of_a_board(tmp_path: Path) -> None:
    spec = {"gpu": "simulated-a100"}
    made = tables_of(
        tmp_path,
        *(
            replace(clocked_plan(lock, repeat, spec=spec), gpu={})
            for lock in (None, 1200)
            for repeat in range(2)
        ),
    )
    assert all("[simulated, random weights]" in str(row["sentence"]) for row in made.dvfs.rows)
    assert {row["verdict"] for row in made.dvfs_published.rows} == {"cannot tell"}
