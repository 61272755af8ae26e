"""What the recorded runs say of lengths: which are exact, and that one pair fits nothing."""

import pytest

from analysis.tables.table import Tables
from tests.analysis.lengths.built import tables_of
from tests.support.recordings import FOLDER, recorded, unpack


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    results = tmp_path_factory.mktemp("recorded")
    chosen = [path for path in recorded() if path.name.startswith("7b")]
    chosen += [path for path in recorded(FOLDER / "gsm8k") if "h100" in path.name]
    for archive in chosen:
        unpack(archive, results)
    return tables_of(results)


def test_synthetic_prompts_are_exact_and_a_data_set_s_are_not(tables: Tables) -> None:
    told = {
        (row["dataset"], row["exact"], row["inexact_reason"]) for row in tables.sequence_runs.rows
    }
    assert told == {
        ("fixed-synthetic", True, None),
        ("gsm8k-3c3a194e", False, "prompts of 28 to 148 tokens"),
    }


def test_every_family_says_why_nothing_of_it_can_be_fitted(tables: Tables) -> None:
    assert tables.sequence_residuals.rows == ()
    for row in tables.sequence_models.rows:
        assert (row["term"], row["coefficient_j"]) == ("all", None)
        assert row["reason"] in {
            "the lengths tell nothing; one length of prompts: 128; one length of answers: 128",
            "no run of exact lengths has this energy",
        }


def test_a_token_of_a_prompt_takes_less_than_one_of_an_answer(tables: Tables) -> None:
    known = [
        row
        for row in tables.sequence_lengths.rows
        if row["energy_per_input_token_j"] is not None and row["exact"]
    ]
    assert known
    for row in known:
        asked = float(str(row["energy_per_input_token_j"]))
        assert 0 < asked < float(str(row["decode_energy_per_output_token_j"]))


def test_what_is_missing_has_its_reason(tables: Tables) -> None:
    for name in ("sequence_runs", "sequence_lengths", "sequence_models", "sequence_published"):
        table = tables.by_name[name]
        for row in table.rows:
            for column in table.columns:
                if column.reason is not None and row[column.name] is None:
                    assert row[column.reason], f"{name}.{column.name} is empty without a reason"
