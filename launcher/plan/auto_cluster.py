"""Auto cluster: whether `cluster=auto` is this machine or its Slurm, by what the line can need.

The first that holds:

    a key of cluster.slurm is given, or cluster.executor=slurm                     slurm
    cluster.executor=local, cluster.device=cpu, or every gpu is cpu or simulated   local
    no sbatch is on the PATH                                                       local
    no board is named, and every model has less than a thousand million parameters local
    this machine's own GPUs are enough, and of the board that is named             local
    Slurm answers                                                                  slurm
    Slurm does not                                                                 local

A cluster that is named, on the line or by an experiment, is never asked about here.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Final

from launcher.slurm.queue import SlurmError, ask_slurm
from telemetry.boards.agreement import SIMULATED
from telemetry.boards.board import Board
from workers.planning.families import find_shape

_AUTO: Final = "auto"
# A controller that answers does so at once; a plan does not wait a minute for one that is down.
_PATIENCE_S: Final = 10.0
# The made-up models have 20 and 60 million, the smallest published one 6,700.
_TINY_PARAMS: Final = 1_000_000_000
_DEFAULT_MODEL: Final = "nano"


class ClusterChooser:
    """Decides once for a command line, and keeps why.

    Args:
        environment: the PATH, and which of this node's GPUs are visible.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self.said: dict[str, None] = {}
        """What was chosen and why, a line for each grid that left it open."""

    def choose(self, given: Mapping[str, Sequence[str]]) -> str:
        """`local` or `slurm`, for a line that gives these keys these values."""
        cluster, why = self._decide(given)
        other = "slurm" if cluster == "local" else "local"
        self.said[f"cluster={cluster}, as {why}; cluster={other} is the other"] = None
        return cluster

    def _decide(self, given: Mapping[str, Sequence[str]]) -> tuple[str, str]:
        asked = next((key for key in given if key.startswith("cluster.slurm")), None)
        if "slurm" in given.get("cluster.executor", ()):
            asked = "cluster.executor=slurm"
        if asked:
            return "slurm", f"{asked} is given"
        if "local" in given.get("cluster.executor", ()):
            return "local", "cluster.executor=local is given"
        boards = [*given.get("gpu", ()), *given.get("cluster.gpu", ())]
        if "cpu" in given.get("cluster.device", ()) or (
            boards and all(name == "cpu" or name.startswith(SIMULATED) for name in boards)
        ):
            return "local", "no GPU is asked for"
        if shutil.which("sbatch", path=self._environment.get("PATH")) is None:
            return "local", "no sbatch is on the PATH"
        named = {name for name in boards if name != _AUTO}
        models = [*given.get("model", ()), *given.get("model.name", ())]
        if not models and "experiment" not in given:
            models = [_DEFAULT_MODEL]
        if models and not named and all(map(_tiny, models)):
            return "local", f"{' and '.join(models)} can run on any machine"
        here, most = self._here(), _most(given.get("gpus", ()))
        if len(here) >= most and named <= {board.name for board in here}:
            own = "a GPU" if len(here) == 1 else f"{len(here)} GPUs"
            return "local", f"this machine has {own} of its own"
        try:
            ask_slurm(["sinfo", "--noheader", "--format=%P"], _PATIENCE_S)
        except SlurmError:
            return "local", "sbatch is on the PATH, but Slurm does not answer"
        lack = f"only {len(here)} of {most} GPUs" if here else "no GPU"
        return "slurm", f"Slurm answers and this machine has {lack} for it"

    def _here(self) -> tuple[Board, ...]:
        """This machine's own boards; none where no driver tells of any."""
        # NVIDIA's library is loaded where somebody asks for a board of this node.
        from telemetry.sources.nvml.library import NoDriverError  # noqa: PLC0415
        from telemetry.sources.nvml.present_boards import present_boards  # noqa: PLC0415

        try:
            return present_boards(self._environment)
        except (NoDriverError, RuntimeError, ValueError):
            return ()


def _tiny(model: str) -> bool:
    try:
        return find_shape(model).params < _TINY_PARAMS
    except ValueError:
        return False


def _most(gpus: Sequence[str]) -> int:
    return max((int(value) for value in gpus if value.isdecimal()), default=1)
