"""Which of a version's cells have runs, and why others have none."""

from pathlib import Path

from analysis.tables.column import Row
from tests.analysis.abstracts.built import ANSWERS, SUMMARIES, locked, repeats, tables_of
from tests.support.records import Plan

PAPER = "arXiv 2501.08219 v1"


def cells(results: Path, *plans: Plan) -> dict[tuple[str, str, str], list[Row]]:
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in tables_of(results, plans).abstract_coverage.rows:
        key = str(row["paper"]), str(row["printed_model"]), str(row["printed_task"])
        found.setdefault(key, []).append(row)
    return found


def test_every_model_and_task_of_both_lists_is_a_cell(tmp_path: Path) -> None:
    found = cells(tmp_path, *repeats(count=1, spec={"model": "gpt2", "dataset": ANSWERS}))
    assert sum(paper == PAPER for paper, _, _ in found) == 6 * 3
    assert sum(paper == "arXiv 2501.08219 v2" for paper, _, _ in found) == 5 * 3
    assert len(found) == 6 * 3 + 5 * 3


def test_a_cell_with_runs_is_present_and_the_others_say_why_they_are_not(tmp_path: Path) -> None:
    found = cells(tmp_path, *repeats(count=2, spec={"model": "gpt2", "dataset": ANSWERS}))
    (there,) = found[PAPER, "GPT-2", "question answering"]
    assert (there["coverage"], there["n"], there["reason"]) == ("present", 2, None)
    assert (there["max_gen_len"], there["engine"], there["gpu"]) == (8, "transformers", "h200")
    assert there["labels"] == "random weights, throttling not recorded"
    (other,) = found[PAPER, "GPT-2", "summarization"]
    assert (other["coverage"], other["n"]) == ("missing", 0)
    assert other["reason"] == (
        "no sealed run of this model is of summarization: cnn_dailymail, xsum"
    )
    (absent,) = found[PAPER, "T5-3B", "summarization"]
    assert absent["reason"] == "no sealed run is of t5-3b"


def test_lengths_and_clocks_that_some_run_has_are_cells_of_all(tmp_path: Path) -> None:
    long = {"model": "falcon-7b", "dataset": SUMMARIES, "max_gen_len": 16}
    found = cells(tmp_path, *locked(1400, count=1), *repeats(count=1, spec=long))
    own = found[PAPER, "GPT-2", "question answering"]
    told = {(row["max_gen_len"], row["sm_clock_mhz"]): row["reason"] for row in own}
    other = "its runs are of other lengths or clocks"
    assert told == {(8, None): other, (8, 1400): None, (16, None): other, (16, 1400): other}


def test_simulated_runs_cover_nothing(tmp_path: Path) -> None:
    spec = {"model": "gpt2", "dataset": ANSWERS, "engine": "transformers"}
    found = cells(tmp_path, Plan(spec=spec, steps=False))
    (row,) = found[PAPER, "GPT-2", "question answering"]
    assert (row["coverage"], row["n"]) == ("missing", 0)
    assert row["reason"] == "its runs are simulated: no measurement"
