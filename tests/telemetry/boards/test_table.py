"""The table of boards: whole, without doubles, and open for one more row."""

import dataclasses
import subprocess
import sys

import pytest

from telemetry.boards.board import Board, Form, bare_name
from telemetry.boards.sensors_only import SENSORS_ONLY
from telemetry.boards.table import BOARDS, board_of, register
from tests.conftest import REPOSITORY

TOY = dataclasses.replace(
    BOARDS["h200"],
    name="toy",
    product="Toy 1 GB",
    forms=(Form(driver_names=("NVIDIA Toy",), peaks=None),),
)


@pytest.fixture
def with_toy(monkeypatch: pytest.MonkeyPatch) -> Board:
    # The table is put back as it was.
    monkeypatch.setattr("telemetry.boards.table.BOARDS", dict(BOARDS))
    register(TOY)
    return TOY


@pytest.mark.parametrize(
    ("driver_name", "name"),
    [
        ("Tesla V100-PCIE-32GB", "v100"),
        ("Tesla V100S-PCIE-32GB", "v100"),
        ("Tesla V100-SXM3-32GB", "v100"),
        ("Tesla V100-SXM2-16GB", "v100-16gb"),
        ("A100-SXM4-80GB", "a100"),
        ("NVIDIA A100 80GB PCIe", "a100"),
        ("NVIDIA A100-SXM4-40GB", "a100-40gb"),
        ("A100-PCIE-40GB", "a100-40gb"),
        ("NVIDIA A30", "a30"),
        ("NVIDIA A40", "a40"),
        ("NVIDIA A10", "a10"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx6000-ada"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA H100 NVL", "h100-nvl"),
        ("NVIDIA GH200 480GB", "gh200"),
        ("NVIDIA GH200 120GB", "gh200"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA B200", "b200"),
        ("NVIDIA GeForce RTX 5090", "rtx5090"),
    ],
)
def test_a_board_is_found_by_what_its_driver_calls_it(driver_name: str, name: str) -> None:
    assert board_of(driver_name) is BOARDS[name]


@pytest.mark.parametrize(
    "driver_name",
    ["NVIDIA A10G", "NVIDIA H100", "NVIDIA H200 NVL", "NVIDIA L40", "h200", "", None],
)
def test_a_name_that_is_nearly_a_boards_is_none(driver_name: str | None) -> None:
    assert board_of(driver_name) is None


def test_every_driver_name_means_one_board() -> None:
    names = [bare_name(name) for board in BOARDS.values() for name in set(board.driver_names)]
    owners = {
        (bare_name(name), board.name) for board in BOARDS.values() for name in board.driver_names
    }
    assert len(owners) == len(set(names))
    assert not set(names) & set(SENSORS_ONLY)


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda board: board.name)
def test_a_row_can_be_simulated_and_its_numbers_are_in_order(board: Board) -> None:
    assert board.idle_w is not None
    assert board.power_limit_w is not None
    assert board.max_sm_clock_mhz is not None
    least_w = board.min_power_limit_w or board.power_limit_w
    assert 0 < board.idle_w < least_w <= board.power_limit_w
    assert board.memory_bytes > 1 << 30
    assert 0 < board.sensor_window_ms <= board.sensor_period_ms


def test_one_more_row_is_one_registration(with_toy: Board) -> None:
    assert board_of("NVIDIA Toy") is with_toy
    assert "toy" not in BOARDS


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (TOY, "`name` must be no other board's"),
        (dataclasses.replace(TOY, name="nvidia-toy"), "not begin with nvidia-"),
        (dataclasses.replace(TOY, name="twin"), "'NVIDIA Toy' of twin is one"),
        (
            dataclasses.replace(
                TOY, name="t4", forms=(Form(driver_names=("Tesla T4",), peaks=None),)
            ),
            "'Tesla T4' of t4 is one",
        ),
        (
            dataclasses.replace(
                TOY,
                name="odd",
                forms=(Form(driver_names=("NVIDIA Odd",), peaks=None),),
                min_power_limit_w=800.0,
            ),
            "must not fall in this order",
        ),
    ],
)
@pytest.mark.usefixtures("with_toy")
def test_a_row_that_is_another_or_out_of_order_is_refused(row: Board, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        register(row)


def test_boards_stand_on_the_standard_library_alone() -> None:
    code = (
        "import sys, telemetry.boards.lookup, telemetry.boards.simulation\n"
        "own = {'telemetry', 'telemetry.clock'}\n"
        "print(sorted(name for name in sys.modules"
        " if name.partition('.')[0] not in sys.stdlib_module_names"
        " and not name.startswith('telemetry.boards') and name not in own"
        " and not name.startswith('_')))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    assert done.stdout.strip() == "[]"
