"""What a row of the table of boards says, and a board that no row knows."""

import dataclasses
import math
from typing import Any

import pytest

from telemetry.boards.board import (
    ASSUMED_CONTEXT_BYTES,
    ASSUMED_NCCL_BYTES,
    CUBLAS_WORKSPACE_BYTES,
    Board,
    Form,
)
from telemetry.boards.sensor_timing import HOPPER_GH100
from telemetry.boards.table import BOARDS

MIB = 1 << 20


def told(**changes: Any) -> Board:
    """A board as its driver tells of it."""
    return Board.from_driver("NVIDIA B300 SXM6 AC", **{"memory_bytes": 275_040 * MIB, **changes})


@pytest.mark.parametrize(
    ("name", "memory_mib", "limits_w", "sm_clock_mhz", "capability"),
    [
        ("v100", 32_768, (100, 250, 350), 1380, "7.0"),
        ("v100-16gb", 16_384, (100, 300, 300), 1530, "7.0"),
        ("a100", 81_920, (150, 300, 500), 1410, "8.0"),
        ("a100-40gb", 40_960, (100, 400, 400), 1410, "8.0"),
        ("a30", 24_576, (100, 165, 165), 1440, "8.0"),
        ("a40", 46_068, (100, 300, 300), 1740, "8.6"),
        ("a10", 23_028, (100, 150, 150), 1695, "8.6"),
        ("l4", 23_034, (40, 72, 72), 2040, "8.9"),
        ("l40s", 46_068, (100, 350, 350), 2520, "8.9"),
        ("rtx4090", 24_564, (150, 450, 450), 3105, "8.9"),
        ("rtx6000-ada", 49_140, (100, 300, 300), 3105, "8.9"),
        ("h100", 81_559, (200, 700, 700), 1980, "9.0"),
        ("h100-pcie", 81_559, (None, 350, 350), 1755, "9.0"),
        ("h100-nvl", 95_830, (200, 400, 400), 1785, "9.0"),
        ("gh200", 97_871, (100, 900, 900), 1980, "9.0"),
        ("h200", 143_771, (200, 700, 700), 1980, "9.0"),
        ("b200", 183_359, (None, 1000, 1000), 1965, "10.0"),
        ("rtx5090", 32_607, (400, 575, 600), 3090, "12.0"),
    ],
)
def test_a_row_has_memory_limits_clock_and_capability(
    name: str,
    memory_mib: int,
    limits_w: tuple[float | None, float, float],
    sm_clock_mhz: int,
    capability: str,
) -> None:
    board = BOARDS[name]
    assert board.memory_bytes == memory_mib * MIB
    known = (board.min_power_limit_w, board.power_limit_w, board.max_power_limit_w)
    assert known == limits_w
    assert board.max_sm_clock_mhz == sm_clock_mhz
    assert board.compute_capability == capability


def test_memory_beside_torch_is_known_of_an_h200_and_assumed_of_others() -> None:
    h200 = BOARDS["h200"]
    assert (h200.context_bytes, h200.nccl_bytes) == (1_310_000_000, 810_000_000)
    for board in BOARDS.values():
        if board is not h200:
            assert board.context_bytes == ASSUMED_CONTEXT_BYTES == 600_000_000
            assert board.nccl_bytes == ASSUMED_NCCL_BYTES == 900_000_000


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_cublas_keeps_four_times_as_much_from_hopper_on(name: str) -> None:
    newer = BOARDS[name].architecture in {"Hopper", "Blackwell"}
    expected = CUBLAS_WORKSPACE_BYTES if newer else 8_519_680
    assert BOARDS[name].cublas_workspace_bytes == expected


def test_a_board_of_unknown_capability_is_taken_for_a_new_one() -> None:
    assert told().cublas_workspace_bytes == 32 << 20
    assert told(compute_capability="8.6").cublas_workspace_bytes == 8_519_680


def test_a_form_is_found_by_its_names_with_and_without_the_drivers_prefix() -> None:
    a100 = BOARDS["a100"]
    card = a100.form_of("A100 80GB PCIe")
    assert card is a100.form_of("NVIDIA A100 80GB PCIe") is a100.forms[1]
    assert a100.form_of("NVIDIA A100-SXM4-40GB") is None


def test_a_board_that_its_driver_tells_of_holds_what_was_told_and_no_more() -> None:
    board = told(
        compute_capability="10.3",
        power_limit_w=1400.0,
        min_power_limit_w=200.0,
        max_power_limit_w=1400.0,
        max_sm_clock_mhz=2032,
        max_memory_clock_mhz=3996,
    )
    assert board.name == "nvidia-b300-sxm6-ac"
    assert board.product == "NVIDIA B300 SXM6 AC"
    assert board.memory_bytes == 275_040 * MIB
    assert (board.min_power_limit_w, board.power_limit_w) == (200.0, 1400.0)
    assert (board.max_sm_clock_mhz, board.max_memory_clock_mhz) == (2032, 3996)
    assert board.idle_w is None
    assert board.forms[0].peaks is None


def test_a_driver_that_tells_no_limit_leaves_none() -> None:
    board = told(power_limit_w=None, min_power_limit_w=0.0)
    assert board.power_limit_w is None
    assert board.min_power_limit_w is None


@pytest.mark.parametrize(
    ("driver_name", "name"),
    [
        ("NVIDIA H100", "nvidia-h100"),
        ("A10G", "nvidia-a10g"),
        ("NVIDIA A10G", "nvidia-a10g"),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", None),
    ],
)
def test_the_short_name_of_an_unlisted_board_is_no_rows(driver_name: str, name: str | None) -> None:
    board = Board.from_driver(driver_name, memory_bytes=1 << 34)
    assert board.name not in BOARDS
    assert board.name.startswith("nvidia-")
    assert name in (None, board.name)


def test_the_sensor_of_an_unlisted_board_is_as_slow_as_was_measured() -> None:
    assert told().sensor_period_ms == 100
    assert told(sensor_update_us={"power_instant_w": 25_000}).sensor_period_ms == 25
    assert told(sensor=HOPPER_GH100).sensor_window_ms == 25


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "H 200"}, "`name` must be"),
        ({"forms": ()}, "`forms` must be at least one"),
        ({"compute_capability": "9"}, "`compute_capability` must be"),
        ({"memory_bytes": 0}, "`memory_bytes` must be above 0"),
        ({"idle_w": -1.0}, "`idle_w` must be above 0"),
        ({"power_limit_w": math.nan}, "`power_limit_w` must be above 0"),
    ],
)
def test_a_row_refuses_what_no_board_is(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(BOARDS["h200"], **changes)


def test_a_form_has_a_name() -> None:
    with pytest.raises(ValueError, match="`driver_names` must be names"):
        Form(driver_names=(), peaks=None)
