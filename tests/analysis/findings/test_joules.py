"""Where a joule goes: parts that sum to what was measured, by costs that all runs tell."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from analysis.findings.joule_fit import TERMS, Costs, WorkedPhase, fit
from analysis.tables.column import Cell
from tests.analysis.findings.built import H200, REAL, tables_of
from tests.support.records import IDLE_W, Plan, window_s, work_w
from workers.models.llama.shape import SHAPES

# Joules a unit: weights, keys and values, operations, bytes sent.
TRUE = {"weight_bytes": 150e-12, "kv_bytes": 60e-12, "flop": 1e-12, "sent_bytes": 900e-12}


def observed(
    amounts: Sequence[tuple[float, float, float, float]], noise: float = 0.0
) -> list[WorkedPhase]:
    """Two phases a run that cost as `TRUE` says, give or take."""
    generator = np.random.default_rng(1)
    found = []
    for number, own in enumerate(amounts):
        by_term = dict(zip(TERMS, own, strict=True))
        joules = math.fsum(TRUE[term] * by_term[term] for term in TERMS)
        joules *= 1.0 + noise * float(generator.standard_normal())
        found.append(WorkedPhase(run_id=f"run-{number // 2}", dynamic_j=joules, amounts=by_term))
    return found


def spread(count: int = 16) -> list[tuple[float, float, float, float]]:
    generator = np.random.default_rng(2)
    scale = np.array([1e12, 5e11, 1e14, 2e10])
    return [tuple(scale * generator.uniform(0.05, 1.0, 4)) for _ in range(count)]


def test_costs_that_made_the_energies_are_found_again() -> None:
    costs = fit(observed(spread()))
    assert isinstance(costs, Costs)
    assert (costs.runs, costs.observations) == (8, 16)
    for term in TERMS:
        assert costs.cost(term)[0] == pytest.approx(TRUE[term], rel=1e-6)
        assert costs.group_of(term) == (term,)
    assert costs.explained == pytest.approx(1.0)
    assert costs.spread == pytest.approx(0.0, abs=1e-9)


def test_intervals_hold_the_true_costs_and_are_the_same_every_time() -> None:
    first, again = (fit(observed(spread(40), noise=0.05)) for _ in range(2))
    assert isinstance(first, Costs)
    assert isinstance(again, Costs)
    for term in TERMS:
        _, low, high = first.cost(term)
        assert low is not None
        assert high is not None
        assert low <= TRUE[term] <= high
        assert first.cost(term) == again.cost(term)


def test_no_cost_is_below_nothing() -> None:
    rows = [
        WorkedPhase(
            run_id=str(number),
            dynamic_j=10.0 - number,
            amounts={"weight_bytes": 1.0 + number, "kv_bytes": 0.0, "flop": 1.0, "sent_bytes": 0.0},
        )
        for number in range(8)
    ]
    costs = fit(rows)
    assert isinstance(costs, Costs)
    assert costs.terms == ("weight_bytes", "flop")
    assert costs.cost("weight_bytes")[0] == 0.0
    assert costs.cost("flop")[0] > 0.0


def test_what_rises_together_in_all_runs_is_told_as_one() -> None:
    tied = [(w, 0.5 * w, f, s) for w, _, f, s in spread()]
    rows = observed(tied)
    costs = fit(rows)
    assert isinstance(costs, Costs)
    assert costs.group_of("kv_bytes") == ("weight_bytes", "kv_bytes")
    assert costs.group_of("flop") == ("flop",)
    # Whatever each is taken to cost, the two of them took this.
    amounts = rows[0].amounts
    together = TRUE["weight_bytes"] * amounts["weight_bytes"]
    together += TRUE["kv_bytes"] * amounts["kv_bytes"]
    assert costs.joules(costs.groups[0], amounts) == pytest.approx(together, rel=1e-6)


def test_what_is_traded_from_drawing_to_drawing_is_told_as_one() -> None:
    generator = np.random.default_rng(4)
    nearly = [(w, w * generator.uniform(0.4, 0.6), f, s) for w, _, f, s in spread(24)]
    costs = fit(observed(nearly, noise=0.05))
    assert isinstance(costs, Costs)
    assert costs.group_of("kv_bytes") == ("weight_bytes", "kv_bytes")
    assert costs.group_of("flop") == ("flop",)


def test_few_runs_tell_no_costs() -> None:
    assert fit(observed(spread(8))) == ("4 runs of these boards and engine, and costs need 5")


def plan(number: int) -> Plan:
    """A run whose prefill and decode differ from the others' in what they do and take."""
    return Plan(
        spec={**REAL, "max_gen_len": 8 + 8 * number, "seed": number},
        gpu=H200,
        prefill_s=0.4 + 0.1 * (number % 3),
        decode_s=1.0 + 0.3 * number,
    )


def test_the_parts_of_every_phase_sum_to_its_energy(tmp_path: Path) -> None:
    tables = tables_of(tmp_path, *map(plan, range(6)))
    energies = {(row["run_id"], row["phase"]): row["energy_j"] for row in tables.joule_work.rows}
    assert {phase for _, phase in energies} == {"prefill", "decode", "window"}
    sums: dict[tuple[Cell, Cell], list[float]] = {key: [] for key in energies}
    for row in tables.joules.rows:
        assert isinstance(row["part_energy_j"], float)
        sums[row["run_id"], row["phase"]].append(row["part_energy_j"])
    for key, parts in sums.items():
        assert math.fsum(parts) == pytest.approx(energies[key], rel=1e-12)
    names = {row["part"] for row in tables.joules.rows}
    assert {"idle", "not explained"} <= names
    assert not any("communication" in str(name) for name in names)


def test_at_rest_is_the_runs_own_idle_power_over_the_time(tmp_path: Path) -> None:
    own = plan(0)
    tables = tables_of(tmp_path, own)
    (window,) = [row for row in tables.joule_work.rows if row["phase"] == "window"]
    assert window["energy_j"] == pytest.approx(work_w(0) * window_s(own))
    assert window["idle_energy_j"] == pytest.approx(IDLE_W * window_s(own))
    rows = [row for row in tables.joules.rows if row["phase"] == "window"]
    assert [row["part"] for row in rows] == ["idle", "beyond rest"]
    assert rows[0]["part_share"] == pytest.approx(IDLE_W / work_w(0))
    assert "1 run of these boards" in str(rows[1]["reason"])
    assert {row["cost_pj"] for row in tables.joule_costs.rows} == {None}


def test_what_a_phase_moves_and_computes_is_the_models_own_arithmetic(tmp_path: Path) -> None:
    own = Plan(spec={**REAL, "gpus": 2}, gpu=H200)
    tables = tables_of(tmp_path, own)
    rows = {row["phase"]: row for row in tables.joule_work.rows}
    decode, window = rows["decode"], rows["window"]
    spec = own.run_spec
    shape = SHAPES[spec.model]
    # Two batches of two rows, of 8 tokens each: 7 steps feed one.
    steps, fed = 2 * 7, 4 * 7
    read = shape.params - shape.vocab * shape.dim + shape.norm_params
    assert decode["weight_bytes"] == steps * read * 2
    assert decode["sent_bytes"] == fed * shape.layers * 2 * 2 * (2 - 1) * shape.dim * 2
    for name in ("weight_bytes", "kv_bytes", "flop", "sent_bytes"):
        parts = [rows[phase][name] for phase in ("prefill", "decode")]
        assert sum(map(float, map(str, parts))) == window[name]


def test_ranks_send_as_many_rows_for_a_token_as_the_engine_says_that_it_sums(
    tmp_path: Path,
) -> None:
    own = Plan(spec={**REAL, "gpus": 2}, gpu=H200, model={"engine": {"sums_per_token": 3}})
    rows = {row["phase"]: row for row in tables_of(tmp_path, own).joule_work.rows}
    fed, shape = 4 * 7, SHAPES[own.run_spec.model]
    assert rows["decode"]["sent_bytes"] == fed * 3 * 2 * (2 - 1) * shape.dim * 2


def test_a_run_without_an_idle_phase_has_no_ledger_and_says_why(tmp_path: Path) -> None:
    tables = tables_of(tmp_path, Plan(spec=REAL, gpu=H200, idle=False))
    assert {row["part"] for row in tables.joules.rows} == {None}
    assert {row["part_energy_j"] for row in tables.joules.rows} == {None}
    assert all("no idle phase" in str(row["reason"]) for row in tables.joules.rows)


def test_a_record_without_steps_has_rest_and_what_is_beyond_it(tmp_path: Path) -> None:
    tables = tables_of(tmp_path, Plan(spec=REAL, gpu=H200, steps=False))
    (beyond,) = [
        row
        for row in tables.joules.rows
        if row["phase"] == "window" and row["part"] == "beyond rest"
    ]
    assert beyond["part_energy_j"] is not None
    (work,) = [row for row in tables.joule_work.rows if row["phase"] == "window"]
    assert work["flop"] is None
    assert "before steps were" in str(work["work_reason"])


def test_published_costs_stand_beside_and_name_their_source(tmp_path: Path) -> None:
    rows = {row["part"]: row for row in tables_of(tmp_path, plan(0)).joule_costs.rows}
    assert rows["weights read"]["published_cost_pj"] == pytest.approx(3.92 * 8)
    assert "doi:10.1145/3123939.3124545" in str(rows["weights read"]["published_source"])
    assert rows["arithmetic"]["published_cost_pj"] is None
    assert rows["communication"]["published_cost_pj"] is None


@pytest.mark.parametrize("change", [{"quantization": "int8"}, {"power_cap_w": 400.0}])
def test_runs_of_another_format_or_cap_tell_no_costs_together(
    tmp_path: Path, change: dict[str, object]
) -> None:
    plans = [plan(number) for number in range(4)]
    other = plan(4)
    capped = dataclasses.replace(other, spec={**other.spec, **change})
    rows = tables_of(tmp_path, *plans, capped).joule_costs.rows
    assert {row["reason"] for row in rows} == {
        "4 runs of these boards and engine, and costs need 5",
        "1 run of these boards and engine, and costs need 5",
    }
