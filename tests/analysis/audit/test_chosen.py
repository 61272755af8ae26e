"""What was left to the plan is held against what the record says that it chose."""

from pathlib import Path
from typing import Any, Final

import pytest

from analysis.audit.check import Outcome
from analysis.audit.run import audit_results
from tests.support.records import Plan, build_run

_SPEC: Final = Plan().run_spec
_TRUE: Final = {"batch_size": _SPEC.batch_size, "engine": _SPEC.engine}


def outcome(results: Path, values: dict[str, Any], *words: str) -> Outcome:
    """Of the check `launch`, for a run whose line left these words to the plan."""
    told = {
        "command": ["python", "-m", "launcher", *words],
        "overrides": list(words),
        "chosen": {"rule": "the rule", "values": values},
    }
    build_run(results, Plan(provenance=told))
    (line,) = [line for line in audit_results(results) if line.name == "launch"]
    return line.findings[0][1].outcome


def test_what_was_chosen_as_it_was_run_passes(tmp_path: Path) -> None:
    assert outcome(tmp_path, _TRUE, "batch_size=auto", "engine=auto") is Outcome.PASSED


@pytest.mark.parametrize(
    "values", [{**_TRUE, "batch_size": 64}, {**_TRUE, "engine": "fast"}, {**_TRUE, "seed": 7}]
)
def test_another_choice_than_was_run_fails(tmp_path: Path, values: dict[str, Any]) -> None:
    assert outcome(tmp_path, values, "batch_size=auto", "engine=auto") is Outcome.FAILED


def test_a_word_that_was_left_open_and_not_chosen_fails(tmp_path: Path) -> None:
    assert outcome(tmp_path, {}, "batch_size=auto") is Outcome.FAILED
