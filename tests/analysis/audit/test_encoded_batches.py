"""Records whose batches begin with an encoder's pass: read, counted and audited as such."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from analysis.audit.check import Finding, Outcome
from analysis.audit.run import audit_results
from analysis.energy.run_energy import RunEnergy
from analysis.power.family import NUMBERS, PREFILL
from analysis.runs.rank_spans import rank_spans
from analysis.runs.sealed_runs import Run, load, open_run
from analysis.tables.measured import Measured
from analysis.tables.runs import RUNS
from analysis.workbook.build import build_tables
from telemetry.clock import US_PER_S
from telemetry.record.paths import RunPaths
from tests.support.record_answers import PROMPT_TOKENS, model_record
from tests.support.records import Plan, build_run, work_w

MODEL = model_record(Plan().run_spec, 1, 1.0)
ENCODER = {
    "flop_per_token": 2_000,
    "flop_per_token_and_position": 40,
    "weight_bytes": 4_000,
    "flop_per_crossed_token": 200,
    "flop_per_crossed_position": 40,
    "crossing_bytes": 400,
}
PHASES = ["encode", "prefill", "decode"]
# A second family: LLaMA's formula knows no encoder.
T5 = {"arithmetic": {**MODEL["arithmetic"], "family": "t5", "encoder": ENCODER}}


def told(*phases: str) -> Mapping[str, Any]:
    return {"engine": {**MODEL["engine"], "phases": list(phases)}}


def encoded(**changes: Any) -> Plan:
    return Plan(**{"encode_s": 0.4, "model": {**T5, **told(*PHASES)}, **changes})


def opened(paths: RunPaths) -> Run:
    run = open_run(paths)
    assert run is not None
    return run


def findings(results: Path, plan: Plan) -> dict[str, Finding]:
    build_run(results, plan)
    return {line.name: line.findings[0][1] for line in audit_results(results)}


def test_no_check_fails_a_record_with_an_encoder(tmp_path: Path) -> None:
    found = findings(tmp_path, encoded())
    assert not [name for name, one in found.items() if one.outcome is Outcome.FAILED]
    assert found["phases"].outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("plan", "fault"),
    [
        (Plan(model={**T5, **told("prefill", "decode")}), "no batch an encode of it"),
        (encoded(model=told(*PHASES)), "the model has no encoder"),
        (encoded(model={**T5, **told("prefill", "decode")}), "batches have decode, encode"),
    ],
)
def test_phases_of_another_kind_of_model_fail(tmp_path: Path, plan: Plan, fault: str) -> None:
    finding = findings(tmp_path, plan)["phases"]
    assert finding.outcome is Outcome.FAILED
    assert fault in finding.evidence


def test_an_encoder_s_time_and_energy_stand_apart_and_in_the_window(tmp_path: Path) -> None:
    run = opened(build_run(tmp_path, encoded()))
    one = Measured(RunEnergy(run))
    (row,) = RUNS.rows([one])
    batches = 2
    assert row["encode_s"] == pytest.approx(0.4 * batches)
    assert row["encode_energy_j"] == pytest.approx(0.4 * batches * work_w(0), rel=0.05)
    assert row["encode_reason"] is None
    assert one.performance.prefilled_tokens is None
    read = NUMBERS[PREFILL].joules(row)
    assert read == pytest.approx(0.9 * work_w(0) * batches / one.prompt_tokens, rel=0.05)
    assert one.prompt_tokens == PROMPT_TOKENS * one.responses


def test_a_grid_point_and_its_batches_tell_the_encoder_apart(tmp_path: Path) -> None:
    for repeat in range(2):
        build_run(tmp_path, encoded(spec={"repeat": repeat}))
    tables = build_tables(load(tmp_path))
    (group,) = tables.groups.rows
    seconds = 0.4 * 2
    tokens = tables.runs.rows[0]["prompt_tokens"]
    assert isinstance(tokens, int)
    assert group["encode_tokens_per_s_mean"] == pytest.approx(tokens / seconds)
    assert group["prefill_tokens_per_s_mean"] is None
    # That an encoder read the prompts is no lack of a repeat's.
    assert "prefill_tokens_per_s" not in str(group["interval_reason"])
    for row in tables.complexity.rows:
        parts = [row[f"{phase}_energy_j"] for phase in PHASES]
        assert parts[0] == pytest.approx(0.4 * work_w(0), rel=0.05)
        assert row["energy_j"] == pytest.approx(sum(map(float, map(str, parts))), rel=0.01)


def test_a_point_without_an_encoder_lacks_nothing_by_that(tmp_path: Path) -> None:
    for repeat in range(2):
        build_run(tmp_path, Plan(spec={"repeat": repeat}))
    tables = build_tables(load(tmp_path))
    (group,) = tables.groups.rows
    assert group["encode_tokens_per_s_mean"] is None
    assert "encode" not in str(group["interval_reason"])
    reasons = {str(row["encode_reason"]) for row in tables.complexity.rows}
    assert reasons == {"no batch has an encode: its model has no encoder"}


def test_the_prefill_s_settings_hold_from_the_encoder_s_begin(tmp_path: Path) -> None:
    (rank,) = rank_spans(opened(build_run(tmp_path, encoded())))
    lasted = [(end - start) / US_PER_S for _, start, end in rank.setting_spans("prefill")]
    assert lasted == pytest.approx([0.9, 0.9])


def test_a_run_without_an_encoder_has_no_encode_and_says_why(tmp_path: Path) -> None:
    one = Measured(RunEnergy(opened(build_run(tmp_path))))
    (row,) = RUNS.rows([one])
    assert (row["encode_s"], row["encode_energy_j"]) == (None, None)
    assert row["encode_reason"] == "no batch has an encode: its model has no encoder"
