"""JSON that anybody may have written is an object of modest size, or refused in one line."""

import json

import pytest

from telemetry.record.json_text import parse_json
from telemetry.record.limits import JSON_BYTES, JSON_DEPTH, JSON_VALUES, BeyondLimitError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": NaN}', "NaN is no number of JSON"),
        ('{"a": -Infinity}', "-Infinity is no number of JSON"),
        ('{"a": 1e400}', "must hold finite numbers, but holds inf"),
        ('{"a": [{"b": -1e400}]}', "must hold finite numbers, but holds -inf"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ('{"a": {"b": 1, "c": 0, "b": 1}}', "the key 'b' stands twice"),
        ('{"a": "\\ud800"}', r"half of one: '\\ud800'"),
        ('{"\\udfff": 1}', r"half of one: '\\udfff'"),
        (f'{{"a": {1 << 64}}}', "must have at most 64 bits of a whole number, but has 65"),
        (f'{{"a": {"9" * 5000}}}', "is not JSON"),
        ("\ufeff{}", "is not JSON"),
        ("[]", "is a list instead"),
        ('"a"', "is a str instead"),
        ("", "is not JSON"),
    ],
)
def test_what_no_writer_of_a_record_writes_is_refused_with_the_files_name(
    text: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_json(text.encode(), "spec.json")
    assert "spec.json" in str(caught.value)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-32"])
def test_only_utf8_is_json_here(encoding: str) -> None:
    with pytest.raises(ValueError, match="is not JSON"):
        parse_json('{"a": "é"}'.encode(encoding), "spec.json")


@pytest.mark.parametrize("depth", [JSON_DEPTH.most, 900, 100_000])
def test_json_too_deep_is_refused_by_its_depth(depth: int) -> None:
    with pytest.raises(ValueError, match=f"must have at most {JSON_DEPTH.most} levels of JSON"):
        parse_json(b'{"a":' + b"[" * depth + b"]" * depth + b"}", "spec.json")


def test_json_just_deep_enough_is_read() -> None:
    inner = JSON_DEPTH.most - 1
    assert parse_json(b'{"a":' + b"[" * inner + b"]" * inner + b"}", "spec.json")


def test_many_small_values_are_refused_before_they_are_made() -> None:
    data = b'{"a":[' + b"[]," * JSON_VALUES.most + b"[]]}"
    with pytest.raises(BeyondLimitError, match="JSON values"):
        parse_json(data, "spec.json")


def test_long_json_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(BeyondLimitError, match="bytes of JSON"):
        parse_json(b" " * (JSON_BYTES.most + 1), "spec.json")


def test_what_a_record_holds_comes_back() -> None:
    content = {"Zürich ⚡": [1, -(1 << 62), 0.5, None, True, {"\U0001f4a9": "\n"}]}
    assert parse_json(json.dumps(content, ensure_ascii=False).encode(), "a.json") == content
    assert parse_json(json.dumps(content).encode(), "a.json") == content
