"""Boards: which GPU `gpu=auto` is here, and where a point's ranks compute."""

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from launcher.config.hydra_plugins import Point
from launcher.plan.cluster import AUTO_DEVICE, UNTOLD_GPUS, Cluster, SlurmRequest
from launcher.plan.offers import Offer, OfferFinder, told
from launcher.slurm.partitions import PartitionFinder
from launcher.slurm.queue import SlurmError
from telemetry.boards.agreement import SIMULATED
from telemetry.boards.board import Board
from telemetry.boards.table import BOARDS, adopt

AUTO: Final = "auto"
"""What `gpu` holds where the driver is to name the board."""
# The board of arXiv 2310.03003's newer cluster stands in where there is no GPU.
_STAND_IN: Final = "simulated-a100"
# Ranks on one machine that is no batch system's: as many as a grid of it asks for, up to the 32 of
# arXiv 2310.03003.
_RANKS_HERE: Final = 32
# A node of eight is what most centers buy; said in a note wherever it stands in.
_GPUS_OF_A_NODE: Final = 8
_SIMULATED: Final = (
    "SIMULATED: there is no NVIDIA GPU here, so that the ranks compute on CPU and the watts are a "
    "model's of an A100"
)


class BoardFinder:
    """Settles `gpu` for a grid's points; driver and Slurm are asked once.

    Args:
        environment: which of this node's GPUs are visible.
        partitions: what Slurm's partitions have; None where there is no such cluster.
    """

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        partitions: PartitionFinder | None = None,
    ) -> None:
        self._environment = environment
        self._offers = OfferFinder(partitions or PartitionFinder())
        self._present: dict[str, Board] | None = None
        self._counts: Counter[str] = Counter()
        self._absent = ""
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided of boards that nobody named, a line each."""
        return tuple(self._notes)

    def chosen(self, point: Point, gpu: object, cluster: Cluster) -> dict[str, Any]:
        """For the record: what was settled of a point that was left open, its board with it."""
        chosen = dict(point.chosen)
        if point.config["gpu"] == AUTO:
            chosen["gpu"] = gpu
        if point.config["cluster"]["gpus_per_node"] == AUTO:
            chosen["gpus_per_node"] = cluster.gpus_per_node
        return {**chosen, "said": list(self.notes)} if chosen else {}

    def settle(self, asked: object, cluster: Cluster) -> tuple[object, Cluster]:
        """The board's name in place of `auto`, and the cluster with its device decided.

        A board that is in no row is known from then on by what its driver told. What is neither
        `auto` nor a name is left for the spec to refuse.

        Raises:
            ValueError: `auto` is asked of a batch system that does not tell one board, or of a node
                with several kinds, a board is named that this node does not have, or the node's
                driver fails.
        """
        if cluster.slurm is not None:
            return self._settle_queued(asked, cluster, cluster.slurm)
        gpu = self._named(cluster) if asked == AUTO else asked
        if isinstance(gpu, str) and gpu not in BOARDS and (board := self._here().get(str(gpu))):
            adopt(board)
        if cluster.device != AUTO_DEVICE:
            return gpu, self._counted(gpu, cluster)
        if gpu == "cpu" or not isinstance(gpu, str) or gpu.startswith(SIMULATED):
            return gpu, self._counted(gpu, dataclasses.replace(cluster, device="cpu"))
        here = sorted(self._here())
        if gpu in BOARDS and gpu not in here:
            there = f"this node has {', '.join(here)}" if here else self._absent
            raise ValueError(
                f"`gpu` must be auto, cpu, simulated- and a board's name, or this node's board, "
                f"but is {gpu} instead: {there}"
            )
        return gpu, self._counted(gpu, dataclasses.replace(cluster, device="cuda"))

    def _counted(self, gpu: object, cluster: Cluster) -> Cluster:
        """This machine with no more GPUs than it has; one that has none holds `_RANKS_HERE` ranks.

        A site's file of larger nodes may be run on a smaller one, with cluster.executor=local.
        """
        here = self._here().get(str(gpu)) if cluster.device == "cuda" else None
        most = _RANKS_HERE if here is None else self._counts[here.name]
        given = cluster.gpus_per_node
        if given == UNTOLD_GPUS or (here is not None and given > most):
            return dataclasses.replace(cluster, gpus_per_node=most)
        return cluster

    def _settle_queued(
        self, asked: object, cluster: Cluster, request: SlurmRequest
    ) -> tuple[object, Cluster]:
        """The same of a batch system, whose nodes' driver cannot be asked from here."""
        gpu = asked
        offers: list[Offer] = []
        silent = ""
        if cluster.device != "cpu" or cluster.gpus_per_node == UNTOLD_GPUS:
            try:
                offers = self._offers.find(request)
            except SlurmError as error:
                # It may go on for lines, each tool's after the other's.
                silent = str(error).partition(";")[0]
        if asked == AUTO:
            if cluster.device == "cpu":
                gpu = _STAND_IN
            else:
                gpu = self._offered(cluster, request, offers, silent)
        elif gpu_type := _type_of(asked, offers):
            # Beside other boards a job would land on any of them.
            request = dataclasses.replace(request, gpu_type=gpu_type)
            cluster = dataclasses.replace(cluster, slurm=request)
            self._notes[f"cluster.slurm.gpu_type={gpu_type} is asked for, as gpu={asked}"] = None
        if cluster.device == AUTO_DEVICE:
            on_cpu = gpu == "cpu" or (isinstance(gpu, str) and gpu.startswith(SIMULATED))
            cluster = dataclasses.replace(cluster, device="cpu" if on_cpu else "cuda")
        if cluster.gpus_per_node == UNTOLD_GPUS:
            able = [offer for offer in offers if offer.board == gpu] or offers
            most = max(able, key=lambda offer: len(offer.counts), default=None)
            count = _GPUS_OF_A_NODE if most is None else most.per_node
            cluster = dataclasses.replace(cluster, gpus_per_node=count)
            if most is None:
                why = silent or "it names none there"
                self._notes[
                    f"cluster.gpus_per_node={count} is taken, as Slurm does not tell ({why})"
                ] = None
        return gpu, cluster

    def _offered(
        self, cluster: Cluster, request: SlurmRequest, offers: Sequence[Offer], silent: str
    ) -> str:
        must = f"`gpu` must name the nodes' board on cluster {cluster.name}"
        if silent:
            raise ValueError(f"{must}, as Slurm does not tell, but is {AUTO} instead: {silent}")
        where = f"partition {request.partition}" if request.partition else "the default partition"
        if not offers:
            raise ValueError(
                f"{must} or the partition one with GPUs, but is {AUTO} instead: {where} has none "
                f"that are asked for; Slurm has {self._elsewhere(request)}: say "
                "cluster.slurm.partition=NAME"
            )
        boards = {offer.board for offer in offers}
        if len(boards) > 1:
            kinds = {offer.gpu_type for offer in offers}
            also = " cluster.slurm.gpu_type=TYPE" if len(kinds) > 1 else ""
            raise ValueError(
                f"{must}, as {where} has several, but is {AUTO} instead: {told(offers)}; say "
                f"gpu=BOARD{also}"
            )
        (board,) = boards
        if board is None:
            raise ValueError(
                f"{must}, as what Slurm calls it names none that is known, but is {AUTO} instead: "
                f"{told(offers)}; boards are {', '.join(BOARDS)}"
            )
        self._notes[
            f"gpu={board}, as Slurm says {offers[0].told}; {BOARDS[board].product} is planned "
            "with, and the nodes' driver must name it (gpu=BOARD takes another)"
        ] = None
        return board

    def _elsewhere(self, request: SlurmRequest) -> str:
        try:
            return self._offers.elsewhere(request)
        except SlurmError as error:
            return f"not said what ({error})"

    def _named(self, cluster: Cluster) -> str:
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
            self._counts = Counter(board.name for board in boards)
        return self._present


def _type_of(board: object, offers: Sequence[Offer]) -> str | None:
    """Slurm's type of a board where several kinds are offered; None where it need not be said."""
    types = {offer.gpu_type for offer in offers if offer.board == board}
    if len({offer.gpu_type for offer in offers}) == 1 or len(types) != 1:
        return None
    return types.pop() or None


def gpus_here(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """What this node's driver tells of each visible GPU; none where there is no driver."""
    # NVIDIA's library is loaded where somebody asks for a board of this node.
    from telemetry.sources.nvml.library import NoDriverError  # noqa: PLC0415
    from telemetry.sources.nvml.present_boards import present_gpus  # noqa: PLC0415

    try:
        return present_gpus(environment)
    except (NoDriverError, RuntimeError):
        return []
