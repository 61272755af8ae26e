"""A prompts file that says two things, or is another kind of file, is told in one line."""

import gzip
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workers.inputs.test_kinds import MADE, POINTER
from workers.inputs.kinds import FileKind
from workers.prompts.corpus import file_prompts

ROWS = [{"question": f"How many are {number}?"} for number in range(3)]
BOM = b"\xef\xbb\xbf"


def save(folder: Path, content: bytes | str, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path, columns: Sequence[str] = ("question",)) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        file_prompts(path, columns)
    assert str(caught.value).isprintable()
    return str(caught.value)


def lines(rows: Sequence[object], end: str = "\n") -> str:
    return "".join(json.dumps(row) + end for row in rows)


def test_a_column_that_a_line_has_twice_is_refused_with_the_line(tmp_path: Path) -> None:
    path = save(tmp_path, lines(ROWS) + '{"question": "one", "question": "two"}\n')
    assert refusal(path) == (
        "`question` must be given once in an object, but is given twice on line 4 of "
        f"'{tmp_path}/rows.jsonl'"
    )


def test_a_key_that_is_there_twice_deep_in_a_json_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, '[{"a": [{"b": {"question": 1, "question": 2}}]}]', "rows.json")
    assert "`question` must be given once" in refusal(path)


def test_a_parquet_s_column_of_two_is_refused_even_where_no_prompt_is_in_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rows.parquet"
    for names in (["question", "question"], ["question", "other", "other"]):
        pq.write_table(pa.table([["a"]] * len(names), names=names), path)
        assert f"`{names[-1]}` must be one column, but 2 have that name in" in refusal(path)


def test_a_parquet_s_field_of_two_within_a_column_is_refused(tmp_path: Path) -> None:
    twice = pa.StructArray.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["q", "q"])
    pq.write_table(pa.table({"question": twice}), tmp_path / "rows.parquet")
    assert "`q` must be one column" in refusal(tmp_path / "rows.parquet", ["question.q"])


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_name_with_a_dot_is_a_column_unless_a_path_leads_elsewhere(
    tmp_path: Path, suffix: str
) -> None:
    def write(row: dict[str, object]) -> Path:
        path = tmp_path / f"rows{suffix}"
        if suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist([row]), path)
            return path
        return save(tmp_path, lines([row]))

    assert file_prompts(write({"a.b": "x"}), ["a.b"]) == ["x"]
    assert file_prompts(write({"a": {"b": "y"}}), ["a.b"]) == ["y"]
    said = refusal(write({"a.b": "x", "a": {"b": "y"}}), ["a.b"])
    assert said.startswith("`a.b` must be one column, but is one of that very name and one within")


def test_a_byte_order_mark_is_skipped_and_so_are_windows_line_ends(tmp_path: Path) -> None:
    expected = [row["question"] for row in ROWS]
    for content in (
        BOM + lines(ROWS).encode(),
        BOM + b"\r\n" + lines(ROWS, "\r\n").encode(),
        lines(ROWS, "\r\n").encode(),
    ):
        assert file_prompts(save(tmp_path, content), ["question"]) == expected
    array = save(tmp_path, BOM + json.dumps(ROWS).encode(), "rows.json")
    assert file_prompts(array, ["question"]) == expected


@pytest.mark.parametrize("content", [json.dumps(ROWS, indent=1), json.dumps(ROWS)])
def test_an_array_called_jsonl_is_told_its_suffix(tmp_path: Path, content: str) -> None:
    said = refusal(save(tmp_path, content))
    assert said.startswith("the row must be an object, but ")
    assert said.endswith("; one array of objects is a .json: name it so")
    assert said.count("line") == 1


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1]])
def test_lines_called_json_are_told_their_suffix(tmp_path: Path, rows: list[object]) -> None:
    said = refusal(save(tmp_path, lines(rows), "rows.json"))
    assert said.endswith("; one object a line is a .jsonl: name it so")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("question,answer\nHow many?,4\n", "rows.jsonl"),
        ('"question"\t"answer"\n', "rows.jsonl"),
        ("question\nHow many?\n", "rows.csv"),
        ("question,question\n", "rows.tsv"),
    ],
)
def test_csv_is_told_what_to_become(tmp_path: Path, content: str, name: str) -> None:
    assert "CSV is not read: write each row as a line such as" in refusal(
        save(tmp_path, content, name)
    )


def test_a_file_that_ends_within_a_row_is_cut_short(tmp_path: Path) -> None:
    whole = lines(ROWS)
    assert refusal(save(tmp_path, whole[:-10])).endswith("; the file is cut short there")
    cut = save(tmp_path, json.dumps(ROWS)[:-10], "rows.json")
    assert refusal(cut).endswith("; the file is cut short there")


def test_an_object_over_several_lines_is_told_the_rule(tmp_path: Path) -> None:
    said = refusal(save(tmp_path, json.dumps(ROWS[0], indent=1)))
    assert said.endswith("; a .jsonl holds one whole object a line")


def test_a_missing_column_names_those_that_are_there(tmp_path: Path) -> None:
    row = {"prompt\x1b[2J": "a", **dict.fromkeys("abcdefghijklmn", "b")}
    assert refusal(save(tmp_path, lines([row]))).endswith(
        r"which has prompt\x1b[2J, a, b, c, d, e, f, g, h, i, j, k and 3 more: "
        "name those that make a prompt by dataset.columns=[NAME]"
    )


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.parquet"])
@pytest.mark.parametrize("kind", [kind for kind in MADE if kind is not FileKind.PARQUET])
def test_another_kind_of_file_is_told_by_what_it_is(
    tmp_path: Path, kind: FileKind, name: str
) -> None:
    said = refusal(save(tmp_path, MADE[kind][0], name))
    assert said == f"`path` must be a file of prompts, but '{tmp_path / name}' is {kind}"


def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.jsonl")
    assert "is no regular file but a pipe" in refusal(tmp_path / "rows.jsonl")


SEEDS = [
    *(lines(ROWS).encode(), json.dumps(ROWS).encode(), BOM, POINTER, gzip.compress(b"{}")),
    *(b'{"question": "a", "question": "b"}', b"PAR1", b"<html>", b"\xff\xfe{\0", b"\x1b[2J"),
]
PARQUET = next(iter(MADE[FileKind.PARQUET]))


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(["rows.jsonl", "rows.json", "rows.parquet"]),
    parts=st.lists(st.one_of(st.sampled_from(SEEDS), st.binary(max_size=40)), max_size=4),
    spoilt=st.none() | st.tuples(st.integers(0, len(PARQUET) - 1), st.integers(0, 255)),
)
def test_any_bytes_give_prompts_or_one_printable_line(
    tmp_path: Path, name: str, parts: list[bytes], spoilt: tuple[int, int] | None
) -> None:
    content = b"".join(parts)
    if spoilt is not None and name.endswith(".parquet"):
        at, byte = spoilt
        content = PARQUET[:at] + bytes([byte]) + PARQUET[at + 1 :]
    path = save(tmp_path, content, name)
    try:
        prompts = file_prompts(path, ["question"])
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017 (no error is as good)
    else:
        assert all(isinstance(prompt, str) for prompt in prompts)
