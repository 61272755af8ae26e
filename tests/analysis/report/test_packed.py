"""What a page carries of single runs: all of it, or less by a rule that is told."""

from collections.abc import Mapping
from typing import Any

import pytest

from analysis.energy.power_trace import PowerTrace, unpacked
from analysis.report import packed as module
from analysis.report.packed import carried, inert

RUNS = ("a", "b", "c")
HEADS: Mapping[str, Mapping[str, Any]] = {run: {"spec": {"model": run}} for run in RUNS}
SHEETS: Mapping[str, Mapping[str, Any]] = {
    run: {"phases": {"cells": [[f"{run}{number * 7919 % 1000}" for number in range(400)]]}}
    for run in RUNS
}
TRACES = {run: PowerTrace(whole=b"w" * 4000, band=b"b" * 100) for run in RUNS}
BOARDS = {"a": 32, "b": 8, "c": 32}


def kept(monkeypatch: pytest.MonkeyPatch, most: int) -> module.Carried:
    monkeypatch.setattr(module, "RUNS_BYTES", most)
    return carried(HEADS, SHEETS, TRACES, BOARDS)


def test_all_of_it_where_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    found = kept(monkeypatch, 1_000_000)
    assert found.left_out == ()
    assert found.rows
    assert {len(trace) for trace in found.traces.values()} == {4000}
    assert unpacked(found.details["b"])["sheets"] == SHEETS["b"]


def test_bands_stand_for_the_lines_of_more_boards_than_a_node_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = kept(monkeypatch, 15_000)
    assert {run: len(trace) for run, trace in found.traces.items()} == {
        "a": 100,
        "b": 4000,
        "c": 100,
    }
    assert found.rows
    (told,) = found.left_out
    assert "a run on more than 8 boards shows the least, the mean and the greatest" in told


def test_rows_of_gpus_go_next_and_power_last_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = kept(monkeypatch, 6_200)
    assert not found.rows
    assert unpacked(found.details["b"]) == {**HEADS["b"], "sheets": {}}
    assert set(found.traces) == {"a", "b", "c"}
    assert len(found.left_out) == 2
    found = kept(monkeypatch, 3_000)
    assert set(found.traces) == {"a"}
    assert "the power over time of 2 of 3 runs" in found.left_out[-1]


def test_packed_bytes_mean_nothing_to_a_browser() -> None:
    text = str(inert(bytes(range(256)) * 3))
    assert not set(text) & set("<>&\"'")


def test_less_room_than_is_usual_is_kept_to() -> None:
    found = carried(HEADS, SHEETS, TRACES, BOARDS, 3_000)
    assert found.letters <= 3_000
    assert set(found.traces) == {"a"}
    assert "3 of 3" not in found.left_out[-1]
