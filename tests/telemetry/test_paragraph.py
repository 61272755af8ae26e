"""Prose is as wide as the terminal, breaks between words, and cuts none."""

import io
import os
import pty
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from telemetry.paragraph import columns, say, wrapped

WORDS = st.lists(st.text("aé±温W0./-", min_size=1, max_size=30), min_size=1, max_size=30)


@given(words=WORDS, width=st.integers(20, 200), indent=st.integers(0, 6), hang=st.integers(0, 6))
def test_every_word_is_whole_and_no_line_too_wide_that_has_two_of_them(
    words: list[str], width: int, indent: int, hang: int
) -> None:
    lines = wrapped(" ".join(words), width=width, indent=indent, hang=hang)
    assert " ".join(lines).split() == words
    assert all(cell_len(line) <= width or len(line.split()) == 1 for line in lines)
    assert all(line.startswith(" " * (indent + hang)) for line in lines[1:])


def test_blanks_within_a_line_are_kept_and_none_ends_one() -> None:
    assert wrapped("sealed    nano  done", width=80) == ["sealed    nano  done"]
    assert wrapped("sealed    nano  done", width=20, hang=4) == ["sealed    nano  done"]
    assert wrapped("sealed    nano   finished", width=20, hang=4) == [
        "sealed    nano",
        "    finished",
    ]


def test_an_empty_paragraph_is_an_empty_line() -> None:
    assert wrapped("", width=80) == [""]


@pytest.mark.parametrize(("asked", "wide"), [("40", 40), ("200", 200), ("3", 20)])
def test_columns_of_the_environment_count(
    monkeypatch: pytest.MonkeyPatch, asked: str, wide: int
) -> None:
    monkeypatch.setenv("COLUMNS", asked)
    assert columns() == wide


@pytest.mark.parametrize("asked", ["", "0", "-5", "wide", "²"])
def test_where_no_terminal_is_80_columns_fit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: str
) -> None:
    monkeypatch.setenv("COLUMNS", asked)
    with (tmp_path / "log").open("w") as log:
        assert columns(log) == 80


def test_a_terminal_of_no_known_width_has_80(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        assert columns(terminal) == 80
    os.close(ours)


def test_the_spelling_of_an_ascii_terminal_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    say("±±±±±±±±± 12 W", stream=stream)
    stream.flush()
    assert stream.buffer.getvalue() == b"+-+-+-+-+-+-+-+-+-\n  12 W\n"


def test_what_would_steer_a_terminal_is_escaped_and_a_paragraph_holds_no_line_break(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    say("a\x1b[2J\nb", indent=2)
    assert capsys.readouterr().out == "  a\\x1b[2J\\nb\n"
    say("told", stream=sys.stderr)
    assert capsys.readouterr().err == "told\n"
