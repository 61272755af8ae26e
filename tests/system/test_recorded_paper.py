"""Four real runs of 65B on two H200 hold: the paper's largest model at two of its lengths.

Alpaca's own seed tasks and GSM8K's questions, 64 prompts, 256 and 512 tokens each, engine `fast`
and, of Alpaca at 256, `reference`.
"""

from pathlib import Path

import pytest

from analysis.audit.check import Outcome
from analysis.audit.run import Audit, audit_folder
from analysis.runs.sealed_runs import load
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from tests.support.recordings import FOLDER, SUFFIX, unpack

RUNS = sorted((FOLDER / "paper").glob(f"*{SUFFIX}"))
TWICE = sorted((FOLDER / "one_gpu_twice").glob(f"*{SUFFIX}"))


def unpacked(archives: list[Path], folder: Path) -> Path:
    for archive in archives:
        unpack(archive, folder)
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(RUNS, tmp_path_factory.mktemp("paper"))


@pytest.fixture(scope="module")
def tables(results: Path) -> Tables:
    return build_tables(load(results))


def failed(audit: Audit) -> dict[str, str]:
    return {line.name: line.evidence for line in audit.lines if line.outcome is Outcome.FAILED}


def test_no_check_of_the_audit_fails(results: Path) -> None:
    audit = audit_folder(results)
    assert audit.runs == len(RUNS) == 4
    assert failed(audit) == {}


def test_a_token_costs_more_in_longer_answers_as_keys_and_values_grow(tables: Tables) -> None:
    joules = {
        (row["dataset"], row["engine"], row["max_gen_len"]): row["energy_per_token_j"]
        for row in tables.runs.rows
    }
    (short,) = [one for key, one in joules.items() if key[1:] == ("fast", 256)]
    long = [one for key, one in joules.items() if key[1:] == ("fast", 512)]
    assert short == pytest.approx(0.5433, rel=0.001)
    assert sorted(float(str(one)) for one in long) == pytest.approx([0.5817, 0.6012], rel=0.001)


def test_two_runs_on_one_gpu_at_one_time_are_told_though_each_alone_looks_right(
    tmp_path: Path,
) -> None:
    """Two campaigns that believed to have a card each: every sensor counted both in both."""
    found = failed(audit_folder(unpacked(TWICE, tmp_path)))
    assert set(found) >= {"one-at-a-time", "near-copies"}
    assert "at one time" in found["one-at-a-time"]
