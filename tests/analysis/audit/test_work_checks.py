"""The audit of the work: steps, windows, warm-ups, memory, bytes and bounds."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from analysis.audit.check import Finding, Outcome
from analysis.audit.run import audit_results
from tests.support.record_answers import model_record
from tests.support.records import Plan, build_run

CHECKS = ("steps", "window", "warm-up", "memory", "bytes", "bound")
H200 = {"name": "NVIDIA H200", "kind": "h200"}
REAL = {"gpu": "h200", "dtype": "fp16"}
MODEL = model_record(Plan(spec=REAL).run_spec, 1, 1.0)
Rows = Callable[[dict[str, Any]], dict[str, Any]]


def findings(results: Path, plan: Plan) -> dict[str, Finding]:
    build_run(results, plan)
    return {line.name: line.findings[0][1] for line in audit_results(results)}


def real(**more: Any) -> Plan:
    return Plan(spec=REAL, gpu=H200, **more)


def part(name: str, **changes: Any) -> Mapping[str, Any]:
    """model.json with one part changed."""
    return {name: {**MODEL[name], **changes}}


def test_a_sound_record_passes_every_check_of_the_work(tmp_path: Path) -> None:
    found = findings(tmp_path, real())
    assert {found[name].outcome for name in CHECKS} == {Outcome.PASSED}
    assert found["steps"].evidence == "16 steps of 2 batches chose 32 tokens"
    assert "at most" in found["bound"].evidence


def test_a_record_from_before_could_not_be_looked_at_and_fails_none_of_them(tmp_path: Path) -> None:
    found = findings(tmp_path, real(steps=False))
    assert {found[name].outcome for name in CHECKS} == {Outcome.UNSEEN}
    assert Outcome.FAILED not in {one.outcome for one in found.values()}


def change_step(number: int, **changes: int) -> Rows:
    """Rows of the steps, one of the first batch's moved or miscounted by so much."""

    def change(row: dict[str, Any]) -> dict[str, Any]:
        if (row["batch"], row["step"]) != (0, number):
            return row
        return {**row, **{name: row[name] + more for name, more in changes.items()}}

    return change


def change_answer(**changes: Any) -> Rows:
    return lambda row: {**row, **changes} if (row["batch"], row["row"]) == (0, 0) else row


@pytest.mark.parametrize(
    ("plan", "evidence"),
    [
        (Plan(step=change_step(3, rows=1)), "step 3 does not count the rows"),
        (Plan(step=change_step(3, t_us=-3_000_000)), "earlier than the one before"),
        (Plan(step=change_step(7, step=1)), "not numbered from 0"),
        (Plan(response=change_answer(first_token_us=7)), "chosen at no step"),
        (Plan(response=change_answer(first_token_us=None)), "tokens and no time"),
        (Plan(response=change_answer(generated_ids=[], generated_tokens=0)), "a time of one"),
        (
            Plan(response=change_answer(generated_ids=[1] * 9, generated_tokens=9)),
            "more tokens than steps",
        ),
        (Plan(response=change_answer(generated_ids=[1], generated_tokens=1)), "does not count"),
    ],
)
def test_steps_that_responses_do_not_tell_of_fail(
    tmp_path: Path, plan: Plan, evidence: str
) -> None:
    finding = findings(tmp_path, plan)["steps"]
    assert finding.outcome is Outcome.FAILED
    assert evidence in finding.evidence


def test_a_step_outside_its_spans_fails_by_how_far_it_lies_out(tmp_path: Path) -> None:
    def shift(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "t_us": row["t_us"] + 700_000}

    def shift_answer(row: dict[str, Any]) -> dict[str, Any]:
        times = {name: row[name] + 700_000 for name in ("first_token_us", "last_token_us")}
        return {**row, **times}

    finding = findings(tmp_path, Plan(step=shift, response=shift_answer))["steps"]
    assert finding.outcome is Outcome.FAILED
    assert "prefill's step lies 0.700 s outside its span" in finding.evidence


def test_a_window_shorter_than_ordered_fails(tmp_path: Path) -> None:
    short = part("window", min_window_s=60.0)
    finding = findings(tmp_path, real(launch={"min_window_s": 60.0}, model=short))["window"]
    assert finding.outcome is Outcome.FAILED
    assert "60 s asked for" in finding.evidence


def test_passes_that_the_answers_do_not_fill_fail(tmp_path: Path) -> None:
    finding = findings(tmp_path, real(model=part("window", passes=2)))["window"]
    assert finding.outcome is Outcome.FAILED


def test_several_passes_answer_every_prompt_as_often(tmp_path: Path) -> None:
    found = findings(tmp_path, real(passes=3))
    assert found["prompts"].evidence.endswith("each answered 3 times")
    assert found["window"].outcome is Outcome.PASSED


def test_a_pass_that_left_a_prompt_out_fails(tmp_path: Path) -> None:
    def answer_another(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "prompt": 0} if (row["batch"], row["row"]) == (3, 1) else row

    found = findings(tmp_path, real(passes=2, response=answer_another))
    assert found["prompts"].outcome is Outcome.FAILED


def test_a_warm_up_that_never_became_steady_is_told_and_not_failed(tmp_path: Path) -> None:
    unsteady = part("warmup", rates_tokens_per_s=[100.0, 120.0, 90.0], steady=False)
    finding = findings(tmp_path, real(model=unsteady))["warm-up"]
    assert finding.outcome is Outcome.PASSED
    assert finding.evidence.startswith("not steady: the last 3 of 3 batches differ by 29.03%")


def test_a_warm_up_that_calls_itself_steady_and_was_not_fails(tmp_path: Path) -> None:
    claimed = part("warmup", rates_tokens_per_s=[100.0, 120.0, 90.0], steady=True)
    assert findings(tmp_path, real(model=claimed))["warm-up"].outcome is Outcome.FAILED


def test_memory_off_the_plan_is_told_with_numbers_and_not_failed(tmp_path: Path) -> None:
    more = part("memory", peak_allocated_bytes=1_200_000_000)
    finding = findings(tmp_path, real(model=more))["memory"]
    assert finding.outcome is Outcome.PASSED
    assert finding.evidence == "the plan was off: 1.200 GB taken, 1.000 GB planned: +20.0%"


def test_memory_is_held_to_what_prompts_as_they_are_were_to_take(tmp_path: Path) -> None:
    shorter = {"longest_prompt": 9, "total_bytes": 2_250_000_000, "context_bytes": 1_310_000_000}
    less = part("memory", peak_allocated_bytes=950_000_000, at_lengths=shorter)
    finding = findings(tmp_path, real(model=less))["memory"]
    assert finding.evidence == (
        "0.950 GB taken, 0.940 GB expected of prompts as they are, 1.000 GB planned: +1.1%"
    )


RANKS = [
    {"rank": 0, "allocated_bytes": 900_000_000, "device_used_bytes": 2_000_000_000},
    {"rank": 1, "allocated_bytes": 900_040_000, "device_used_bytes": 2_002_000_000},
]


def test_ranks_that_took_a_little_more_than_each_other_are_told_by_the_largest(
    tmp_path: Path,
) -> None:
    # 13B and 65B over two H200: NCCL's and the allocator's blocks differ from rank to rank.
    told = part("memory", ranks=RANKS, allocated_bytes=900_040_000, device_used_bytes=2_002_000_000)
    assert findings(tmp_path, real(model=told))["memory"].outcome is Outcome.PASSED


def test_memory_that_is_not_the_largest_of_the_ranks_fails(tmp_path: Path) -> None:
    told = part("memory", ranks=RANKS, allocated_bytes=900_000_000, device_used_bytes=2_002_000_000)
    finding = findings(tmp_path, real(model=told))["memory"]
    assert finding.outcome is Outcome.FAILED
    assert "`allocated_bytes` must be the largest of the ranks', 900040000" in finding.evidence
