import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telemetry.record.spec import _NAME
from workers.prompts.corpus import CORPORA, file_prompts, find_corpus, row_prompt


def write_lines(folder: Path, *lines: str | bytes, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_bytes(b"".join((x.encode() if isinstance(x, str) else x) + b"\n" for x in lines))
    return path


def refusal(path: Path, columns: Sequence[str] = ("text",)) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        file_prompts(path, columns)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_corpus_is_named_as_a_run_allows() -> None:
    assert all(_NAME.fullmatch(f"{name}-sample") for name in CORPORA)


def test_hub_revisions_are_whole_commits() -> None:
    # A task's file may leave it open: the record then has the SHA-256 of what was read.
    pinned = [
        corpus.revision
        for corpus in CORPORA.values()
        if corpus.hub and (corpus.task is None or corpus.revision is not None)
    ]
    assert pinned
    assert all(commit and len(commit) == 40 and int(commit, 16) for commit in pinned)


def test_an_unknown_corpus_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"`dataset` must be one of gsm8k, .* but is 'gsm9k'"):
        find_corpus("gsm9k")


def test_columns_that_hold_text_are_joined_by_a_newline() -> None:
    row = {"instruction": "Sort.", "input": "b, a", "output": "a, b"}
    assert row_prompt(row, ["instruction", "input"], "here") == "Sort.\nb, a"


def test_an_empty_column_leaves_no_newline_behind() -> None:
    assert (
        row_prompt({"instruction": "Sort.", "input": ""}, ["instruction", "input"], "") == "Sort."
    )


def test_a_dotted_column_reaches_into_objects_and_lists() -> None:
    row = {"instances": [{"input": "first"}, {"input": "second"}]}
    assert row_prompt(row, ["instances.1.input"], "here") == "second"


@pytest.mark.parametrize("column", ["instances.2.input", "instances.x.input", "instances.0.output"])
def test_a_dotted_column_that_leads_nowhere_is_refused(column: str) -> None:
    row = {"instances": [{"input": "first"}, {"input": "second"}]}
    with pytest.raises(ValueError, match="must be a column, but is missing here"):
        row_prompt(row, [column], "here")


@pytest.mark.parametrize(
    ("value", "what"), [(7, "int"), (None, "null"), (["a"], "list"), (True, "bool")]
)
def test_a_column_that_is_no_text_is_refused_with_its_type(value: Any, what: str) -> None:
    with pytest.raises(ValueError, match=f"`text` must be text, but is {what} instead on line 3"):
        row_prompt({"text": value}, ["text"], "on line 3")


def test_text_is_taken_as_it_is_with_blanks_and_odd_line_ends(tmp_path: Path) -> None:
    text = " two  blanks,\u2028a separator,\x85a next line and \x00 "
    assert file_prompts(write_lines(tmp_path, json.dumps({"text": text})), ["text"]) == [text]


def test_real_gsm8k_has_7473_questions_to_train_on(public_data: Path) -> None:
    prompts = file_prompts(public_data / "gsm8k_train.jsonl", CORPORA["gsm8k"].columns)
    assert len(prompts) == 7473
    assert all(prompts)


def test_real_seed_tasks_join_the_instruction_and_the_first_input(public_data: Path) -> None:
    prompts = file_prompts(public_data / "alpaca_seed_tasks.jsonl", CORPORA["alpaca_seed"].columns)
    assert len(prompts) == 175
    assert (
        prompts[1] == "What is the relation between the given pairs?\nNight : Day :: Right : Left"
    )


@pytest.mark.parametrize("name", ["gsm8k", "alpaca"])
def test_the_bundled_sample_has_64_different_prompts_in_the_original_columns(name: str) -> None:
    corpus = CORPORA[name]
    assert corpus.sample is not None
    prompts = file_prompts(corpus.sample, corpus.columns)
    assert len(set(prompts)) == len(prompts) == 64
    assert all(prompts)


def test_the_three_kinds_of_file_give_the_same_prompts(tmp_path: Path) -> None:
    rows = [{"text": "one", "n": 1}, {"text": "", "n": 2}, {"text": "zwölf 🥐", "n": 3}]
    lines = write_lines(tmp_path, *(json.dumps(row) for row in rows))
    array = tmp_path / "rows.json"
    array.write_text(json.dumps(rows, indent=2))
    table = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), table)
    expected = ["one", "", "zwölf 🥐"]
    assert [file_prompts(path, ["text"]) for path in (lines, array, table)] == [expected] * 3


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    path = write_lines(tmp_path, '{"text": "a"}', "", "  ", '{"text": "b"}', "")
    assert file_prompts(path, ["text"]) == ["a", "b"]


@pytest.mark.parametrize(
    "name",
    ["with blanks.jsonl", 'it\'s "so".jsonl', "two\nlines.jsonl", "[a]*?%20.jsonl", "-n.jsonl"],
)
def test_a_hostile_file_name_is_read_like_any_other(tmp_path: Path, name: str) -> None:
    assert file_prompts(write_lines(tmp_path, '{"text": "a"}', name=name), ["text"]) == ["a"]


def test_a_hostile_file_name_does_not_break_the_error_line(tmp_path: Path) -> None:
    assert "two\\nlines" in refusal(write_lines(tmp_path, "{", name="two\nlines.jsonl"))


@pytest.mark.parametrize("name", ["a:b=c.parquet", "with blanks & ü.parquet"])
def test_a_parquet_file_may_be_named_like_a_uri(tmp_path: Path, name: str) -> None:
    pq.write_table(pa.table({"text": ["a"]}), (tmp_path / name).open("wb"))
    assert file_prompts(tmp_path / name, ["text"]) == ["a"]


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "no.jsonl")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").touch()
    assert "is empty" in refusal(tmp_path / "rows.jsonl")


def test_a_file_of_another_kind_is_refused_with_the_kinds_there_are(tmp_path: Path) -> None:
    path = write_lines(tmp_path, "text", name="rows.csv")
    assert "must end in one of .jsonl, .json, .parquet" in refusal(path)


def test_bytes_that_are_no_utf8_are_refused_with_their_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path, '{"text": "a"}', b'{"text": "\xe9"}')
    assert "must be UTF-8, but byte 11 is not on line 2" in refusal(path)


def test_malformed_json_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path, '{"text": "a"}', "", '{"text": "b"')
    assert "must be JSON, but is not on line 3" in refusal(path)


def test_json_nested_beyond_reason_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path, '{"text": ' + "[" * 200_000)
    assert "must be JSON, but is not on line 1" in refusal(path)


def test_a_line_that_is_no_object_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path, '{"text": "a"}', '["b"]')
    assert "must be an object, but is a list on line 2" in refusal(path)


def test_a_missing_column_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path, '{"text": "a"}', '{"texd": "b"}')
    assert "`text` must be a column, but is missing on line 2" in refusal(path)


def test_half_a_surrogate_pair_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path, '{"text": "\\ud83d"}')
    assert "`text` must be valid Unicode, but holds a lone surrogate on line 1" in refusal(path)


def test_a_file_without_any_text_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path, '{"text": ""}', '{"text": "  "}')
    assert "must hold at least one prompt, but text of its 2 rows are empty" in refusal(path)


def test_a_file_of_blank_lines_is_refused(tmp_path: Path) -> None:
    assert "must hold at least one prompt" in refusal(write_lines(tmp_path, "", ""))


def test_a_json_file_that_is_one_object_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path, '{"text": "a"}', name="rows.json")
    assert "must be one array of objects, but is a dict instead" in refusal(path)


def test_a_json_array_names_the_row_that_is_wrong(tmp_path: Path) -> None:
    path = write_lines(tmp_path, '[{"text": "a"}, {"text": 2}]', name="rows.json")
    assert "`text` must be text, but is int instead in row 2" in refusal(path)


def test_a_text_file_called_parquet_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path, '{"text": "a"}', name="rows.parquet")
    assert "must be a Parquet file, but is not" in refusal(path)


def test_a_parquet_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": ["a" * 1000]}), path)
    path.write_bytes(path.read_bytes()[:-50])
    assert "must be a Parquet file, but is not" in refusal(path)


def test_a_parquet_row_without_text_is_refused_with_its_number(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a", None]}), tmp_path / "rows.parquet")
    assert "`text` must be text, but is null instead in row 2" in refusal(tmp_path / "rows.parquet")


def test_a_parquet_file_without_the_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"question": ["a"], "answer": ["b"]}), path)
    assert refusal(path) == (
        f"`text` must be a column, but is missing in '{path}', which has question, answer: "
        "name those that make a prompt by dataset.columns=[NAME]"
    )
