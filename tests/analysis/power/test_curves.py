"""Time and energy against caps and clocks, phase by phase, and the best of them."""

from pathlib import Path

import pytest

from analysis.runs.sealed_runs import load
from analysis.tables.table import Tables
from analysis.workbook import build
from telemetry.record.spec import RunSpec
from tests.analysis.audit.test_phase_switches import run_with
from tests.analysis.energy.test_phase_state import decode_unbound
from tests.analysis.findings.built import H200, REAL, SPREAD_S
from tests.support.records import Plan, build_run

_NAMES = (
    *("groups", "runs", "performance", "gpus", "conditions", "phases"),
    *("cap_changes", "cap_curves", "transitions", "best_caps"),
)


def plan(decode_s: float, **spec: object) -> Plan:
    return Plan(spec={**REAL, **spec}, gpu=H200, decode_s=decode_s, overhead_s=0.0, state=True)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Three repeats of both engines without cap and with one, which takes half longer, and fast's
    point of another batch, which has no cap beside it."""
    results = tmp_path_factory.mktemp("curves")
    for repeat, more_s in enumerate(SPREAD_S):
        for engine in ("reference", "fast"):
            build_run(results, plan(1.5 + more_s, engine=engine, repeat=repeat))
            build_run(results, plan(2.5 + more_s, engine=engine, repeat=repeat, power_cap_w=200.0))
        build_run(results, plan(1.5 + more_s, engine="fast", batch_size=1, repeat=repeat))
    wanted = tuple(kind for kind in build.TABLES if kind.name in _NAMES)
    return build.build_tables(load(results), kinds=wanted)


def test_every_phase_of_each_engine_s_points_stands_against_its_cap(tables: Tables) -> None:
    rows = tables.cap_curves.rows
    found = [(row["engine"], row["power_cap_w"], row["phase"], row["base"]) for row in rows]
    assert found == [
        (engine, cap, phase, cap is None)
        for engine in ("reference", "fast")
        for cap in (None, 200.0)
        for phase in ("whole", "prefill", "decode")
    ]


def test_a_phase_that_the_cap_leaves_alone_is_told_from_one_that_it_slows(tables: Tables) -> None:
    told = {
        (row["phase"], row["power_cap_w"]): row
        for row in tables.cap_curves.rows
        if row["engine"] == "fast"
    }

    def over(phase: str, name: str) -> float:
        return float(str(told[phase, 200.0][name])) / float(str(told[phase, None][name]))

    # Prefill takes 0.5 s in both; decode 2.5 s for 1.5; power is the same.
    assert over("prefill", "time_per_token_s") == pytest.approx(1.0)
    assert over("decode", "time_per_token_s") == pytest.approx(2.5 / 1.5, rel=1e-3)
    assert over("decode", "tokens_per_s") == pytest.approx(1.5 / 2.5, rel=1e-3)
    assert over("whole", "time_per_token_s") == pytest.approx(1.5, rel=1e-3)
    assert over("decode", "energy_per_token_j") == pytest.approx(2.5 / 1.5, rel=1e-3)
    assert over("decode", "energy_delay_per_token_js") == pytest.approx((2.5 / 1.5) ** 2, rel=1e-3)


def test_every_number_has_its_interval_by_repeats(tables: Tables) -> None:
    for row in tables.cap_curves.rows:
        for name in ("time_per_token_s", "energy_per_token_j", "energy_delay_per_token_js"):
            low, value, high = (float(str(row[f"{name}{end}"])) for end in ("_low", "", "_high"))
            assert low <= value <= high
            assert str(row[f"{name}_interval_from"]).startswith("repeats")


def test_prefill_s_joules_are_of_the_prompts_tokens(tables: Tables) -> None:
    (run,) = [
        row
        for row in tables.runs.rows
        if (row["engine"], row["power_cap_w"], row["repeat"], row["batch_size"])
        == ("reference", None, 0, tables.cap_curves.rows[0]["batch_size"])
    ]
    told = float(str(run["prefill_energy_j"])) / float(str(run["prompt_tokens"]))
    row = tables.cap_curves.rows[1]
    assert row["energy_per_token_j"] == pytest.approx(told, rel=1e-3)


def test_runs_at_one_clock_have_no_transition_and_say_why(tables: Tables) -> None:
    rows = tables.transitions.rows
    assert [row["phase"] for row in rows] == ["whole", "prefill", "decode"] * 2
    assert {row["transition_mhz"] for row in rows} == {None}
    assert all("3 are needed" in str(row["reason"]) for row in rows if row["phase"] == "whole")
    # Within a phase clocks differ by when it was reached: no lowest place is shown among them.
    assert all(row["reason"] for row in rows)


def test_the_best_cap_within_a_bound_is_of_the_same_engine(tables: Tables) -> None:
    rows = tables.best_caps.rows
    assert [row["engine"] for row in rows] == ["reference"] * 5 + ["fast"] * 5
    # At the same power the slower one takes more, whatever the bound.
    assert {row["power_cap_w"] for row in rows} == {None}


def test_a_phase_s_own_cap_stands_with_its_own_label(tmp_path: Path) -> None:
    # 600 W while prompts are read, and 250 W that no decode comes near.
    switched = run_with(tmp_path, decode_unbound)
    spec = RunSpec.read(switched.spec).to_mapping()
    build_run(tmp_path, Plan(spec={**spec, "decode_power_cap_w": None}, state=True))
    wanted = tuple(kind for kind in build.TABLES if kind.name in _NAMES)
    tables = build.build_tables(load(tmp_path), kinds=wanted)
    rows = {
        str(row["phase"]): row
        for row in tables.cap_curves.rows
        if row["decode_power_cap_w"] is not None
    }
    asked = {phase: row["power_cap_requested_w"] for phase, row in rows.items()}
    assert asked == {"whole": 600.0, "prefill": 600.0, "decode": 250.0}
    assert "cap never bound" not in str(rows["prefill"]["labels"])
    assert "cap never bound" in str(rows["decode"]["labels"])
    # Its window has phases under unlike caps: one of them never met its own.
    assert "cap never bound" in str(rows["whole"]["labels"])
    for phase in ("prefill", "decode"):
        row = rows[phase]
        assert (row["sm_clock_mean_mhz"] is None) == bool(row["conditions_reason"])
