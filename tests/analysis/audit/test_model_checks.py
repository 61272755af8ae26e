"""The audit of the model: bytes and operations come out again, and no run beats its bound."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from analysis.audit.check import Finding, Outcome
from analysis.audit.run import audit_results
from tests.support.record_answers import model_record
from tests.support.records import Plan, build_run

H200 = {"name": "NVIDIA H200", "kind": "h200"}
REAL = {"gpu": "h200", "dtype": "fp16"}
MODEL = model_record(Plan(spec=REAL).run_spec, 1, 1.0)
ARITHMETIC = MODEL["arithmetic"]


def findings(results: Path, model: Mapping[str, Any]) -> dict[str, Finding]:
    """What the audit finds in a run whose model.json has those parts changed."""
    build_run(results, Plan(spec=REAL, gpu=H200, model=model))
    return {line.name: line.findings[0][1] for line in audit_results(results)}


def part(name: str, **changes: Any) -> Mapping[str, Any]:
    """model.json with one part changed."""
    return {name: {**MODEL[name], **changes}}


def test_bytes_that_no_formula_gives_fail_as_bounds_rest_on_them(tmp_path: Path) -> None:
    half = part("shape", weight_bytes_per_step=MODEL["shape"]["weight_bytes_per_step"] // 2)
    assert findings(tmp_path, half)["bytes"].outcome is Outcome.FAILED


def test_a_run_faster_than_its_memory_fails(tmp_path: Path) -> None:
    # A model of 2 TB read once a step cannot be decoded in a fifth of a second.
    huge = part("shape", weight_bytes_per_step=2 * 10**12)
    finding = findings(tmp_path, huge)["bound"]
    assert finding.outcome is Outcome.FAILED
    assert "decode" in finding.evidence


def test_arithmetic_that_comes_out_of_the_shape_passes(tmp_path: Path) -> None:
    finding = findings(tmp_path, {})["arithmetic"]
    assert finding.outcome is Outcome.PASSED
    assert finding.evidence == f"llama of {ARITHMETIC['parameters']} parameters, 6 numbers"


@pytest.mark.parametrize("name", [name for name in ARITHMETIC if name != "family"])
def test_each_number_of_the_arithmetic_that_is_falsified_fails(tmp_path: Path, name: str) -> None:
    lie = ARITHMETIC[name] - 1
    finding = findings(tmp_path, part("arithmetic", **{name: lie}))["arithmetic"]
    assert finding.outcome is Outcome.FAILED
    assert f"{name} is {lie}, by the formula {ARITHMETIC[name]}" in finding.evidence


def test_arithmetic_of_another_shape_than_the_one_counted_fails(tmp_path: Path) -> None:
    finding = findings(tmp_path, part("shape", params=7))["arithmetic"]
    assert finding.outcome is Outcome.FAILED
    assert finding.evidence.endswith("the shape's 7")


@pytest.mark.parametrize(
    ("arithmetic", "evidence"),
    [
        ("none", "must be an object"),
        (None, "must be an object"),
        ({"family": "llama"}, "must have `parameters`"),
        ({**ARITHMETIC, "flop_per_token": 1.5}, "`flop_per_token` must be a whole number"),
        ({**ARITHMETIC, "family": ""}, "`family` must be a name"),
    ],
)
def test_arithmetic_that_is_none_fails_and_is_not_taken_for_a_record_from_before(
    tmp_path: Path, arithmetic: object, evidence: str
) -> None:
    finding = findings(tmp_path, {"arithmetic": arithmetic})["arithmetic"]
    assert finding.outcome is Outcome.FAILED
    assert evidence in finding.evidence


def test_a_known_family_without_a_shape_fails(tmp_path: Path) -> None:
    finding = findings(tmp_path, {"shape": None})["arithmetic"]
    assert finding.outcome is Outcome.FAILED
    assert finding.evidence == "model.json has no shape"


def test_a_family_without_a_formula_is_not_applicable_and_held_against_its_own_bytes(
    tmp_path: Path,
) -> None:
    toy = {**part("arithmetic", family="toy")}
    found = findings(tmp_path, toy)
    assert found["arithmetic"].outcome is Outcome.SKIPPED
    assert found["arithmetic"].evidence == "no independent formula for family toy"
    assert found["bytes"].outcome is Outcome.PASSED


def test_a_family_without_a_formula_that_counted_other_bytes_fails(tmp_path: Path) -> None:
    read = ARITHMETIC["weight_bytes_per_step"] * 2
    found = findings(tmp_path, part("arithmetic", family="toy", weight_bytes_per_step=read))
    assert found["bytes"].outcome is Outcome.FAILED


def test_a_record_from_before_arithmetic_has_nothing_to_hold_against_the_formula(
    tmp_path: Path,
) -> None:
    build_run(tmp_path, Plan(spec=REAL, gpu=H200, without=("arithmetic",)))
    found = {line.name: line.findings[0][1] for line in audit_results(tmp_path)}
    assert found["arithmetic"].outcome is Outcome.UNSEEN
    assert "from before" in found["arithmetic"].evidence
    assert found["bytes"].outcome is Outcome.PASSED


def test_a_model_whose_logits_are_no_numbers_fails(tmp_path: Path) -> None:
    reason = "3136000 of 3136000 logits of the run's model are inf or nan"
    finding = findings(tmp_path, {"logit_error": {"reason": reason}})["finite"]
    assert finding.outcome is Outcome.FAILED
    assert finding.evidence == reason


def test_an_engine_that_looks_at_every_step_passes(tmp_path: Path) -> None:
    assert findings(tmp_path, {})["finite"].outcome is Outcome.PASSED


def test_an_engine_that_does_not_tell_could_not_be_looked_at(tmp_path: Path) -> None:
    finding = findings(tmp_path, {"engine": {"name": "reference"}})["finite"]
    assert finding.outcome is Outcome.UNSEEN
