"""Lookup: what is known of a GPU that a host's inventory tells of."""

from collections.abc import Mapping
from typing import Any, Final

from telemetry.boards.board import Board, bare_name
from telemetry.boards.peaks import Peaks
from telemetry.boards.sensor_timing import (
    COUNTER,
    POWER_INSTANT,
    Sensor,
    SensorTiming,
    Timing,
    read_update_us,
    stand_in,
)
from telemetry.boards.sensors_only import SENSORS_ONLY
from telemetry.boards.table import BOARDS, board_of

UPDATE_PERIODS: Final = "sensor_update_us"
"""Key of an inventory's entry: update periods by field, as they were measured on that board."""
# The word before a modelled board's name.
_MODELLED: Final = "SIMULATED "


def seen_board(gpu: Mapping[str, Any]) -> Board:
    """The row of a GPU of a host's inventory, else a board made of what its driver told.

    Raises:
        ValueError: it is in no row, and its name or its memory is not on record.
    """
    name = str(gpu.get("name") or "")
    if board := board_of(name):
        return board
    if not name or not gpu.get("memory_bytes"):
        raise ValueError(
            "`name` and `memory_bytes` of a GPU that is in no table must be on record, but are "
            f"{gpu.get('name')!r} and {gpu.get('memory_bytes')!r} instead"
        )
    return Board.from_driver(
        name,
        memory_bytes=int(gpu["memory_bytes"]),
        compute_capability=gpu.get("compute_capability"),
        power_limit_w=gpu.get("power_limit_default_w"),
        min_power_limit_w=gpu.get("power_limit_min_w"),
        max_power_limit_w=gpu.get("power_limit_max_w"),
        max_sm_clock_mhz=gpu.get("max_sm_clock_mhz"),
        max_memory_clock_mhz=gpu.get("max_memory_clock_mhz"),
        sensor=SENSORS_ONLY.get(bare_name(name)),
        sensor_update_us=gpu.get(UPDATE_PERIODS),
    )


def sensor_of(gpu: Mapping[str, Any]) -> Sensor:
    """How the power readings of a GPU behave; `gpu` is an entry of a host's inventory.

    Its `name` decides, and its `driver` where the meaning of a reading depends on that. Of a board
    that is in no table of sensors its `sensor_update_us` counts, where the entry has it. The sensor
    of a simulated GPU is the model of its `kind`, without an error of gain.
    """
    name = str(gpu.get("name") or "")
    simulated = bool(gpu.get("simulated"))
    board = BOARDS.get(str(gpu.get("kind"))) if simulated else None
    board = board or board_of(name.removeprefix(_MODELLED))
    if board is None or board.sensor is None:
        timing = SENSORS_ONLY.get(bare_name(name.removeprefix(_MODELLED)))
    else:
        timing = board.sensor
    if simulated and (board or timing):
        return _model(timing, gpu.get("driver"))
    if timing is None:
        return _unknown(name, board, read_update_us(gpu.get(UPDATE_PERIODS)))
    return Sensor(
        architecture=timing.architecture,
        source=timing.source,
        timings=timing.timings(gpu.get("driver"), board.sample_timing if board else None),
    )


def peaks_of(gpu: Mapping[str, Any]) -> Peaks | str:
    """The peaks of a board of a host's inventory, by its exact name, or why there are none."""
    name = str(gpu.get("name") or "")
    if gpu.get("simulated"):
        return "the work of a simulated GPU is done on CPU"
    board = board_of(name)
    form = None if board is None else board.form_of(name)
    peaks = None if form is None else form.peaks
    return peaks or f"no peak is on file for {name or 'the GPU'}"


def _model(timing: SensorTiming | None, driver: str | None) -> Sensor:
    timings = stand_in({}) if timing is None else timing.timings(driver)
    # The model's counter is brought up to date with its power.
    timings[COUNTER] = Timing(update_us=timings[POWER_INSTANT].update_us, window_us=0)
    return Sensor(
        architecture="unknown" if timing is None else timing.architecture,
        source="the simulation's own constants",
        timings=timings,
        gain_share=0.0,
    )


def _unknown(name: str, board: Board | None, measured_us: Mapping[str, int]) -> Sensor:
    source = f"{name or 'a board without a name'} is in no table"
    if board is not None:
        source += " of sensors"
    if measured_us:
        source += (
            f": update periods of {', '.join(measured_us)} measured on the spot, "
            "all else taken as slow as the slowest"
        )
    else:
        source += ": taken as slow as the slowest"
    return Sensor(architecture="unknown", source=source, timings=stand_in(measured_us), known=False)
