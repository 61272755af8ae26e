"""The command to type next has the form of the one that was typed."""

import sys

import pytest

from telemetry.next_line import VERBS, typed


def test_a_module_s_command_is_told_as_a_module_s() -> None:
    assert typed("launcher.status", "my results") == "python -m launcher.status 'my results'"


def test_the_console_command_tells_its_own_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/venv/bin/joulegrid", "audit", "R"])
    assert typed("analysis", "R", "--out", "a b") == "joulegrid report R --out 'a b'"


def test_what_the_console_command_has_no_word_for_stays_a_module_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["joulegrid", "audit", "R"])
    assert typed("launcher.campaign.finalize", "R") == "python -m launcher.campaign.finalize R"


def test_each_word_stands_for_one_module() -> None:
    assert len(set(VERBS.values())) == len(VERBS)
