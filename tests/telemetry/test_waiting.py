"""Nobody is left without a word for two seconds, and what is over in a moment says nothing."""

import io
import os
import pty
import select
import time

import pytest

from telemetry.waiting import QUIET_S, Waiting, at, counted, line_pause_s, waiting

pytestmark = pytest.mark.usefixtures("told_how_far")


@pytest.fixture(autouse=True)
def nothing_was_waited_for_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telemetry.waiting._QUIET", [])


def test_a_step_that_is_over_at_once_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting("reading"):
        assert list(counted([1, 2], "run")) == [1, 2]
    assert capsys.readouterr() == ("", "")


def test_a_log_gets_a_line_before_two_seconds_are_over() -> None:
    log = io.StringIO()
    step = Waiting("auditing", log)
    step.begin()
    step.at("run 3 of 21")
    time.sleep(QUIET_S)
    step.end()
    assert log.getvalue() == "auditing: run 3 of 21 (1 s)\n"


def test_a_log_s_lines_get_rarer_and_never_are_silent_in_the_first_minute() -> None:
    pauses = [line_pause_s(waited_s) for waited_s in (0.0, 59.0, 61.0, 599.0, 3600.0)]
    assert pauses == sorted(pauses)
    assert pauses[0] == pauses[1] < QUIET_S


def read_all(terminal: int) -> str:
    """What was written to the other end of a terminal, which may give it piece by piece."""
    drawn = b""
    while select.select([terminal], [], [], 0.2)[0]:
        drawn += os.read(terminal, 65536)
    return drawn.decode()


def test_a_terminal_is_drawn_on_within_its_width_and_left_clean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        step = Waiting("reading " + "温" * 60, terminal)
        step.begin()
        time.sleep(0.8)
        step.end()
        drawn = read_all(ours)
    os.close(ours)
    assert drawn.endswith("\r\x1b[K")
    frames = drawn.split("\r\x1b[K")[1:-1]
    assert len(frames) >= 2
    assert all(len(frame) <= 40 for frame in frames)
    assert {frame[0] for frame in frames} <= set("|/-\\")


@pytest.mark.parametrize("name", ["NO_COLOR", "TERM"])
def test_a_terminal_without_escapes_gets_lines(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, "1" if name == "NO_COLOR" else "dumb")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        step = Waiting("reading", terminal)
        step.begin()
        time.sleep(QUIET_S)
        step.end()
        drawn = read_all(ours)
    os.close(ours)
    assert drawn.rstrip() == "reading (1 s)"


def test_a_step_within_another_is_told_in_its_place() -> None:
    with waiting("outer") as outer:
        outer.at("here")
        with waiting("inner") as inner:
            at("there")
            assert inner is outer
            assert outer._text() == "inner: there"
        assert outer._text() == "outer"


def test_where_nobody_waits_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    at("nowhere")
    assert capsys.readouterr() == ("", "")


def test_a_stream_that_closes_costs_no_work() -> None:
    stream = io.StringIO()
    stream.close()
    step = Waiting("reading", stream)
    step.begin()
    time.sleep(0.1)
    step.end()


def test_what_a_terminal_alone_is_told_is_in_no_log(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting("loading", in_log=False):
        time.sleep(QUIET_S)
    assert capsys.readouterr() == ("", "")


def test_a_line_of_a_log_fits_and_keeps_its_words_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    log = io.StringIO()
    step = Waiting("auditing", log)
    step.begin()
    step.at("run 3 of 21: power accounts for what rose")
    time.sleep(QUIET_S)
    step.end()
    assert log.getvalue() == "auditing: run 3 of 21: power (1 s)\n"


def test_steps_that_follow_at_once_are_one_silence() -> None:
    log = io.StringIO()
    for name in ("loading", "reading"):
        step = Waiting(name, log)
        step.begin()
        time.sleep(QUIET_S / 2)
        step.end()
    assert log.getvalue().startswith("reading (")
    log = io.StringIO()
    time.sleep(QUIET_S / 4)
    # Something may have been said meanwhile.
    step = Waiting("drawing", log)
    step.begin()
    time.sleep(QUIET_S / 2)
    step.end()
    assert log.getvalue() == ""
