"""Phases are switched where the driver lets this user set nothing: by others' means."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.power.book import Book
from tests.doubles.dcgm.station import DOUBLE, DoubleEngine, forget_bindings
from tests.doubles.nvml.library import SharedBoards, World, uuid_of
from tests.telemetry.power.test_phases import BY_PHASE, CAPS, Switched

Boards = Callable[..., tuple[World, SharedBoards]]
Switching = Callable[..., Switched]


@pytest.fixture
def switched(tmp_path: Path) -> Iterator[Switching]:
    with contextlib.ExitStack() as stack:

        def make(spec: dict[str, Any], **how: Any) -> Switched:
            one = Switched(tmp_path, spec, **how)
            stack.callback(one.end)
            return one

        yield make


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DoubleEngine]:
    """A root-owned engine of one board that all processes share."""
    double = DoubleEngine(tmp_path)
    gpu = {"uuid": uuid_of(0), "name": "NVIDIA H200", "pci_bus_id": "00:0", "mig": False}
    double.set(gpus=[gpu], boards=str(tmp_path / "boards"))
    monkeypatch.setenv("DCGM_DOUBLE_STATE", double.state_path)
    with double.listening():
        yield double
    forget_bindings()


def by_engine(engine: DoubleEngine) -> dict[str, str]:
    return {"dcgm_bindings": str(DOUBLE), "dcgm_address": engine.address}


def busy(boards: Boards, **more: Any) -> SharedBoards:
    _, shared = boards(**{"duty": 1.0, "model": 1, "busy_w": 650.0, "setters": "none", **more})
    return shared


def test_caps_are_switched_by_the_engine_whose_target_ends_as_what_stood_before(
    boards: Boards, engine: DoubleEngine, switched: Switching
) -> None:
    shared = busy(boards)
    one = switched(CAPS, **by_engine(engine))
    assert one.record().means == f"DCGM's configuration at {engine.address}"
    assert one.measured() is None
    for phase, limit_w in (("prefill", 600), ("decode", 300), ("prefill", 600)):
        assert one.switch(phase) is None
        assert shared.settings(0).limit_w == limit_w
    assert [gpu.stands for done in one.phases.switches for gpu in done.gpus] == [600, 300, 600]
    one.end()
    assert shared.settings(0).limit_w == 500
    assert engine.engine.targets == {0: {"160": 500}}
    assert (one.record().unrestored, Book().uuids()) == ((), ())
    assert engine.engine.leftovers() == 0


def test_clocks_are_switched_by_the_engine_as_application_clocks(
    boards: Boards, engine: DoubleEngine, switched: Switching
) -> None:
    shared = busy(boards, busy_w=450.0, application="root")
    shared.set_application(0, 1590.0)
    one = switched(BY_PHASE, **by_engine(engine))
    assert one.measured() is None
    assert one.switch("prefill") is None
    assert shared.settings(0).application_sm_mhz == 1800
    assert one.switch("decode") is None
    assert shared.settings(0).application_sm_mhz == 1200
    # Unlike a lock, an application clock is read back.
    assert [gpu.stands for done in one.phases.switches for gpu in done.gpus] == [1800, 1200]
    assert {gpu.quantity for gpu in one.phases.switches[0].gpus} == {"application_sm_clock_mhz"}
    one.end()
    assert shared.settings(0).application_sm_mhz == 1590


def test_an_engine_that_refuses_within_a_run_fails_the_switch_and_gives_the_old_limit_back(
    boards: Boards, engine: DoubleEngine, switched: Switching
) -> None:
    shared = busy(boards)
    one = switched(CAPS, **by_engine(engine))
    assert one.measured() is None
    engine.set(refuses={"160": -6})
    fault = one.switch("decode")
    assert fault is not None
    assert "Feature not supported" in fault
    engine.set(refuses={})
    one.end()
    assert shared.settings(0).limit_w == 500


def test_an_administrator_s_limit_is_left_and_becomes_the_engine_s_target(
    boards: Boards, engine: DoubleEngine, switched: Switching
) -> None:
    shared = busy(boards)
    one = switched(CAPS, **by_engine(engine))
    shared.set_limit(0, 420.0)
    one.end()
    assert shared.settings(0).limit_w == 420
    # This run's cap would come back with the next reset of the board.
    assert engine.engine.targets == {0: {"160": 420}}
    assert one.record().left


def test_application_clocks_are_switched_and_the_old_ones_come_back(
    boards: Boards, switched: Switching
) -> None:
    shared = busy(boards, busy_w=450.0, application="open")
    shared.set_application(0, 1590.0)
    one = switched(BY_PHASE)
    assert one.record().means == "NVML's application clocks"
    assert one.measured() is None
    assert all(delay.answered_us for delay in one.phases.delays)
    assert one.switch("decode") is None
    assert shared.settings(0).application_sm_mhz == 1200
    assert one.switch("prefill") is None
    assert shared.settings(0).application_sm_mhz == 1800
    one.end()
    assert shared.settings(0).application_sm_mhz == 1590
    assert one.record().unrestored == ()


def test_a_phase_without_a_clock_has_the_application_clock_that_stood_before(
    boards: Boards, switched: Switching
) -> None:
    shared = busy(boards, busy_w=450.0, application="open")
    shared.set_application(0, 1590.0)
    one = switched({"gpu": "h200", "decode_sm_clock_mhz": 1200})
    assert one.measured() is None
    assert one.switch("prefill") is None
    assert shared.settings(0).application_sm_mhz == 1590
    assert one.switch("decode") is None
    assert shared.settings(0).application_sm_mhz == 1200


def test_an_application_clock_that_an_administrator_sets_is_not_switched_over(
    boards: Boards, switched: Switching
) -> None:
    shared = busy(boards, busy_w=450.0, application="open")
    one = switched(BY_PHASE)
    assert one.measured() is None
    shared.set_application(0, 1005.0)
    assert "stands at 1005, as no phase has it" in str(one.switch("decode"))
    one.end()
    assert shared.settings(0).application_sm_mhz == 1005
