"""Is the board that a driver names the one that was asked for?"""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from telemetry.boards.agreement import board_fault, boards_fault
from telemetry.boards.board import MIB
from telemetry.boards.lookup import seen_board
from telemetry.boards.table import BOARDS, board_of

H100 = "NVIDIA H100 80GB HBM3"
UNLISTED = "NVIDIA B300 SXM6 AC"


def entry(name: object = H100, **more: object) -> dict[str, Any]:
    return {"uuid": "GPU-1", "name": name, "simulated": False, "driver": "580.1", **more}


def model(kind: str = "a100", **more: object) -> dict[str, Any]:
    board = BOARDS[kind]
    told = {"kind": kind, "memory_bytes": board.memory_bytes, "simulated": True}
    return {"uuid": "SIM-1", "name": f"SIMULATED {board.product}", **told, **more}


@pytest.mark.parametrize("asked", ["h200", "a100", "h100-nvl", "nvidia-h100", "cpu"])
def test_another_board_than_the_one_asked_for_is_told_in_one_line(asked: str) -> None:
    assert board_fault(asked, entry()) == (
        f"`gpu` must be the board that the driver names, but is {asked} (asked) and "
        "NVIDIA H100 80GB HBM3 (driver) instead; that board is gpu=h100"
    )


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_every_form_of_a_row_is_its_board_under_old_drivers_and_new(board: Any) -> None:
    for name in board.driver_names:
        for spelling in (name, f"NVIDIA {name.removeprefix('NVIDIA ')}"):
            gpu = entry(spelling, kind=board.name, memory_bytes=board.memory_bytes)
            assert board_fault(board.name, gpu) is None
            assert [other for other in BOARDS if board_fault(other, gpu) is None] == [board.name]


def test_cards_of_another_memory_are_told_apart_by_name_and_by_what_the_driver_tells() -> None:
    assert board_fault("a100", entry("NVIDIA A100-SXM4-40GB")) is not None
    told = entry("NVIDIA A100-SXM4-80GB", memory_bytes=40_960 * MIB)
    assert board_fault("a100", told) == (
        "`memory_bytes` of A100 80 GB must be 85899345920 within 10%, but is 42949672960 instead"
    )


def test_memory_that_ecc_or_the_driver_keeps_back_is_no_other_board() -> None:
    assert board_fault("a40", entry("NVIDIA A40", memory_bytes=49_140 * MIB)) is None
    assert board_fault("v100", entry("Tesla V100-SXM2-32GB", memory_bytes=32_510 * MIB)) is None


def test_a_name_that_its_compute_capability_or_its_kind_contradicts_is_no_board() -> None:
    assert "`compute_capability`" in str(board_fault("h100", entry(compute_capability="8.0")))
    assert "`kind`" in str(board_fault("h100", entry(kind="h200")))


def test_an_unlisted_board_agrees_by_its_drivers_own_name_alone() -> None:
    assert board_fault("nvidia-b300-sxm6-ac", entry(UNLISTED)) is None
    fault = board_fault("b200", entry(UNLISTED))
    assert str(fault).endswith("; that board is gpu=nvidia-b300-sxm6-ac")
    assert board_fault("nvidia-gt-710", entry(UNLISTED)) is not None


@given(name=st.text(min_size=1, max_size=70))
def test_whatever_a_driver_calls_a_board_is_asked_for_by_the_name_that_planning_gives_it(
    name: str,
) -> None:
    gpu = entry(name, memory_bytes=80 * 1024 * MIB)
    assume(board_of(name) is None)
    asked = seen_board(gpu).name
    assert board_fault(asked, gpu) is None
    told = board_fault("h100", gpu)
    assert told is not None
    assert told.isprintable()


def test_a_model_is_no_board_and_a_board_no_model() -> None:
    assert board_fault("simulated-a100", model()) is None
    assert "a100 (asked) and SIMULATED A100 80 GB (simulated)" in str(board_fault("a100", model()))
    assert board_fault("simulated-h100", entry()) is not None
    assert board_fault("simulated-h100", model()) is not None
    assert board_fault("simulated-h100", model() | {"kind": "h100"}) is not None
    assert "`kind` of a GPU must be a board's name" in str(
        board_fault("simulated-a100", model() | {"kind": ["a100"]})
    )


@pytest.mark.parametrize(
    "told",
    [
        {"name": None},
        {"name": 7},
        {"name": ""},
        {"simulated": None},
        {"simulated": "no"},
        {"memory_bytes": "80 GB"},
        {"memory_bytes": float("inf")},
        {"kind": ["h100"]},
        {"name": "GT\x1b[2J\n710"},
    ],
)
def test_an_entry_that_is_none_is_a_fault_of_one_printable_line(told: dict[str, Any]) -> None:
    fault = board_fault("h100", entry() | told)
    assert fault is not None
    assert fault.isprintable()


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"name": "NVIDIA H200"}, "NVIDIA H200 (driver) instead; that board is gpu=h200: GPU-2"),
        ({"mig": True}, "`mig` of a GPU must be off"),
        ({"driver": "550.2"}, "`driver` must be the same of all GPUs of a run, but is 580.1 of"),
        ({"memory_bytes": 81_000 * MIB}, "`memory_bytes` must be the same of all GPUs"),
    ],
)
def test_a_mixed_node_is_told_by_the_gpu_that_differs(second: dict[str, Any], says: str) -> None:
    first = entry(memory_bytes=81_559 * MIB, mig=False)
    assert boards_fault("h100", [first, first | {"uuid": "GPU-2"}]) is None
    assert says in str(boards_fault("h100", [first, first | {"uuid": "GPU-2"} | second]))
