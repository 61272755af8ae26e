"""Simulated boards with a driver: what a run asks of them is set, read back and sampled by NVML.

Python runs this before anything else where its folder is on PYTHONPATH. Boards `simulated-...` are
then the simulated library's: the watcher sets their caps and clocks by it as those of a card, and
records what it samples by it; ranks, on CPU as ever, go at the board's clock. All of it says that
it is simulated, as it does without a driver.

`JOULEGRID_DOUBLE_STEP_S` is what a step takes at the board's highest clock, in seconds.
"""

import ctypes
import dataclasses
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

# Whoever starts has not put its own folder there yet, and others have a `tests` too.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from tests.doubles.changed import Changed
from tests.doubles.nvml.library import SONAME

del sys.path[0]

STEP = "JOULEGRID_DOUBLE_STEP_S"


def _set_as_cards_are(gpu_settings: Any) -> None:
    gpu_settings.on_real_gpus = lambda spec: spec.gpu != "cpu"
    # A launcher hides all cards from work on CPU.
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)


def _remember_simulated_ones(book: Any) -> None:
    book._UUID = re.compile(r"SIM-[0-9a-fA-F-]{8,64}")
    book._uuids = lambda folder: tuple(sorted(path.stem for path in folder.glob("SIM-*.json")))


def _read_by_their_driver(simulated: Any) -> None:
    from telemetry.boards.table import BOARDS  # noqa: PLC0415
    from telemetry.sources.host.source import BESIDE_GPUS_US, HostSource  # noqa: PLC0415
    from telemetry.sources.nvml.source import NvmlReadings  # noqa: PLC0415
    from telemetry.watcher.node import NodeSource  # noqa: PLC0415

    class Readings(NvmlReadings):
        """What the simulated library tells, of boards that say what they are."""

        def __init__(self, assignment: Any) -> None:
            self._board = BOARDS[assignment.spec.gpu_kind]
            super().__init__(assignment)

        def describe(self) -> Any:
            told = super().describe()
            own = {
                "name": f"SIMULATED {self._board.product}",
                "kind": self._board.name,
                "simulated": True,
            }
            return dataclasses.replace(
                told,
                simulated=True,
                gpus=[{**gpu, **own} for gpu in told.gpus],
                identity={
                    **told.identity,
                    "model": "simulated: power, clock and speed answer to limits by the model of "
                    "tests/doubles/nvml/fake_nvml.c; ranks compute on CPU and wait for what a step "
                    "would take at the board's clock (tests/doubles/nvml/pace.py)",
                    "step_s": float(os.environ[STEP]),
                },
            )

    def open_driven(assignment: Any) -> Any:
        host = HostSource(assignment, least_us=BESIDE_GPUS_US)
        return NodeSource("simulated", host, [Readings(assignment)])

    simulated.SimulatedSource = open_driven


def _go_at_the_board_s_clock(registry: ModuleType) -> None:
    from tests.doubles.nvml.pace import pace_engines  # noqa: PLC0415

    library = ctypes.CDLL(SONAME)
    assert library.nvmlInit_v2() == 0
    pace_engines(registry, library, step_s=float(os.environ[STEP]))


sys.meta_path.insert(
    0,
    Changed(
        {
            "telemetry.power.book": _remember_simulated_ones,
            "telemetry.watcher.gpu_settings": _set_as_cards_are,
            "telemetry.sources.simulated.source": _read_by_their_driver,
            "workers.engines.registry": _go_at_the_board_s_clock,
        }
    ),
)
