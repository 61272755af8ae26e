"""Mesh: the ranks of a run joined by torch.distributed and FairScale's model parallelism.

No port is fixed: rank 0 listens on a free one and publishes it in the attempt's folder, so that any
number of jobs may share a node.
"""

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import torch
import torch.distributed as dist
from fairscale.nn.model_parallel import initialize as fairscale_groups
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore

from telemetry.record import read_json, write_json
from workers.rank import Rank

BACKENDS: Final = {"cpu": "gloo", "cuda": "nccl"}
"""How ranks talk, by `LaunchOrder.device`."""

# Longest that one rank may wait for another inside a collective. Ranks do equal work and differ by
# load times only; torch's own 10 and 30 minutes would burn a dead job's GPU hours.
COLLECTIVE_TIMEOUT_S: Final = 120.0
# Slurm starts a step's tasks within seconds, but their imports from a busy file system do not.
START_TIMEOUT_S: Final = 300.0
# Fast enough to be unseen beside the imports, slow enough for a shared file system.
_POLL_S: Final = 0.05
# A stale file of a requeued job points to a port where nobody listens: ask again after this.
_CONNECT_S: Final = 5.0
_TOKEN_KEY: Final = "token"  # noqa: S105 (a key's name)


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """The joined ranks as one of them sees them."""

    rank: Rank
    device: torch.device
    """Where this rank computes."""
    store: Store

    def exchange(self, topic: str, text: str) -> list[str]:
        """Every rank's `text` on a topic, by rank; each topic is exchanged once.

        Raises:
            RuntimeError: a rank said nothing within the collective timeout.
        """
        self.store.set(f"{topic}/{self.rank.rank}", text)
        said = [self.store.get(f"{topic}/{rank}") for rank in range(self.rank.world)]
        return [bytes(answer).decode() for answer in said]

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

    def agree(self, digest: int) -> bool:
        """True when every rank holds the same whole number of at most 62 bits."""
        # One reduction finds both: the largest of x and the largest of -x.
        ends = torch.tensor([digest, -digest], dtype=torch.int64, device=self.device)
        dist.all_reduce(ends, op=dist.ReduceOp.MAX)
        highest, lowest_negated = ends.tolist()
        return bool(highest == -lowest_negated)


@contextlib.contextmanager
def open_mesh(
    rank: Rank,
    *,
    degree: int,
    device: str,
    rendezvous: Path,
    timeout_s: float = COLLECTIVE_TIMEOUT_S,
    start_timeout_s: float = START_TIMEOUT_S,
) -> Iterator[Mesh]:
    """Join all ranks and split the model over `degree` of them; undone in reverse order.

    `rendezvous` is the file in which rank 0 publishes where it listens. When the block fails on
    CPU the connections close and the peers' next collective raises at once; NCCL has no such news,
    so there the peers raise after `timeout_s`.

    Raises:
        ValueError: `degree` is not the number of ranks.
        RuntimeError: a rank did not come in time, or FairScale made other groups.
    """
    if degree != rank.world:
        raise ValueError(
            f"`gpus` must be the number of ranks, but is {degree} with {rank.world} ranks instead"
        )
    place = _take_device(rank, device)
    with _loopback(rank), _open_store(rank, rendezvous, timeout_s, start_timeout_s) as store:
        dist.init_process_group(
            BACKENDS[device],
            store=PrefixStore("torch", store),
            rank=rank.rank,
            world_size=rank.world,
            timeout=timedelta(seconds=timeout_s),
        )
        failed = True
        try:
            with _model_parallel(degree):
                mesh = Mesh(rank=rank, device=place, store=PrefixStore("mesh", store))
                yield mesh
                # Nobody leaves while another still needs rank 0's store.
                mesh.barrier()
                failed = False
        finally:
            # NCCL's destruction may wait for kernels whose peer is gone; the process's end does
            # not.
            if not (failed and device == "cuda"):
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


def _take_device(rank: Rank, device: str) -> torch.device:
    if device not in BACKENDS:
        raise ValueError(f"`device` must be one of {', '.join(BACKENDS)}, but is {device!r}")
    if device == "cpu":
        return torch.device("cpu")
    visible = torch.cuda.device_count()
    # Slurm's --gpus-per-task shows each rank one GPU alone, which is then number 0.
    index = 0 if visible == 1 else rank.local_rank
    if index >= visible:
        raise RuntimeError(
            f"rank {rank.rank} on {rank.host} must have GPU {index} of its node, "
            f"but CUDA sees {visible} instead"
        )
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


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


@contextlib.contextmanager
def _open_store(
    rank: Rank, rendezvous: Path, timeout_s: float, start_timeout_s: float
) -> Iterator[Store]:
    if rank.rank != 0:
        yield _find_store(rendezvous, timeout_s, start_timeout_s)
        return
    host = "127.0.0.1" if rank.nodes == 1 else rank.host
    store = TCPStore(
        host, 0, is_master=True, timeout=timedelta(seconds=timeout_s), wait_for_workers=False
    )
    token = secrets.token_hex(16)
    store.set(_TOKEN_KEY, token)
    write_json(rendezvous, {"host": host, "port": store.port, "token": token})
    try:
        yield store
    finally:
        # The file would point to a port where nobody listens.
        rendezvous.unlink(missing_ok=True)


def _find_store(rendezvous: Path, timeout_s: float, start_timeout_s: float) -> Store:
    deadline = time.monotonic() + start_timeout_s
    fault = "rank 0 has not published where it listens"
    while True:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise RuntimeError(
                f"{rendezvous} must lead to rank 0 within {start_timeout_s:g} s, but {fault}"
            )
        if rendezvous.is_file():
            store, fault = _connect(rendezvous, min(_CONNECT_S, left_s))
            if store is not None:
                store.set_timeout(timedelta(seconds=timeout_s))
                return store
        time.sleep(_POLL_S)


def _connect(rendezvous: Path, connect_s: float) -> tuple[TCPStore | None, str]:
    """A store whose token is the file's, or why there is none."""
    try:
        published = read_json(rendezvous)
        host, port = published["host"], published["port"]
        store = TCPStore(
            host,
            port,
            is_master=False,
            timeout=timedelta(seconds=connect_s),
            wait_for_workers=False,
        )
        token = bytes(store.get(_TOKEN_KEY)).decode()
    except FileNotFoundError:
        return None, "rank 0 has gone"
    except dist.DistError as error:
        return None, f"nobody answers there: {str(error).splitlines()[0]}"
    if token != published["token"]:
        return None, f"{host}:{port} belongs to another run"
    return store, ""
