"""The audit of a paged cache: as many pages as the spec's requests need."""

from pathlib import Path
from typing import Any

import pytest

from analysis.audit.check import Finding, Outcome
from tests.analysis.audit.forging import look
from tests.support.records import Plan, build_run

# 64 prompts of 128 + 128 positions are 8 pages of 32 each, and the spare.
SIZES: dict[str, Any] = {"max_prompt_len": 128, "max_gen_len": 128, "batch_size": 64}
SOUND: dict[str, Any] = {
    "pages": 513,
    "page_positions": 32,
    "planned_pages": 513,
    "gpu_memory_utilization": 0.92,
    "more_than_planned": 0.0,
}


def finding(results: Path, cache: dict[str, Any] | None, *, engine: str = "vllm") -> Finding:
    told = {"name": engine} if cache is None else {"name": engine, "cache": cache}
    plan = Plan(spec={"engine": engine, **SIZES}, model={"engine": told})
    return look(build_run(results, plan), "pages")


def test_as_many_as_are_needed_pass_and_more_are_told(tmp_path: Path) -> None:
    assert finding(tmp_path / "a", SOUND).outcome is Outcome.PASSED
    more = finding(tmp_path / "b", {**SOUND, "pages": 600, "more_than_planned": 600 / 513 - 1})
    assert more.outcome is Outcome.PASSED
    assert more.evidence == "600 pages of 32 positions, 513 needed: +17.0%"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"pages": 512, "more_than_planned": 512 / 513 - 1}, "there were 512 pages"),
        (
            {"pages": 300, "planned_pages": 300},
            "300 pages were planned, 64 requests need 513",
        ),
        ({"more_than_planned": 0.5}, "are told as 0.5 more than planned"),
        ({"pages": None}, "must be counts above 0"),
        ({"page_positions": 0}, "must be counts above 0"),
        ({"pages": True}, "must be counts above 0"),
    ],
)
def test_too_few_or_told_otherwise_fail(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    found = finding(tmp_path, {**SOUND, **change})
    assert found.outcome is Outcome.FAILED
    assert told in found.evidence


def test_a_record_without_them_is_no_pass(tmp_path: Path) -> None:
    assert finding(tmp_path / "a", None).outcome is Outcome.UNSEEN
    assert finding(tmp_path / "b", None, engine="fast").outcome is Outcome.SKIPPED
