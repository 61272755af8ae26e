"""Boards: which GPU `gpu=auto` is here, and where a point's ranks compute."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Final

from launcher.plan.cluster import AUTO_DEVICE, Cluster
from telemetry.boards.board import Board
from telemetry.boards.table import BOARDS, adopt

AUTO: Final = "auto"
"""What `gpu` holds where the driver is to name the board."""
# The board of arXiv 2310.03003's newer cluster stands in where there is no GPU.
_STAND_IN: Final = "simulated-a100"
_SIMULATED: Final = (
    "SIMULATED: there is no NVIDIA GPU here, so that the ranks compute on CPU and the watts are a "
    "model's of an A100"
)


class BoardFinder:
    """Settles `gpu` for a grid's points; the driver is asked once."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._present: dict[str, Board] | None = None
        self._absent = ""
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided of boards that nobody named, a line each."""
        return tuple(self._notes)

    def settle(self, asked: object, cluster: Cluster) -> tuple[object, Cluster]:
        """The board's name in place of `auto`, and the cluster with its device decided.

        A board that is in no row is known from then on by what its driver told. What is neither
        `auto` nor a name is left for the spec to refuse.

        Raises:
            ValueError: `auto` is asked of a batch system or of a node with several kinds of board,
                a board is named that this node does not have, or the node's driver fails.
        """
        gpu = self._named(cluster) if asked == AUTO else asked
        unlisted = cluster.executor == "local" and isinstance(gpu, str) and gpu not in BOARDS
        if unlisted and (board := self._here().get(str(gpu))):
            adopt(board)
        if cluster.device != AUTO_DEVICE:
            return gpu, cluster
        if gpu == "cpu" or not isinstance(gpu, str) or gpu.startswith("simulated-"):
            return gpu, dataclasses.replace(cluster, device="cpu")
        here = sorted(self._here())
        if gpu in BOARDS and gpu not in here:
            there = f"this node has {', '.join(here)}" if here else self._absent
            raise ValueError(
                f"`gpu` must be auto, cpu, simulated- and a board's name, or this node's board, "
                f"but is {gpu} instead: {there}"
            )
        return gpu, dataclasses.replace(cluster, device="cuda")

    def _named(self, cluster: Cluster) -> str:
        if cluster.executor != "local":
            raise ValueError(
                f"`gpu` must name the nodes' board on cluster {cluster.name}, as this node cannot "
                f"ask their driver, but is {AUTO} instead"
            )
        if cluster.device == "cpu":
            return _STAND_IN
        names = sorted(self._here())
        if len(names) > 1:
            raise ValueError(
                f"`gpu` must be one board for all ranks, but {AUTO} finds {', '.join(names)}; "
                "CUDA_VISIBLE_DEVICES says which to use"
            )
        if names:
            return names[0]
        if cluster.device == "cuda":
            raise ValueError(f"`gpu` must be a board that is here, but {self._absent}")
        self._notes[_SIMULATED] = None
        return _STAND_IN

    def _here(self) -> Mapping[str, Board]:
        """This node's boards by name; none without a driver, and one that fails is no such case."""
        if self._present is None:
            # NVIDIA's library is loaded where somebody asks for a board of this node.
            from telemetry.sources.nvml.library import NoDriverError  # noqa: PLC0415
            from telemetry.sources.nvml.present_boards import present_boards  # noqa: PLC0415

            try:
                boards = present_boards(self._environment)
            except NoDriverError as error:
                boards, self._absent = (), str(error)
            except RuntimeError as error:
                raise ValueError(
                    f"`gpu` must be cpu or simulated- here, or the driver must name it: {error}"
                ) from error
            self._present = {board.name: board for board in boards}
        return self._present
