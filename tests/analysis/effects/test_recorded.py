"""What the recorded real runs say of one another, and what they are too few for."""

import math
from typing import Final

import pytest

from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from tests.support.recordings import FOLDER, SUFFIX, unpack

TABLES: Final = ("comparisons", "mixed_model", "variance", "drift")
# Pieces of runs and an outside meter's log; runs of other GPUs with the ids of some that count;
# runs of other models by another engine, of which no two differ in one factor of these.
_LEFT_OUT: Final = ("extracts", "fixed_again", "second_paper")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    results = tmp_path_factory.mktemp("recorded")
    for archive in sorted(FOLDER.rglob(f"*{SUFFIX}")):
        if archive.parent.name not in _LEFT_OUT:
            unpack(archive, results)
    return build_tables(load(results))


def only(rows: tuple[Row, ...], **wanted: object) -> Row:
    (row,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return row


def test_the_fast_engine_takes_less_than_half_of_the_joules_over_all_pairs(tables: Tables) -> None:
    row = only(tables.comparisons.rows, factor="engine", level="fast", simulated=False)
    assert isinstance(row["pairs"], int)
    assert row["pairs"] >= 12
    assert isinstance(row["ratio_high"], float)
    assert row["ratio_high"] < 0.5
    assert str(row["sentence"]).startswith("fast takes 0.")
    assert "p < 0.001 after Holm over" in str(row["sentence"])


def test_a_model_on_more_gpus_takes_more_joules(tables: Tables) -> None:
    row = only(tables.comparisons.rows, factor="shards", base="1 GPU", level="2 GPUs")
    assert isinstance(row["ratio_low"], float)
    assert row["ratio_low"] > 1


def test_two_boards_are_compared_with_the_gain_that_does_not_cancel(tables: Tables) -> None:
    row = only(tables.comparisons.rows, factor="board", base="h100", level="h200")
    assert isinstance(row["ratio_gain"], float)
    assert row["ratio_gain"] == pytest.approx(0.05 * math.sqrt(2), rel=0.05)


def test_engines_on_the_same_gpus_are_compared_without_a_gain(tables: Tables) -> None:
    row = only(tables.comparisons.rows, factor="engine", level="fast")
    assert isinstance(row["ratio_gain"], float)
    assert row["ratio_gain"] < 0.02


def test_every_comparison_has_an_interval_or_says_why_not(tables: Tables) -> None:
    for row in tables.comparisons.rows:
        assert (row["ratio_low"] is None) == (row["reason"] is not None) == (row["p"] is None)
        assert (row["ratio_low"] is None) == ("too few to say more" in str(row["sentence"]))


def test_three_repeats_tell_how_runs_scatter_and_one_gpu_hides_its_part(tables: Tables) -> None:
    of = {"gpu": "h100", "gpus": 1, "metric": "energy per token"}
    row = only(tables.variance.rows, between="runs of a point", **of)
    assert isinstance(row["scatter"], float)
    assert 0 < row["scatter"] < 0.05
    assert isinstance(row["scatter_high"], float)
    gpus = only(tables.variance.rows, between="GPUs of a node", **of)
    assert gpus["reason"] == "one GPU a run: its part is in that of the runs"


def test_gpus_of_one_run_are_told_though_no_point_was_run_twice(tables: Tables) -> None:
    of = {"gpu": "h200", "gpus": 4, "metric": "power", "between": "GPUs of a node"}
    row = only(tables.variance.rows, **of)
    assert isinstance(row["scatter"], float)
    assert 0.005 < row["scatter"] < 0.2


def test_one_model_of_all_real_runs_tells_the_engines_apart(tables: Tables) -> None:
    row = only(tables.mixed_model.rows, factor="engine", level="fast")
    assert isinstance(row["multiplier_high"], float)
    assert row["multiplier_high"] < 0.5
    size = only(tables.mixed_model.rows, factor="size")
    assert isinstance(size["multiplier_low"], float)
    assert size["multiplier_low"] > 1.2


def test_every_effect_is_told_or_says_why_not(tables: Tables) -> None:
    for row in tables.mixed_model.rows:
        assert (row["multiplier"] is None) == (row["reason"] is not None)


def test_the_drift_of_the_real_repeats_is_tested_or_cannot_be(tables: Tables) -> None:
    row = tables.drift.rows[0]
    assert row["scope"] == "all points"
    assert (row["p"] is None) == (row["reason"] is not None)


def test_no_number_is_nan_or_without_end(tables: Tables) -> None:
    for name in TABLES:
        for row in getattr(tables, name).rows:
            assert all(math.isfinite(one) for one in row.values() if isinstance(one, float)), row
