"""Every exhibit is made and drawn from runs that were measured, on H100 and H200."""

import pytest

from analysis.figures.static import pdf, svg
from analysis.paper.charts import charts
from analysis.paper.exhibits import EXHIBITS
from analysis.runs.sealed_runs import load
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from tests.support.recordings import FOLDER, recorded, unpack

H200 = "h200_reference_random_weights_answers_in_full_length"
H100 = "h100_fast_random_weights_answers_in_full_length"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The tables of the recorded runs over GSM8K."""
    results = tmp_path_factory.mktemp("recorded")
    for archive in recorded(FOLDER / "gsm8k"):
        unpack(archive, results)
    return build_tables(load(results))


def test_no_board_but_the_papers_is_taken_for_the_papers(made: Tables) -> None:
    for exhibit in EXHIBITS:
        for row in made.by_name[exhibit.name].rows:
            assert row["our_value"] is None
            assert row["ratio"] is None
            assert str(row["reason"]).startswith(("no run on V100; n", "no run on A100; n"))


def test_other_boards_stand_in_columns_of_their_own(made: Tables) -> None:
    rows = [
        row
        for row in made.by_name["paper_figure2"].rows
        if row["dataset"] == "gsm8k" and row["metric"] == "tokens_per_s" and row["gpu"] == "a100"
    ]
    assert [row["model"] for row in rows] == ["7b", "13b", "65b"]
    assert [row[f"{H200}_gpus"] for row in rows] == [1, 2, 2]
    groups = {
        row["model"]: row
        for row in made.groups.rows
        if row["gpu"] == "h200" and row["engine"] == "reference"
    }
    for row in rows:
        assert row[H200] == groups[row["model"]]["tokens_per_s_mean"]
        assert "random weights" in str(row[f"{H200}_labels"])


def test_a_mean_of_the_paper_has_beside_it_what_was_measured_of_it(made: Tables) -> None:
    figure = next(
        row
        for row in made.by_name["paper_figure3"].rows
        if (row["dataset"], row["model"]) == ("gsm8k", "65b")
    )
    table = next(
        row
        for row in made.by_name["paper_table4"].rows
        if (row["max_gen_len"], row["metric"]) == ("256", "gpu_utilization")
    )
    (group,) = [
        row
        for row in made.groups.rows
        if (row["model"], row["gpu"], row["engine"]) == ("65b", "h200", "reference")
    ]
    assert figure[f"{H200}_256_tokens_alone"] == group["power_w_mean"]
    assert table[f"{H200}_gsm8k_alone"] == group["gpu_utilization_mean"]
    assert table[f"{H200}_gsm8k_alone_gpus"] == 2


def test_repeats_of_a_board_have_their_interval_there(made: Tables) -> None:
    seven = next(
        row
        for row in made.by_name["paper_figure2"].rows
        if (row["dataset"], row["metric"], row["model"]) == ("gsm8k", "tokens_per_s", "7b")
    )
    assert len(str(seven[f"{H100}_runs"]).split()) == 3
    low, value, high = (float(str(seven[f"{H100}{end}"])) for end in ("_low", "", "_high"))
    assert low < value < high


def test_the_nodes_are_those_of_the_boards_that_were_measured(made: Tables) -> None:
    gpus = {row["h200"] for row in made.by_name["paper_table1"].rows if row["item"] == "GPU"}
    assert gpus == {"NVIDIA H200"}


def test_both_energies_agree_on_one_node(made: Tables) -> None:
    for row in made.runs.rows:
        assert row["nodes"] == 1
        assert row["rank0_nodes_energy_j"] == row["energy_j"]
        assert row["rank0_nodes_over_all_nodes_less_1"] == 0.0
        # Answers in full length, so the text is the same cut or not.
        assert row["string_tokens"] == row["uncut_tokens"]


def test_every_picture_of_measured_runs_is_drawn_for_page_and_paper(made: Tables) -> None:
    for chart in charts(made):
        if chart.reason is not None:
            assert chart.key in ("paper-table1", "paper-table2")
            continue
        if chart.key not in ("paper-figure2", "paper-figure4"):
            continue
        assert svg(chart) is not None
        content = pdf(chart)
        assert content is not None
        assert content.startswith(b"%PDF")


def test_a_missing_number_names_the_nearest_run(made: Tables) -> None:
    for row in made.by_name["paper_figure6"].rows:
        assert "; nearest 65b-gsm8k-" in str(row["reason"])
