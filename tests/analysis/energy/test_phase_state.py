"""A phase has labels, clock and share of its own: one that is capped says nothing of the other."""

from pathlib import Path
from typing import Any

import pytest

from analysis.energy.phase_state import phase_state
from analysis.energy.run_energy import RunEnergy
from analysis.energy.run_labels import labels_of
from analysis.runs.labels import Label
from analysis.runs.sealed_runs import Run, load
from analysis.tables.column import Row
from analysis.tables.measured import Measured
from analysis.tables.phases import PHASES
from tests.analysis.audit.test_phase_switches import CAPS, phase_of, run_with, true
from tests.support.records import Plan, build_run

# What a decode draws that never meets its 250 W.
UNBOUND_W = 180.0


def decode_unbound(row: Row) -> Row:
    """Limits follow the phase; prefill meets its 600 W, decode draws far less than its 250."""
    drawn = row["field"] == "power_instant_w" and row["value"] is not None
    if drawn and phase_of(int(str(row["t_us"]))) == "decode":
        return {**row, "value": UNBOUND_W}
    return true(row)


def only(results: Path) -> Run:
    (run,) = load(results).runs
    return run


def words(run: Run) -> dict[str, set[str]]:
    rows = _rows(run)
    return {
        phase: {str(row["labels"]) for row in rows if row["phase"] == phase}
        for phase in ("prefill", "decode", "load")
    }


def _rows(run: Run) -> list[Row]:
    assert PHASES.of_run is not None
    measured = Measured(RunEnergy(run))
    return PHASES.rows(PHASES.of_run(measured))


def test_a_decode_whose_cap_never_bound_is_not_shown_as_capped_beside_a_prefill_that_was(
    tmp_path: Path,
) -> None:
    run_with(tmp_path, decode_unbound)
    run = only(tmp_path)
    # The run has the label as one of its phases has it.
    assert Label.CAP_NEVER_BOUND in labels_of(RunEnergy(run))
    told = words(run)
    assert all("cap never bound" not in one for one in told["prefill"])
    assert all("cap never bound" in one for one in told["decode"])
    rows = [row for row in _rows(run) if row["phase"] in CAPS]
    assert {(row["phase"], row["power_cap_w"]) for row in rows} == set(CAPS.items())


def test_where_both_phases_meet_their_own_caps_neither_has_the_label(tmp_path: Path) -> None:
    run_with(tmp_path)
    told = words(only(tmp_path))
    assert all("cap never bound" not in one for one in told["prefill"] | told["decode"])


def test_of_one_cap_for_the_whole_run_each_phase_says_whether_it_bound_there(
    tmp_path: Path,
) -> None:
    def sample(row: dict[str, Any]) -> dict[str, Any]:
        if row["field"] != "power_instant_w" or row["value"] is None:
            return row
        at_cap = phase_of(row["t_us"]) == "prefill"
        return {**row, "value": 249.0 if at_cap else 150.0}

    spec = {"gpu": "h200", "dtype": "fp16", "power_cap_w": 250.0}
    build_run(tmp_path, Plan(spec=spec, gpu={"power_limit_w": 250.0}, state=True, sample=sample))
    run = only(tmp_path)
    assert Label.CAP_NEVER_BOUND not in labels_of(RunEnergy(run))
    told = words(run)
    assert all("cap never bound" not in one for one in told["prefill"])
    assert all("cap never bound" in one for one in told["decode"])


def test_a_clock_that_only_one_phase_holds_is_labelled_there_with_what_was_read(
    tmp_path: Path,
) -> None:
    def sample(row: dict[str, Any]) -> dict[str, Any]:
        if row["field"] != "sm_clock_mhz":
            return row
        return {**row, "value": 1200.0 if phase_of(row["t_us"] - 1) == "prefill" else 900.0}

    spec = {"gpu": "h200", "dtype": "fp16", "sm_clock_mhz": 1200}
    build_run(tmp_path, Plan(spec=spec, state=True, sample=sample))
    run = only(tmp_path)
    rows = {str(row["phase"]): row for row in _rows(run)}
    for phase, read_mhz in (("prefill", 1200.0), ("decode", 900.0)):
        assert rows[phase]["sm_clock_mhz"] == 1200
        assert rows[phase]["sm_clock_mean_mhz"] == pytest.approx(read_mhz)
        assert ("clock not held" in str(rows[phase]["labels"])) == (phase == "decode")


def test_what_was_not_read_in_a_phase_is_null_with_a_reason_and_not_checked(
    tmp_path: Path,
) -> None:
    spec = {"gpu": "h200", "dtype": "fp16", "sm_clock_mhz": 1200}
    build_run(tmp_path, Plan(spec=spec))
    run = only(tmp_path)
    rows = {str(row["phase"]): row for row in _rows(run)}
    assert rows["decode"]["sm_clock_mean_mhz"] is None
    assert rows["decode"]["conditions_reason"]
    assert "clock not checked" in str(rows["decode"]["labels"])


def test_where_nobody_knows_the_delay_a_phase_is_not_checked(tmp_path: Path) -> None:
    run_with(tmp_path, decode_unbound, phases={"delays": ()})
    run = only(tmp_path)
    run_energy = RunEnergy(run)
    state = phase_state(run_energy, run_energy.gpus[0], "decode")
    assert state is not None
    assert state.labels == (Label.CAP_UNKNOWN,)
    assert "how long" in str(state.reason)


def test_a_phase_outside_the_window_has_none_of_its_own(tmp_path: Path) -> None:
    build_run(tmp_path, Plan())
    run_energy = RunEnergy(only(tmp_path))
    assert phase_state(run_energy, run_energy.gpus[0], "load") is None
