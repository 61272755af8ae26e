"""Tasks: rows shaped as the real ones become prompts with their answers, from every source."""

import json
from pathlib import Path
from typing import Any

import pytest

from telemetry.record.task import Task
from workers.prompts.corpus import CORPORA, Corpus, file_asked
from workers.prompts.prompt_row import PromptRow
from workers.prompts.prompts_file import read_asked, read_rows
from workers.prompts.selection import select, write_prompts
from workers.prompts.source import PromptSource, identify
from workers.prompts.staging import stage
from workers.prompts.task_files import known_tasks
from workers.prompts.task_rows import row_asked

TASKS = sorted(known_tasks())


# dataset_path, dataset_name and the split it scores, of lm-eval 0.4.13's tasks; of what the hub has
# one configuration, it names none.
AS_LM_EVAL_HAS_IT = {
    "mbpp": ("google-research-datasets/mbpp", "full", "test"),
    "humaneval": ("openai/openai_humaneval", None, "test"),
    "hellaswag": ("Rowan/hellaswag", None, "validation"),
    "truthfulqa": ("truthfulqa/truthful_qa", "generation", "validation"),
    "gsm8k_task": ("openai/gsm8k", "main", "test"),
    "cnn_dailymail": ("abisee/cnn_dailymail", "3.0.0", "test"),
}
# The features of the data sets' cards on the hub.
ON_THEIR_CARDS = {
    "mbpp": "task_id text code test_list test_setup_code challenge_test_list",
    "humaneval": "task_id prompt canonical_solution test entry_point",
}


def task_of(name: str) -> Task:
    return known_tasks()[name][0]


def changed(name: str, **changes: Any) -> dict[str, Any]:
    return {**task_of(name).to_mapping(), **changes}


def source_of(name: str, cache: Path, **more: Any) -> PromptSource:
    given = {"source": "auto", "path": None, "columns": None, "local": True, **more}
    return identify(name, cache=cache, **given)


def rows_of(corpus: Corpus) -> list[dict[str, Any]]:
    assert corpus.sample is not None
    return [json.loads(line) for line in corpus.sample.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", TASKS)
def test_the_bundled_rows_of_a_task_are_asked_with_their_answers(name: str) -> None:
    corpus = CORPORA[name]
    assert corpus.sample is not None
    asked = file_asked(corpus.sample, task_of(name))
    assert len({one.text for one in asked}) == len(asked) == 6
    assert all(one.references and all(one.references) for one in asked)
    assert all("{" not in one.text for one in asked)


@pytest.mark.parametrize("name", AS_LM_EVAL_HAS_IT)
def test_a_data_set_is_named_as_lm_eval_names_it(name: str) -> None:
    task = task_of(name)
    assert (task.hub, task.config, task.split) == AS_LM_EVAL_HAS_IT[name]


@pytest.mark.parametrize("name", ON_THEIR_CARDS)
def test_bundled_rows_of_code_have_the_columns_of_the_card(name: str) -> None:
    for row in rows_of(CORPORA[name]):
        assert [*row] == ON_THEIR_CARDS[name].split()


@pytest.mark.parametrize("name", TASKS)
def test_sample_file_and_staged_copy_give_the_same_prompts_and_answers(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows_of(CORPORA[name])))
    sources = [source_of(name, tmp_path), source_of(name, tmp_path, path=path)]
    stage(CORPORA[name], tmp_path, origins=[path])
    sources.append(source_of(name, tmp_path))
    assert [one.source for one in sources] == ["sample", "file", "staged"]
    first, *others = (select(one, prompts=5, seed=3).prompts for one in sources)
    assert list(others) == [first, first]
    assert first[0].asked.references


def test_a_hub_clone_is_staged_under_the_digest_of_its_task(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "test.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in NUMBERS))
    copy = stage(CORPORA["xsum"], tmp_path / "cache", origins=[clone])
    assert copy.dataset == f"xsum-{task_of('xsum').digest}"
    assert copy.origin["task"] == task_of("xsum").to_mapping()
    assert source_of("xsum", tmp_path / "cache").dataset == copy.dataset


NUMBERS = [{"document": f"News {row}.", "summary": f"Told {row}.", "id": "1"} for row in range(3)]


def test_a_prompts_file_holds_the_answers_and_can_be_written_again(tmp_path: Path) -> None:
    chosen = select(source_of("truthfulqa", tmp_path), prompts=4, seed=1)
    sha256, path = write_prompts(chosen, tmp_path)
    assert read_asked(path, sha256) == [one.asked for one in chosen.prompts]
    assert read_rows(path, sha256) == [(one.source_row, one.asked) for one in chosen.prompts]
    assert all(one.asked.wrong_references for one in chosen.prompts)


def test_texts_without_answers_are_written_as_they_always_were() -> None:
    assert PromptRow(text="Why?").line(3) == {"prompt": "Why?", "source_row": 3}


def test_another_template_is_another_data_set_and_not_the_staged_one(tmp_path: Path) -> None:
    task = changed("gsm8k_task", template="{question}")
    own, other = (source_of("gsm8k_task", tmp_path, task=one) for one in (None, task))
    assert own.dataset != other.dataset
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows_of(CORPORA["gsm8k_task"])))
    stage(CORPORA["gsm8k_task"], tmp_path, origins=[path])
    with pytest.raises(ValueError, match="must be staged with the task that is asked for"):
        source_of("gsm8k_task", tmp_path, task=task)


def test_a_template_for_rows_with_a_blank_column_is_taken_there() -> None:
    task = task_of("alpaca_task")
    row = {"instruction": "Name a tree.", "input": " ", "output": "Oak."}
    text = row_asked(row, task, "here").text
    assert text == "### Instruction:\nName a tree.\n\n### Response:\n"
    without = Task.from_mapping(changed("alpaca_task", template_if_empty=None))
    assert row_asked(row, without, "here").text == ""


@pytest.mark.parametrize(
    ("name", "row", "references"),
    [
        ("squad_v2", {"answers": {"text": [], "answer_start": []}}, ("unanswerable",)),
        ("squad", {"answers": {"text": ["a", "b", "a"]}}, ("a", "b")),
        ("boolq", {"answer": True}, ("yes",)),
        ("boolq", {"answer": 0}, ("no",)),
        ("hellaswag", {"label": "3"}, ("D",)),
        ("narrativeqa", {"answers": [{"text": "a"}, {"text": "b"}]}, ("a", "b")),
    ],
)
def test_right_answers_are_found_as_the_data_sets_write_them(
    name: str, row: dict[str, Any], references: tuple[str, ...]
) -> None:
    whole = {**rows_of(CORPORA[name])[0], **row}
    assert row_asked(whole, task_of(name), "here").references == references


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        ("squad", {"answers": {"text": []}}, "`answers.text` must have an answer, as `dataset.ta"),
        ("squad", {"answers": {}}, "`answers.text` must be a column, but is missing here"),
        ("squad", {"context": None}, "`context` must be text, but is null instead here"),
        ("hellaswag", {"label": ""}, "`label` must be the place of one of 4 choices, but is ''"),
        ("hellaswag", {"label": "4"}, "`label` must be the place of one of 4 choices, but is 4"),
        ("hellaswag", {"endings": ["one"]}, "`endings.1` must be a column, but is missing here"),
        ("boolq", {"answer": None}, "`answer` must be the place of one of 2 choices, but is None"),
        ("xsum", {"summary": "\ud800"}, "`summary` must be valid Unicode"),
    ],
)
def test_a_row_that_is_not_as_the_task_takes_it_is_refused(
    name: str, row: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match="here") as caught:
        row_asked({**rows_of(CORPORA[name])[0], **row}, task_of(name), "here")
    assert str(caught.value).startswith(said)


def test_columns_beside_a_template_and_a_task_of_bare_texts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("{}\n")
    with pytest.raises(ValueError, match=r"`dataset\.columns` must be null for 'squad'"):
        source_of("squad", tmp_path, path=path, columns=["question"])
    with pytest.raises(ValueError, match=r"`dataset\.task` must be null for 'gsm8k'"):
        source_of("gsm8k", tmp_path, task=changed("squad"))


def test_a_parquet_file_of_nested_answers_is_read(tmp_path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows_of(CORPORA["narrativeqa"])), path)
    assert CORPORA["narrativeqa"].sample is not None
    assert file_asked(path, task_of("narrativeqa")) == file_asked(
        CORPORA["narrativeqa"].sample, task_of("narrativeqa")
    )
