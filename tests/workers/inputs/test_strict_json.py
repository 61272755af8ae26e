"""A user's JSON says one thing, or is refused in one line."""

from pathlib import Path

import pytest

from workers.inputs.strict_json import CutShortError, parse_json, read_object


def refusal(data: bytes) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_json(data, "here")
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}', "here") == {"a": 1}
    (tmp_path / "params.json").write_bytes(b'\xef\xbb\xbf{"dim": 1}\r\n')
    assert read_object(tmp_path / "params.json") == {"dim": 1}


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '[{"b": {"a": 1, "c": 0, "a": 1}}]'])
def test_a_key_that_is_there_twice_is_refused_wherever_it_lies(text: str) -> None:
    assert refusal(text.encode()) == (
        "`a` must be given once in an object, but is given twice here"
    )


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(word: str) -> None:
    assert f"must be finite, but {word} is given here" in refusal(f'{{"a": {word}}}'.encode())


@pytest.mark.parametrize("text", ['{"a": 1', '{"a": "b', "[1,", '{"a"', "["])
def test_what_ends_too_early_is_told_from_what_is_wrong(text: str) -> None:
    with pytest.raises(CutShortError, match="it ends too early"):
        parse_json(text.encode(), "here")
    with pytest.raises(ValueError, match="must be JSON") as caught:
        parse_json(b'{"a" 1}', "here")
    assert not isinstance(caught.value, CutShortError)


def test_an_error_s_place_is_within_the_text_alone() -> None:
    assert refusal(b'{"a": x}').endswith("not here: Expecting value, at character 7")
    assert refusal(b'{"a": 1,\n"b": x}').endswith("at line 2, character 6")


@pytest.mark.parametrize("data", [b"[" * 100_000, b"9" * 5000, b'"\xff"', b"", b"\x1b[2J"])
def test_hostile_text_is_refused_in_one_line(data: bytes) -> None:
    assert "here" in refusal(data)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"[]", "is a list instead"),
        (b"{'dim': 1}", "the text must be JSON"),
        (b"<!doctype html>", "is an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b'{"dim": 1, "dim": 2}', "`dim` must be given once"),
    ],
)
def test_settings_that_are_no_object_are_refused_by_what_they_are(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "params.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"params\.json must be a JSON object, but") as caught:
        read_object(path)
    assert says in str(caught.value)
