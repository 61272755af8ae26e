"""What the simulation takes of a row: run ids and records rest on these numbers."""

import dataclasses

import pytest

from telemetry.boards.board import Board
from telemetry.boards.simulation import SimulatedBoard
from telemetry.boards.table import BOARDS

GIB = 1 << 30
EXPECTED = {
    "v100": {
        "name": "v100",
        "product": "Tesla V100 32 GB",
        "driver_names": (
            "Tesla V100-PCIE-32GB",
            "Tesla V100S-PCIE-32GB",
            "Tesla V100-SXM2-32GB",
            "Tesla V100-SXM3-32GB",
        ),
        "memory_bytes": 32 * GIB,
        "idle_w": 38.0,
        "power_limit_w": 250.0,
        "min_power_limit_w": 100.0,
        "max_sm_clock_mhz": 1380,
        "sensor_period_ms": 20,
        "sensor_window_ms": 10,
    },
    "a100": {
        "name": "a100",
        "product": "A100 80 GB",
        "driver_names": (
            "A100-SXM4-80GB",
            "NVIDIA A100-SXM4-80GB",
            "A100-PCIE-80GB",
            "NVIDIA A100-PCIE-80GB",
            "NVIDIA A100 80GB PCIe",
        ),
        "memory_bytes": 80 * GIB,
        "idle_w": 50.0,
        "power_limit_w": 300.0,
        "min_power_limit_w": 150.0,
        "max_sm_clock_mhz": 1410,
        "sensor_period_ms": 100,
        "sensor_window_ms": 25,
    },
    "h200": {
        "name": "h200",
        "product": "H200 141 GB",
        "driver_names": ("NVIDIA H200",),
        "memory_bytes": 143_771 << 20,
        "idle_w": 75.0,
        "power_limit_w": 700.0,
        "min_power_limit_w": 200.0,
        "max_sm_clock_mhz": 1980,
        "sensor_period_ms": 100,
        "sensor_window_ms": 25,
    },
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_constants_of_recorded_simulations_stand(name: str) -> None:
    stated = dataclasses.asdict(SimulatedBoard.of(BOARDS[name]))
    assert stated == EXPECTED[name]
    assert list(stated) == list(EXPECTED[name])


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_every_row_can_be_simulated(name: str) -> None:
    assert SimulatedBoard.of(BOARDS[name]).name == name


@pytest.mark.parametrize(
    ("name", "requested_w", "in_force_w"),
    [
        ("a100", None, 300.0),
        ("a100", 220.0, 220.0),
        ("a100", 10.0, 150.0),
        ("a100", 900.0, 300.0),
        ("b200", 10.0, 10.0),
    ],
)
def test_a_limit_is_held_between_the_boards_own(
    name: str, requested_w: float | None, in_force_w: float
) -> None:
    assert SimulatedBoard.of(BOARDS[name]).power_in_force_w(requested_w) == in_force_w


def test_a_board_that_its_driver_told_of_is_not_simulated() -> None:
    with pytest.raises(ValueError, match="`idle_w` of NVIDIA Toy must be known to simulate it"):
        SimulatedBoard.of(Board.from_driver("NVIDIA Toy", memory_bytes=GIB))
