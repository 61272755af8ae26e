"""What others published of lengths, held against runs that were built to agree or to differ."""

from pathlib import Path

import pytest

from analysis.lengths.published import statements
from analysis.tables.column import Row
from analysis.tables.table import Tables
from tests.analysis.lengths.built import grid, length_plan, tables_of
from tests.support.records import build_run


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return grid(tmp_path_factory.mktemp("published"))


def by_key(tables: Tables) -> dict[str, Row]:
    return {str(row["statement"]): row for row in tables.sequence_published.rows}


def test_every_number_has_its_source_and_its_version() -> None:
    for one in statements():
        assert one.source.startswith("arXiv ")
        assert any(named in one.source for named in (" v1", " v2", ", commit "))
        # A formula's numbers that nobody could read stand nowhere.
        assert one.rule == "coefficient" or one.number in {0.0179, 33.41, 0.96, None}


def test_a_product_of_both_lengths_is_no_linear_function(tables: Tables) -> None:
    row = by_key(tables)["not-linear"]
    assert (row["verdict"], row["reason"]) == ("reproduced", None)
    assert row["ours"] == pytest.approx(0.25, abs=0.02)


def test_a_formula_that_fits_better_than_the_published_one_agrees_with_it(tables: Tables) -> None:
    row = by_key(tables)["formula-error"]
    assert row["verdict"] == "reproduced"
    assert float(str(row["ours"])) < float(str(row["published"])) == 0.0179
    assert "coefficients are in no part of it that could be read" in str(row["note"])
    assert by_key(tables)["r-squared"]["verdict"] == "reproduced"


def test_the_longest_prompt_with_the_shortest_answer_takes_most(tables: Tables) -> None:
    assert by_key(tables)["worst-corner"]["verdict"] == "reproduced"


def test_a_ratio_of_lengths_that_were_not_run_cannot_be_told(tables: Tables) -> None:
    row = by_key(tables)["best-over-worst"]
    assert row["verdict"] == "cannot tell"
    assert row["reason"] == (
        "it is of 64 to 4096 tokens of both, these are of 10 to 40 and 4 to 16"
    )


def test_a_paper_without_a_number_is_named_and_tells_nothing(tables: Tables) -> None:
    row = by_key(tables)["sequence-length"]
    assert row["verdict"] == "cannot tell"
    assert row["reason"] == "it prints no number to hold ours against"


def test_what_is_simulated_tells_nothing_of_a_board(tmp_path: Path) -> None:
    tables = grid(tmp_path, spec={"gpu": "simulated-a100"}, gpu={})
    assert {row["verdict"] for row in tables.sequence_published.rows} == {"cannot tell"}
    assert by_key(tables)["not-linear"]["reason"] == "simulated: no measurement"
    assert all(
        "[simulated, random weights]" in str(r["sentence"]) for r in tables.sequence_models.rows
    )


def test_without_a_fit_nothing_is_held_against_anything(tmp_path: Path) -> None:
    build_run(tmp_path, length_plan(10, 4))
    rows = tables_of(tmp_path).sequence_published.rows
    assert {row["verdict"] for row in rows} == {"cannot tell"}
    assert {
        row["reason"] for row in rows if not str(row["statement"]).startswith("coefficient")
    } == {"no runs of exact lengths have a fit"}


def test_a_published_coefficient_is_of_a_response_and_of_its_own_model(tmp_path: Path) -> None:
    tables = grid(tmp_path, spec={"model": "7b"})
    row = by_key(tables)["coefficient-7b-c"]
    # Table 5.2 prints 31.52 J for each output token of a batch of 32.
    assert row["published"] == pytest.approx(31.52 / 32)
    (own,) = [
        one["coefficient_j"]
        for one in tables.sequence_models.rows
        if (one["outcome"], one["term"]) == ("whole", "output token")
    ]
    assert (row["ours"], row["model"]) == (own, "7b")
    assert row["verdict"] == "cannot tell"
    assert "without a cache of keys and values" in str(row["reason"])
    other = by_key(tables)["coefficient-falcon-7b-c"]
    assert (other["ours"], other["model"]) == (None, None)
    assert other["reason"] == "no runs of falcon-7b of exact lengths have a fit"
