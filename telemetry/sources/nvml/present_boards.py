"""Present boards: which boards the driver of this node names, before anything is planned."""

from collections.abc import Mapping
from typing import Any

import pynvml

from telemetry.boards.board import Board
from telemetry.boards.lookup import seen_board
from telemetry.sources.nvml.inventory import describe_gpu
from telemetry.sources.nvml.library import Driver, reason_of
from telemetry.sources.nvml.visible_gpus import read_visible_gpus


def present_boards(environment: Mapping[str, str]) -> tuple[Board, ...]:
    """The board of each GPU that `environment` makes visible, in CUDA's order.

    One that is in no row of `telemetry.boards` is made of what its driver tells of it.

    Raises:
        NoDriverError: there is no driver.
        RuntimeError: it fails, there is no GPU, or a visible one that is not there.
        ValueError: a GPU is in no row and does not tell its name and memory.
    """
    return tuple(seen_board(gpu) for gpu in present_gpus(environment))


def present_gpus(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the driver tells of each GPU that `environment` makes visible, in CUDA's order.

    Raises:
        NoDriverError: there is no driver.
        RuntimeError: it fails, there is no GPU, or a visible one that is not there.
    """
    driver = Driver()
    try:
        visible = read_visible_gpus(driver, environment)
        return [describe_gpu(driver, gpu) for gpu in visible.gpus]
    finally:
        driver.close()


def present_numbers(environment: Mapping[str, str]) -> tuple[int, ...]:
    """The driver's number of each GPU that `environment` makes visible, in CUDA's order.

    Raises:
        NoDriverError: there is no driver.
        RuntimeError: it fails, there is no GPU, or a visible one that is not there.
    """
    driver = Driver()
    try:
        visible = read_visible_gpus(driver, environment)
        return tuple(int(pynvml.nvmlDeviceGetIndex(gpu.handle)) for gpu in visible.gpus)
    except pynvml.NVMLError as error:
        raise RuntimeError(f"the driver does not number its GPUs: {reason_of(error)}") from error
    finally:
        driver.close()
