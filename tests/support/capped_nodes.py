"""Nodes whose boards are the simulated library's, for runs that are real but for CUDA."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.conftest import REPOSITORY
from tests.doubles.nvml.library import SharedBoards, World, build

STOOD_W = 500.0
"""What a center keeps these boards at: neither their default nor what any run asks for."""
FREE_MHZ = 1980.0
"""Of SMs that nobody locks."""
CUDA = REPOSITORY / "tests" / "doubles" / "cuda"
"""What PYTHONPATH has to name for ranks to compute on CPU in place of a board."""
DRIVEN = REPOSITORY / "tests" / "doubles" / "driven"
"""What PYTHONPATH has to name for boards `simulated-...` to have a driver."""
# Within a period of the samples' 20 ms the power changes, and the 100 ms of clocks are no multiple.
WAVE = {"cycle_ms": 33, "duty": 0.9, "idle_w": 120.0, "model": 1}
_TOUCH = "import ctypes, sys; assert ctypes.CDLL(sys.argv[1]).nvmlInit_v2() == 0"


@dataclass(frozen=True, kw_only=True)
class CappedNodes:
    """Boards and book of each node, and what a launcher's environment needs for them."""

    folder: Path
    """A folder a node below it, and the library."""
    step_s: float | None = None
    """What a step takes at the highest clock where records say that the boards are simulated; None
    where they are taken for cards."""

    @classmethod
    def make(cls, folder: Path, *nodes: str, step_s: float | None = None, **world: object) -> Self:
        """Boards that stand at `STOOD_W` on every node, two each."""
        library = build(folder)
        made = cls(folder=folder, step_s=step_s)
        if step_s is not None:
            world = {"uuid": "SIM", **world}
        for number, node in enumerate(nodes):
            (folder / node).mkdir()
            one = World(
                folder / node / "world",
                **{
                    **WAVE,
                    "gpus": 2,
                    "first_board": 2 * number,
                    "shared": folder / node / "boards",
                    **world,
                },
            )
            subprocess.run(
                [sys.executable, "-c", _TOUCH, str(library)],
                check=True,
                env={**one.environment},
            )
            for board in (0, 1):
                made.boards(node).set_limit(board, STOOD_W)
        return made

    def boards(self, node: str) -> SharedBoards:
        """A node's boards as they stand."""
        return SharedBoards(self.folder / node / "boards")

    def stand_as_before(self, node: str) -> bool:
        """Whether nothing that a run set is left on a node, and nothing is remembered there."""
        told = [self.boards(node).settings(board) for board in (0, 1)]
        return all(one.limit_w == STOOD_W and one.sm_mhz == FREE_MHZ for one in told) and not list(
            (self.folder / node / "book").glob("*-*.json")
        )

    def environment(self, node: str | None = None) -> Mapping[str, str]:
        """Of a launcher; with `node` of what runs there without Slurm, too."""
        shared = {
            "LD_LIBRARY_PATH": str(self.folder),
            "PYTHONPATH": str(CUDA if self.step_s is None else DRIVEN),
        }
        if self.step_s is not None:
            shared["JOULEGRID_DOUBLE_STEP_S"] = str(self.step_s)
        if node is None:
            return shared
        return {**shared, **dict(self._own(str(self.folder / node)))}

    @property
    def setup(self) -> str:
        """The word of a launcher's command line that shows each job its node's boards."""
        own = self._own(f"{self.folder}/$SLURMD_NODENAME")
        lines = ",".join(f'"export {name}={path}"' for name, path in own)
        return f"cluster.slurm.setup=[{lines}]"

    def _own(self, folder: str) -> tuple[tuple[str, str], ...]:
        return ("FAKE_NVML", f"{folder}/world"), ("JOULEGRID_POWER_BOOK", f"{folder}/book")
