"""A model of random weights may have more ids than its tokenizer, and nothing follows from it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.audit.check import Outcome
from telemetry.record.paths import RunPaths, list_runs
from tests.analysis.audit.forging import Columns, close, copy, edit_shards, look, respec
from tests.support.recordings import FOLDER, unpack

# GPT-2 on an H200: 50,257 ids, of which the bundled tokenizer has the first 32,000.
NAME = "gpt2-alpaca_task-sample-dd3dda1e-h200-g1-b6-l64-*"
OWN = 32_000


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    results = tmp_path_factory.mktemp("gpt2")
    (archive,) = (FOLDER / "second_paper").glob(NAME)
    unpack(archive, results)
    (run,) = list_runs(results)
    return run


def test_ids_without_a_text_are_counted_and_pass(gpt2: RunPaths) -> None:
    texts = look(gpt2, "texts")
    assert texts.outcome is Outcome.PASSED
    assert texts.evidence.endswith("of which it has not: the weights are random")
    tokenizer = look(gpt2, "tokenizer")
    assert tokenizer.outcome is Outcome.PASSED
    assert tokenizer.evidence.endswith("the model's 50257: its weights are random")


def a_word_for_an_id_without_one(columns: Columns) -> None:
    row = next(n for n, ids in enumerate(columns["generated_ids"]) if max(ids) >= OWN)
    columns["text"][row] += " word"
    columns["words"][row] += 1


def an_id_that_the_model_has_not(columns: Columns) -> None:
    columns["generated_ids"][0][0] = 50_257


@pytest.mark.parametrize("change", [a_word_for_an_id_without_one, an_id_that_the_model_has_not])
def test_a_text_of_more_than_its_ids_is_caught(
    change: Callable[[Columns], None], gpt2: RunPaths, tmp_path: Path
) -> None:
    run = copy(gpt2, tmp_path)
    edit_shards(run, "responses", columns=change)
    assert look(close(run), "texts").outcome is Outcome.FAILED


def test_of_weights_that_are_not_random_it_stays_a_fault(gpt2: RunPaths, tmp_path: Path) -> None:
    run = close(respec(copy(gpt2, tmp_path), weights="sha256-0123456789abcdef"))
    tokenizer = look(run, "tokenizer")
    assert tokenizer.outcome is Outcome.FAILED
    assert "has 32000 ids, the model 50257" in tokenizer.evidence
    assert look(run, "texts").outcome is Outcome.FAILED
