"""Process group: a run's ranks joined by torch.distributed and FairScale's model parallelism."""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import torch
import torch.distributed as dist
from fairscale.nn.model_parallel import initialize as fairscale_groups

from workers.distributed.peer_watchdog import PeerWatchdog
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import Rendezvous, SharedFailure

BACKENDS: Final = {"cpu": "gloo", "cuda": "nccl"}
"""How ranks talk, by `LaunchConfig.device`."""

# Longest that one rank may wait for another inside a collective. Ranks do equal work and differ by
# load times only; torch's own 10 and 30 minutes would burn a dead job's GPU hours.
COLLECTIVE_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """The joined ranks as one of them sees them."""

    rank: Rank
    """Which of them this one is."""
    device: torch.device
    """Where this rank computes."""

    def barrier(self) -> None:
        """Return when every rank's device has come this far.

        Raises:
            RuntimeError: another rank failed or is late by the collective timeout.
        """
        one = torch.ones(1, device=self.device)
        dist.all_reduce(one)
        # Reading the value back waits for the device.
        arrived = int(one.item())
        assert arrived == self.rank.world

    def first_says(self, number: int) -> int:
        """Rank 0's whole number of at most 63 bits, on every rank; what the others say is lost."""
        said = torch.tensor([number], dtype=torch.int64, device=self.device)
        dist.broadcast(said, src=0)
        return int(said.item())

    def agree(self, number: int) -> bool:
        """True on every rank when all hold the same whole number of at most 63 bits."""
        # One reduction finds both ends: the largest of x and the largest of -x.
        ends = torch.tensor([number, -number], dtype=torch.int64, device=self.device)
        dist.all_reduce(ends, op=dist.ReduceOp.MAX)
        highest, lowest_negated = ends.tolist()
        return bool(highest == -lowest_negated)


@contextlib.contextmanager
def open_mesh(
    rendezvous: Rendezvous,
    *,
    degree: int,
    device: torch.device,
    timeout_s: float = COLLECTIVE_TIMEOUT_S,
) -> Iterator[Mesh]:
    """Join all ranks and split the model over `degree` of them; undone in reverse order.

    When the block fails on CPU the connections close and the peers' next collective raises at once;
    NCCL has no such news, so there `PeerWatchdog` ends the peers.

    Raises:
        ValueError: `degree` is not the number of ranks.
        RuntimeError: a rank did not come in time, or FairScale made other groups.
    """
    rank = rendezvous.rank
    if degree != rank.world:
        raise ValueError(
            f"`gpus` must be the number of ranks, but is {degree} with {rank.world} ranks instead"
        )
    with _loopback(rank):
        dist.init_process_group(
            BACKENDS[device.type],
            store=rendezvous.torch_store(),
            rank=rank.rank,
            world_size=rank.world,
            timeout=timedelta(seconds=timeout_s),
        )
        failed = True
        try:
            # Told before the connections close, so that whoever notices can already read why.
            with PeerWatchdog(rendezvous), SharedFailure(rendezvous), _model_parallel(degree):
                mesh = Mesh(rank=rank, device=device)
                yield mesh
                # Nobody leaves while another still needs rank 0's store.
                mesh.barrier()
                failed = False
        finally:
            # NCCL's destruction may wait for kernels whose peer is gone; a process's end does not.
            if not (failed and device.type == "cuda"):
                dist.destroy_process_group()


@contextlib.contextmanager
def _model_parallel(degree: int) -> Iterator[None]:
    # FairScale prints; standard output belongs to whoever called.
    with contextlib.redirect_stdout(sys.stderr):
        fairscale_groups.initialize_model_parallel(degree)
    try:
        # It takes the smaller of degree and ranks without a word.
        got = fairscale_groups.get_model_parallel_world_size()
        if got != degree:
            raise RuntimeError(
                f"FairScale's model parallel group must have {degree} ranks, but has {got} instead"
            )
        yield
    finally:
        fairscale_groups.destroy_model_parallel()


@contextlib.contextmanager
def _loopback(rank: Rank) -> Iterator[None]:
    """Let gloo use the loopback interface when all ranks share a host, whatever its name means."""
    name = "GLOO_SOCKET_IFNAME"
    if rank.nodes > 1 or name in os.environ:
        yield
        return
    os.environ[name] = "lo"
    try:
        yield
    finally:
        del os.environ[name]
