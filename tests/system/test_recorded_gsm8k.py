"""Ten real runs of GSM8K's own questions hold, and say what they are worth.

7B, 13B and 65B on H200 and 7B three times on an H100: 64 questions of 28 to 148 tokens, 256 tokens
each, on hosts of several tenants, whose speed engine `reference` waits for.
"""

from pathlib import Path

import pytest

from analysis.audit.check import Outcome
from analysis.audit.run import Audit, audit_folder
from analysis.runs.sealed_runs import load
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from tests.support.recordings import FOLDER, SUFFIX, unpack

RUNS = sorted((FOLDER / "gsm8k").glob(f"*{SUFFIX}"))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gsm8k")
    for archive in RUNS:
        unpack(archive, folder)
    return folder


@pytest.fixture(scope="module")
def audit(results: Path) -> Audit:
    return audit_folder(results)


@pytest.fixture(scope="module")
def tables(results: Path) -> Tables:
    return build_tables(load(results))


def test_no_check_of_the_audit_fails(audit: Audit) -> None:
    assert audit.runs == len(RUNS) == 10
    failed = {line.name: line.evidence for line in audit.lines if line.outcome is Outcome.FAILED}
    assert failed == {}


def test_ranks_that_took_other_memory_than_each_other_are_no_fault(audit: Audit) -> None:
    (memory,) = [line for line in audit.lines if line.name == "memory"]
    assert memory.outcome is Outcome.PASSED


def test_a_warm_up_that_never_was_steady_stands_in_the_audit(audit: Audit) -> None:
    (warmup,) = [line for line in audit.lines if line.name == "warm-up"]
    told = {run_id: finding.evidence for run_id, finding in warmup.findings}
    unsteady = {run_id for run_id, said in told.items() if said.startswith("not steady")}
    # 13B over two H200 and 7B on both boards: the host was not the same for ten seconds.
    assert {run_id.split("-")[0] for run_id in unsteady} == {"13b", "7b"}


def test_three_repeats_agree_and_have_an_interval(tables: Tables) -> None:
    (row,) = [row for row in tables.groups.rows if row["n"] == 3]
    assert row["energy_per_token_j_mean"] == pytest.approx(0.0877, rel=0.01)
    assert row["engine"] == "fast"
    each = [row["energy_per_token_j"] for row in tables.runs.rows if row["gpu"] == "h100"]
    fast = sorted(float(value) for value in each if isinstance(value, float))[:3]
    assert max(fast) / min(fast) < 1.01


def test_the_paper_s_engine_takes_four_times_the_joules_and_more(tables: Tables) -> None:
    joules = {
        (row["model"], row["gpu"], row["engine"]): float(str(row["energy_per_token_j"]))
        for row in tables.runs.rows
    }
    for model, gpu in (("7b", "h200"), ("13b", "h200"), ("65b", "h200"), ("7b", "h100")):
        assert 4 < joules[model, gpu, "reference"] / joules[model, gpu, "fast"] < 8
