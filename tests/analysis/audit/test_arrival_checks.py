"""The audit of served loads: they came as drawn, were handed over then, and left in the window."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.audit.arrival_checks import LEAST_CHANCE, _chance
from analysis.audit.check import Finding, Outcome
from analysis.audit.run import audit_results
from tests.support.records import build_run
from tests.support.served import served_plan


def finding(results: Path, *, spec: dict[str, Any] | None = None, **changes: Any) -> Finding:
    build_run(results, served_plan(spec, **changes))
    return {line.name: line.findings[0][1] for line in audit_results(results)}["arrivals"]


def test_a_load_that_came_as_drawn_passes(tmp_path: Path) -> None:
    found = finding(tmp_path)
    assert found.outcome is Outcome.PASSED, found.evidence
    assert "came as drawn at 40/s" in found.evidence


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"arrived_us": 5_000}, "from when seed 1 at 40/s has it come"),
        ({"arrived_us": -900_000}, "from when seed 1 at 40/s has it come"),
        ({"sent_us": -400_000}, "was handed over before it came"),
        ({"sent_us": 600_000}, "had its first token before it was handed over"),
        ({"finished_us": -400_000}, "left before its last token"),
        ({"finished_us": 9_000_000}, "outside its batch's span"),
        ({"arrived_us": None}, "`arrived_us` is missing"),
        ({"sent_us": None}, "`sent_us` is missing"),
    ],
)
def test_a_moment_that_was_moved_fails(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    found = finding(tmp_path, **changes)
    assert found.outcome is Outcome.FAILED
    assert told in found.evidence


def test_more_in_flight_than_asked_for_fails(tmp_path: Path) -> None:
    found = finding(tmp_path, spec={"batch_size": 3})
    assert found.outcome is Outcome.FAILED
    assert "4 requests were in flight at once, asked for were 3" in found.evidence


def test_batches_that_tell_of_arrivals_fail(tmp_path: Path) -> None:
    found = finding(tmp_path, spec={"arrivals_per_s": None})
    assert found.outcome is Outcome.FAILED
    assert "the spec asks for batches" in found.evidence


def test_even_intervals_are_no_poisson_process() -> None:
    assert _chance(np.full(100, 0.025), 40.0) < LEAST_CHANCE
