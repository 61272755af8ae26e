"""Verdicts on what abstracts say: whose runs they rest on, and what leaves them open."""

from pathlib import Path
from typing import Any

import pytest

from analysis.abstracts.table import abstract_lines
from analysis.tables.column import Row
from tests.analysis.abstracts.built import (
    ANSWERS,
    GENERATION,
    SUMMARIES,
    TRAINED,
    V1,
    answered,
    answers,
    locked,
    only,
    repeats,
    tables_of,
)
from tests.support.records import Plan, build_run

MODEL, TASK = "v1-model-moves-energy", "v1-task-moves-energy"
OUTPUT, CLOCK = "v1-output-length-moves-energy", "v1-clock-moves-energy"
KEPT, THIRTY = "v1-saving-keeps-throughput-and-accuracy", "v2-saves-30-percent-at-quality"


@pytest.fixture(scope="module")
def all_of_v1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Row]]:
    """Every model of v1 on one task, each slower than the one before."""
    plans = [
        plan
        for place, model in enumerate(V1)
        for plan in repeats(1.0 + 0.3 * place, spec={"model": model, "dataset": ANSWERS})
    ]
    return answers(tmp_path_factory.mktemp("v1"), plans)


def test_all_models_of_a_version_that_differ_bear_its_claim_out(
    all_of_v1: dict[str, list[Row]],
) -> None:
    row = only(all_of_v1, MODEL)
    assert (row["verdict"], row["paper"]) == ("reproduced", "arXiv 2501.08219 v1")
    assert (row["gpu"], row["engine"], row["n"]) == ("h200", "transformers", 12)
    assert len(str(row["runs"]).split()) == 12
    assert row["labels"] == "random weights, throttling not recorded"
    assert float(str(row["p"])) < 0.05
    low, value, high = (float(str(row[f"deciding_{name}"])) for name in ("low", "value", "high"))
    assert low < value < high


def test_a_version_some_of_whose_models_have_runs_is_not_decided(
    all_of_v1: dict[str, list[Row]],
) -> None:
    row = only(all_of_v1, "v2-model-moves-energy")
    assert (row["verdict"], row["same_abstract"]) == ("cannot tell", "v3")
    assert str(row["evidence"]).startswith("3 of 5 models have such runs, which say reproduced: ")


def test_what_no_runs_differ_in_is_not_decided(all_of_v1: dict[str, list[Row]]) -> None:
    for claim, along in ((TASK, "task"), (OUTPUT, "max_gen_len"), (CLOCK, "sm_clock_mhz")):
        row = only(all_of_v1, claim)
        assert (row["verdict"], row["n"]) == ("cannot tell", 12)
        assert row["evidence"] == f"no two such runs differ in {along} alone"


def test_a_version_that_names_no_model_is_never_decided(all_of_v1: dict[str, list[Row]]) -> None:
    row = only(all_of_v1, "v4-decode-dominates")
    assert (row["verdict"], row["runs"]) == ("cannot tell", None)
    assert "names of its five models" in str(row["evidence"])


def test_models_that_are_all_alike_show_that_it_is_not_so(tmp_path: Path) -> None:
    plans = [one for name in V1 for one in repeats(spec={"model": name, "dataset": ANSWERS})]
    row = only(answers(tmp_path, plans), "v1-model-moves-speed")
    assert row["verdict"] == "not reproduced"
    assert "within 5% in 1 point" in str(row["evidence"])


def test_one_run_a_model_is_not_enough(tmp_path: Path) -> None:
    plans = [
        one
        for place, name in enumerate(V1)
        for one in repeats(1.0 + place, 1, spec={"model": name, "dataset": ANSWERS})
    ]
    row = only(answers(tmp_path, plans), MODEL)
    assert row["verdict"] == "cannot tell"
    assert row["evidence"] == "one run on a side: no interval over repeats"


@pytest.mark.parametrize("model", ["7b", "opt-6.7b", "gpt2-xl", "nano"])
def test_models_of_no_version_prove_nothing(model: str, tmp_path: Path) -> None:
    plans = [
        one
        for task in (GENERATION, ANSWERS, SUMMARIES)
        for one in repeats(spec={"model": model, "dataset": task})
    ]
    found = answers(tmp_path, plans)
    assert {row["verdict"] for rows in found.values() for row in rows} == {"cannot tell"}
    assert only(found, MODEL)["evidence"] == "no sealed run is of a model of v1"


@pytest.mark.parametrize(
    ("version", "model", "dataset"),
    [
        ("v2", "mistral-7b-v0.1", SUMMARIES),
        ("v1", "mistral-7b-v0.1", "hellaswag-00000000"),
        ("v2", "gpt2", ANSWERS),
        ("v1", "llama-3.2-1b", ANSWERS),
    ],
)
def test_a_version_s_models_on_another_version_s_tasks_prove_nothing(
    version: str, model: str, dataset: str, tmp_path: Path
) -> None:
    found = answers(tmp_path, list(repeats(spec={"model": model, "dataset": dataset})))
    own = [row for rows in found.values() for row in rows if str(row["claim"])[:2] == version]
    assert {(row["gpu"], row["n"]) for row in own} == {(None, 0)}


def test_quantized_weights_are_another_model(tmp_path: Path) -> None:
    spec = {"dataset": ANSWERS, "quantization": "int8"}
    plans = [one for name in V1 for one in repeats(spec={**spec, "model": name})]
    row = only(answers(tmp_path, plans), MODEL)
    assert row["verdict"] == "cannot tell"
    assert "quantized weights are another model" in str(row["evidence"])


def test_runs_of_the_first_paper_bring_no_row(tmp_path: Path) -> None:
    for dataset in ("gsm8k-00000000", "alpaca-00000000", "fixed-synthetic"):
        for plan in repeats(count=1, spec={"model": "7b", "dataset": dataset}):
            build_run(tmp_path, plan)
    tables = tables_of(tmp_path)
    assert not tables.abstract_claims.rows
    assert not tables.abstract_coverage.rows


def test_simulated_runs_prove_nothing(tmp_path: Path) -> None:
    plans = [
        Plan(
            spec={"model": name, "dataset": ANSWERS, "repeat": repeat, "engine": "transformers"},
            decode_s=1.0 + place,
            steps=False,
        )
        for place, name in enumerate(V1)
        for repeat in range(2)
    ]
    found = answers(tmp_path, plans)
    assert only(found, MODEL)["evidence"] == ("runs of models of v1 are simulated: no measurement")
    assert {row["verdict"] for rows in found.values() for row in rows} == {"cannot tell"}


def test_a_board_that_its_driver_calls_something_else_proves_nothing(tmp_path: Path) -> None:
    plans = [
        one
        for place, name in enumerate(V1)
        for one in repeats(1.0 + place, spec={"model": name, "dataset": ANSWERS, "gpu": "h100"})
    ]
    row = only(answers(tmp_path, plans), MODEL)
    assert (row["gpu"], row["verdict"]) == ("h100 (by its spec alone)", "cannot tell")
    assert row["evidence"] == "the driver calls these boards something else"


def test_tasks_are_compared_by_what_they_are_asked(tmp_path: Path) -> None:
    plans = [
        one
        for model in ("gpt2", "falcon-7b")
        for place, task in enumerate((GENERATION, ANSWERS, SUMMARIES))
        for one in repeats(
            1.0 + place, spec={"model": model, "dataset": task, "max_prompt_len": 64 + place}
        )
    ]
    row = only(answers(tmp_path, plans), TASK)
    assert row["verdict"] == "reproduced"
    assert str(row["deciding_part"]).endswith("question answering to summarization")


def test_two_data_sets_of_one_task_are_no_two_tasks(tmp_path: Path) -> None:
    plans = [
        one
        for place, data in enumerate((ANSWERS, "boolq-00000000"))
        for one in repeats(1.0 + place, spec={"model": "gpt2", "dataset": data})
    ]
    row = only(answers(tmp_path, plans), TASK)
    assert row["evidence"] == "no two such runs differ in task alone"


def test_exact_lengths_decide_what_is_said_of_lengths_and_not_of_tasks(tmp_path: Path) -> None:
    plans = [
        one
        for model in ("gpt2", "falcon-7b")
        for place, length in enumerate((8, 16))
        for one in repeats(
            1.0 + place,
            spec={"model": model, "dataset": "fixed-synthetic", "max_gen_len": length},
        )
    ]
    found = answers(tmp_path, plans)
    assert only(found, OUTPUT)["verdict"] == "reproduced"
    assert "they are no task" in str(only(found, MODEL)["evidence"])


def clocks(**changes: Any) -> list[Plan]:
    """Two models under two locks and none: less power the lower the clock."""
    return [
        one
        for model in ("gpt2", "falcon-7b")
        for mhz, watts in ((None, 1.0), (1400, 0.65), (1000, 0.5))
        for one in locked(mhz, watts, **{**changes, "spec": {**changes["spec"], "model": model}})
    ]


def test_clocks_that_were_held_decide_what_is_said_of_them(tmp_path: Path) -> None:
    found = answers(tmp_path, clocks(spec={}))
    assert only(found, CLOCK)["verdict"] == "reproduced"
    assert only(found, "v1-clock-moves-latency")["verdict"] == "not reproduced"


def test_a_clock_that_was_not_held_decides_nothing(tmp_path: Path) -> None:
    def elsewhere(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "value": 1980.0} if row["field"] == "sm_clock_mhz" else row

    row = only(answers(tmp_path, clocks(spec={}, sample=elsewhere)), CLOCK)
    assert row["verdict"] == "cannot tell"
    assert "4 left out: clock not held" in str(row["evidence"])


def test_random_weights_show_no_quality_however_much_is_saved(tmp_path: Path) -> None:
    found = answers(tmp_path, clocks(spec={}, **answered(4)))
    for claim in (KEPT, THIRTY):
        row = only(found, claim)
        assert row["verdict"] == "cannot tell"
        assert str(row["evidence"]).endswith("random weights: no quality")


def of_v2(right: int, **task: Any) -> list[Plan]:
    """Two models of v2 whose records can hold answers, under two locks and none."""
    spec = {**TRAINED, "prompts": 32, "batch_size": 16}
    return [
        one
        for model in ("llama-3.2-1b", "llama-3.2-3b")
        for mhz, watts in ((None, 1.0), (1400, 0.65), (1000, 0.5))
        for one in locked(
            mhz,
            watts,
            spec={**spec, "model": model},
            steps=True,
            **(task or answered(30 if mhz is None else right)),
        )
    ]


def test_trained_weights_that_keep_quality_bear_the_saving_out(tmp_path: Path) -> None:
    row = only(answers(tmp_path, of_v2(30)), THIRTY)
    assert (row["verdict"], row["same_abstract"]) == ("reproduced", "v3")
    assert row["deciding_value"] == pytest.approx(0.5)
    assert "in 4 of 4 settings" in str(row["evidence"])
    assert "random weights" not in str(row["labels"])


def test_a_quality_that_falls_is_no_saving(tmp_path: Path) -> None:
    row = only(answers(tmp_path, of_v2(2)), THIRTY)
    assert row["verdict"] == "not reproduced"
    assert "keeps the rest" in str(row["evidence"])


def test_a_quality_that_may_have_fallen_leaves_it_open(tmp_path: Path) -> None:
    row = only(answers(tmp_path, of_v2(29)), THIRTY)
    assert row["verdict"] == "cannot tell"
    assert "that answers are as good is not shown: " in str(row["evidence"])


def test_trained_weights_that_were_asked_no_task_show_no_quality(tmp_path: Path) -> None:
    row = only(answers(tmp_path, of_v2(30, words="east")), THIRTY)
    assert row["verdict"] == "cannot tell"
    assert str(row["evidence"]).endswith("the runs were asked as no task")


def test_the_terminal_names_the_version(all_of_v1: dict[str, list[Row]]) -> None:
    lines = abstract_lines([row for rows in all_of_v1.values() for row in rows])
    assert lines[0] == (
        "claims of arXiv 2501.08219 v1, its abstract alone: 2 reproduced, 0 not, 7 cannot tell "
        "(random weights, throttling not recorded)"
    )
    assert len(lines) == 3
