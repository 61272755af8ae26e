"""`--json`: one strict JSON text on standard output, whatever comes of the command."""

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.command import CommandError, CommandParser, ExitCode, command, complain
from telemetry.document import due, strict
from telemetry.output import Output

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=20,
)


class Colour(StrEnum):
    RED = "red"


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def parsed(text: str) -> dict[str, Any]:
    assert text.count("\n") == 1
    return dict(json.loads(text, parse_constant=refuse_constant))


@given(value=ANY)
def test_whatever_is_told_is_strict_json(value: Any) -> None:
    text = json.dumps(strict(value), allow_nan=False)
    json.loads(text, parse_constant=refuse_constant)
    json.loads(text)
    json.dumps(json.loads(text), ensure_ascii=False).encode()


def test_what_json_has_no_form_for_is_told_in_words() -> None:
    value = {"path": Path("/a"), "colour": Colour.RED, "none": float("nan"), "two": (1, 2.5)}
    assert strict(value) == {"path": "/a", "colour": "red", "none": None, "two": [1, 2.5]}


@command("trial")
def main(arguments: Sequence[str] | None = None) -> int:
    parser = CommandParser(module="telemetry.merge", description="Try.")
    parser.add_argument("how")
    parser.add_json("what was tried")
    given = parser.parse_args(arguments)
    out = Output()
    out.say("words for people")
    sys.stdout.write("of a library that prints\n")
    if given.how == "refuse":
        raise CommandError("`how` must be another", ExitCode.NOTHING_DONE, ["a line"])
    if given.how == "stop":
        raise KeyboardInterrupt
    if (document := due()) is not None:
        document.fill("trial", {"tried": given.how})
    out.note("it was late")
    out.next("python -m more")
    complain("trial", "one thing failed")
    return ExitCode.FAILED


def test_the_document_holds_all_that_was_told_and_standard_output_it_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["well", "--json"]) == ExitCode.FAILED
    out, err = capsys.readouterr()
    assert parsed(out) == {
        "schema": "joulegrid.trial",
        "version": 1,
        "exit_code": 1,
        "errors": ["one thing failed"],
        "notes": ["it was late"],
        "next": "python -m more",
        "tried": "well",
    }
    assert err == "of a library that prints\ntrial: one thing failed\n"
    assert due() is None


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["refuse"], 3, "`how` must be another"),
        (["stop"], 130, "stopped"),
        (["well", "--no-such"], 2, "`--no-such` must be one of "),
        ([], 2, "the following arguments are required: how"),
    ],
)
def test_a_command_that_was_refused_has_an_error_to_show(
    words: list[str], code: int, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--json"]) == code
    told = parsed(capsys.readouterr().out)
    assert (told["schema"], told["exit_code"]) == ("joulegrid.error", code)
    assert told["errors"][0].startswith(error)


def test_without_the_word_people_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["well"]) == ExitCode.FAILED
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "words for people"
    assert lines[-2:] == ["note: it was late", "next: python -m more"]


def test_help_beside_it_is_told_to_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help", "--json"]) == 0
    assert "usage:" not in capsys.readouterr().out
