"""Real runs of the paper's three models on H200 hold: its data sets, at two of its lengths.

Alpaca's own seed tasks and GSM8K's questions, 64 prompts, 256 and 512 tokens each: 7B and 13B on
one and two cards, 65B on two, by both engines; two of the points three times. Beside them five of
engine `reference` at one fixed shape, made again since its operators changed.
"""

from pathlib import Path

import pytest

from analysis.audit.check import Outcome
from analysis.audit.run import Audit, audit_folder
from analysis.runs.sealed_runs import load
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from tests.support.recordings import FOLDER, SUFFIX, unpack

# The second: runs of the same ids as older ones in FOLDER itself.
RUNS = [
    one for name in ("paper", "fixed_again") for one in sorted((FOLDER / name).glob(f"*{SUFFIX}"))
]
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
    assert audit.runs == len(RUNS) == 28
    assert failed(audit) == {}


def joules(tables: Tables, **point: object) -> list[float]:
    """Energy of a token of each run at a point, in joules; ascending."""
    return sorted(
        float(str(row["energy_per_token_j"]))
        for row in tables.runs.rows
        if all(row[name] == value for name, value in point.items())
    )


def test_a_token_costs_more_in_longer_answers_as_keys_and_values_grow(tables: Tables) -> None:
    (short,) = joules(tables, model="65b", engine="fast", max_gen_len=256)
    long = joules(tables, model="65b", engine="fast", max_gen_len=512)
    assert short == pytest.approx(0.5433, rel=0.001)
    assert long == pytest.approx([0.5817, 0.6012], rel=0.001)


def test_a_token_costs_more_on_two_cards_than_on_one(tables: Tables) -> None:
    for model, one, two in (("7b", 0.0647, 0.0765), ("13b", 0.1147, 0.1347)):
        at = {"model": model, "engine": "fast", "max_gen_len": 256}
        at["dataset"] = "alpaca_seed-27848143"
        assert joules(tables, **at, gpus=1) == pytest.approx([one] * 3, rel=0.003)
        assert joules(tables, **at, gpus=2) == pytest.approx([two], rel=0.001)


def test_three_repeats_of_a_point_agree_to_two_tenths_of_a_per_cent(tables: Tables) -> None:
    thrice = [row for row in tables.groups.rows if len(str(row["runs"]).split()) == 3]
    assert [row["model"] for row in thrice] == ["7b", "13b"]
    for row in thrice:
        mean = float(str(row["energy_per_token_j_mean"]))
        low, high = (
            float(str(row[f"energy_per_token_j_scatter_{end}"])) for end in ("low", "high")
        )
        assert 0 < (high - low) / 2 < 0.0022 * mean
        # Sensors err by more than repeats of one card do.
        assert float(str(row["energy_per_token_j_gain"])) > 10 * (high - low)


def test_the_paper_s_own_loop_takes_several_times_the_energy(tables: Tables) -> None:
    ratios = {
        (row["model"], row["max_gen_len"]): float(str(row["reference_energy_per_token_j"]))
        / float(str(row["fast_energy_per_token_j"]))
        for row in tables.engines.rows
        if row["fast_n"]
    }
    assert ratios == pytest.approx(
        {
            ("7b", 256): 8.74,
            ("7b", 512): 5.48,
            ("13b", 256): 7.45,
            ("13b", 512): 5.02,
            ("65b", 256): 6.82,
        },
        rel=0.002,
    )


def test_a_loop_that_waits_for_its_host_is_as_fast_as_its_host(tables: Tables) -> None:
    """Two cards of this machine decode 13B slower than one; older records say the reverse."""
    fixed = {
        (row["model"], row["gpus"]): float(str(row["decode_tokens_per_s"]))
        for row in tables.runs.rows
        if row["dataset"] == "fixed-synthetic"
    }
    told = {("7b", 1): 2212, ("7b", 2): 1947, ("13b", 1): 1655, ("13b", 2): 973, ("65b", 2): 628}
    assert fixed == pytest.approx(told, rel=0.001)


def test_two_runs_on_one_gpu_at_one_time_are_told_though_each_alone_looks_right(
    tmp_path: Path,
) -> None:
    """Two campaigns that believed to have a card each: every sensor counted both in both."""
    found = failed(audit_folder(unpacked(TWICE, tmp_path)))
    assert set(found) >= {"one-at-a-time", "near-copies"}
    assert "at one time" in found["one-at-a-time"]
