"""The table of quality: from sealed runs alone, with energy beside, or without a number."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.quality.scoring import EITHER, NOT_MEASURED, RANDOM
from analysis.quality.table import QUALITY
from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.workbook import build
from telemetry.record.task import METRICS, Task
from tests.support.records import Plan, build_run
from workers.prompts.task_files import known_tasks

TRAINED = {"weights": "0" * 16, "dataset": "squad-sample-00000000"}
RIGHT = [["east"], ["1871"], ["Hanna Vost"], ["noon"]]


def rows_of(
    results: Path,
    said: list[str],
    *,
    task: Task | None,
    references: list[Any] | None = None,
    spec: dict[str, Any] | None = None,
    **more: Any,
) -> tuple[Row, ...]:
    held = RIGHT if references is None else references

    def response(row: dict[str, Any]) -> dict[str, Any]:
        at = row["prompt"]
        return {
            **row,
            "text": said[at],
            "words": len(said[at].split()),
            "references": held[at] and json.dumps(held[at]),
        }

    launch = {"task": None if task is None else task.to_mapping()}
    own = {**TRAINED, "prompts": 4, "batch_size": 2, **(spec or {})}
    build_run(results, Plan(spec=own, launch=launch, response=response, **more))
    wanted = (QUALITY,)
    return build.build_tables(load(results), kinds=wanted).by_name["quality"].rows


def squad(**changes: Any) -> Task:
    return Task.from_mapping({**known_tasks()["squad"][0].to_mapping(), **changes})


SAID = ["East.\nQuestion: more?", "in 1871", "nobody", "at noon"]


def test_quality_stands_beside_what_a_right_answer_took(tmp_path: Path) -> None:
    exact, harmonic = rows_of(tmp_path, SAID, task=squad())
    assert (exact["metric"], exact["quality"], exact["n"]) == ("exact_match", 0.25, 4)
    assert exact["correct"] == 1
    # Two words of which one is right: 2/3, twice.
    assert harmonic["quality"] == pytest.approx((1 + 2 / 3 + 0 + 2 / 3) / 4)
    assert harmonic["correct"] is None
    per_response = float(str(exact["energy_per_response_j"]))
    assert exact["energy_per_correct_j"] == pytest.approx(4 * per_response)
    assert str(harmonic["per_correct_reason"]).endswith("no answer is right or wrong")
    low, high = float(str(exact["quality_low"])), float(str(exact["quality_high"]))
    assert 0.0 <= low < 0.25 < high <= 1.0
    assert exact["reason"] is None


def test_random_weights_have_no_quality_and_no_number(tmp_path: Path) -> None:
    for row in rows_of(tmp_path, SAID, task=squad(), spec={"weights": "random"}):
        assert row["reason"] == RANDOM == "random weights: no quality"
        assert row["random_weights"] is True
        for name in ("quality", "quality_low", "quality_high", "n", "correct"):
            assert row[name] is None
        assert row["energy_per_correct_j"] is None
        assert row["energy_per_response_j"] is not None


def test_a_run_of_bare_texts_has_no_row(tmp_path: Path) -> None:
    assert rows_of(tmp_path, SAID, task=None) == ()


def test_no_right_answer_is_no_energy_of_one_and_quality_0(tmp_path: Path) -> None:
    row, _ = rows_of(tmp_path, ["x"] * 4, task=squad())
    assert (row["quality"], row["correct"]) == (0.0, 0)
    assert row["energy_per_correct_j"] is None
    assert row["per_correct_reason"] == "no answer is right"
    assert row["interval_reason"] == "all prompts score alike"


def test_answers_without_references_are_not_scored(tmp_path: Path) -> None:
    row, _ = rows_of(tmp_path, SAID, task=squad(), references=[None, ["a"], ["b"], ["c"]])
    assert row["quality"] is None
    assert row["reason"] == "the record has no references of an answer"


def test_prompts_of_several_passes_count_once(tmp_path: Path) -> None:
    row, _ = rows_of(tmp_path, SAID, task=squad(), passes=3)
    assert (row["n"], row["correct"], row["quality"]) == (4, 3, 0.25)


def test_a_question_without_answer_is_right_when_that_is_said(tmp_path: Path) -> None:
    task = squad(no_answer="unanswerable")
    held = [["unanswerable"], ["unanswerable"], ["noon"], ["noon"]]
    said = ["Unanswerable.", "it is unanswerable", "unanswerable", "noon"]
    exact, harmonic = rows_of(tmp_path, said, task=task, references=held)
    assert exact["quality"] == harmonic["quality"] == 0.5


@pytest.mark.parametrize("metric", NOT_MEASURED)
def test_what_generated_text_cannot_tell_is_said(metric: str, tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, SAID, task=squad(metrics=[metric]))
    assert row["quality"] is None
    assert row["reason"] == NOT_MEASURED[metric]


def test_a_library_that_is_lacking_is_a_reason_and_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sacrebleu", None)
    (row,) = rows_of(tmp_path, SAID, task=squad(metrics=["bleu"]))
    assert (row["quality"], row["reason"]) == (None, "sacrebleu is not installed")


@pytest.mark.parametrize("metric", [name for name in METRICS if name not in NOT_MEASURED])
def test_every_metric_of_a_task_gives_a_number(metric: str, tmp_path: Path) -> None:
    def wrong(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "text": "east", "references": '["east"]', "wrong_references": '["west"]'}

    task = squad(metrics=[metric], wrong_references="wrong").to_mapping()
    plan = Plan(spec={**TRAINED, "prompts": 2}, launch={"task": task}, response=wrong)
    build_run(tmp_path, plan)
    (row,) = build.build_tables(load(tmp_path), kinds=(QUALITY,)).by_name["quality"].rows
    assert row["quality"] is not None
    assert (row["correct"] is None) == (metric not in EITHER)


@pytest.mark.parametrize("cell", ["[", "{}", "[1]", "[]", "x", "[" * 100_000])
def test_references_that_are_none_are_no_number(cell: str, tmp_path: Path) -> None:
    def broken(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "references": cell}

    plan = Plan(spec=TRAINED, launch={"task": squad().to_mapping()}, response=broken)
    build_run(tmp_path, plan)
    row, _ = build.build_tables(load(tmp_path), kinds=(QUALITY,)).by_name["quality"].rows
    assert (row["quality"], row["reason"]) == (None, "the record has no references of an answer")
