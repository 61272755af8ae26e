"""Rendezvous: where the ranks of a run find each other and talk before there is any device.

No port is fixed: rank 0 listens on a free one and publishes it in the attempt's folder, so that any
number of jobs may share a node.
"""

import contextlib
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final

import torch.distributed as dist

# torch.distributed offers these without exporting them to type checkers.
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore

from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths
from workers.distributed.out_of_memory import RankOutOfMemoryError
from workers.distributed.rank import Rank

# Slurm starts a step's tasks within seconds, but their imports from a busy file system do not end
# together.
START_TIMEOUT_S: Final = 300.0
# Fast enough to be unseen beside the imports, slow enough for a shared file system.
_POLL_S: Final = 0.05
# A stale file of a requeued job points to a port where nobody listens: ask again after this.
_CONNECT_S: Final = 5.0
# Peers learn of a failure when their connections close, at once on CPU; rank 0 keeps the store for
# them that long.
_LAST_WORDS_S: Final = 2.0
FAILURE_KEY: Final = "failure"
"""Where the first rank that fails says so."""
_FAREWELL: Final = "farewell"
_TOKEN_KEY: Final = "token"  # noqa: S105 (a key's name)


@dataclass(frozen=True, kw_only=True)
class Rendezvous:
    """All ranks of a run, as one of them can reach them."""

    rank: Rank
    """Which of them this one is."""
    store: Store
    """Rank 0's key-value store."""

    def exchange(self, topic: str, text: str) -> list[str]:
        """Every rank's `text` on a topic, by rank; each topic is exchanged once.

        Raises:
            RuntimeError: a rank said nothing within the rendezvous' timeout.
        """
        self.store.set(f"{topic}/{self.rank.rank}", text)
        said = [self._hear(topic, rank) for rank in range(self.rank.world)]
        # Rank 0 may leave for what it heard, and the store with it: first all must have heard.
        self.store.set(f"{topic} heard/{self.rank.rank}", "")
        if self.rank.rank == 0:
            for rank in range(self.rank.world):
                self._hear(f"{topic} heard", rank)
        return said

    def _hear(self, topic: str, rank: int) -> str:
        try:
            return bytes(self.store.get(f"{topic}/{rank}")).decode()
        except dist.DistError as error:
            raise RuntimeError(
                f"rank {rank} must say its {topic} to rank {self.rank.rank}, "
                f"but is not heard: {_first_line(error)}"
            ) from error

    def torch_store(self) -> Store:
        """The part of the store that torch.distributed may fill."""
        return PrefixStore("torch", self.store)


class SharedFailure:
    """A block whose failure all ranks hear of: the first to fail is the reason for every other.

    Raises:
        RuntimeError: this rank failed after another one did; the message says which and why.
        RankOutOfMemoryError: the same, and that other one was out of memory.
    """

    def __init__(self, rendezvous: Rendezvous) -> None:
        self._meeting = rendezvous

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            return
        rank, store = self._meeting.rank, self._meeting.store
        text = f"rank {rank.rank} on {rank.host}: {kind.__name__}: {error}"
        facts = error.facts if isinstance(error, RankOutOfMemoryError) else None
        mine = json.dumps({"text": text, "facts": facts})
        try:
            first = bytes(store.compare_set(FAILURE_KEY, "", mine)).decode()
            store.set(f"{FAILURE_KEY} heard/{rank.rank}", "")
        except dist.DistError as lost:
            if isinstance(error, RuntimeError):
                raise RuntimeError(f"rank 0 is gone without a word; then: {error}") from lost
            return
        if first == mine or not isinstance(error, RuntimeError):
            return
        told = json.loads(first)
        reason = f"another rank failed first: {told['text']}"
        if told["facts"] is not None:
            raise RankOutOfMemoryError(reason, told["facts"]) from error
        raise RuntimeError(reason) from error


class ExitBarrier:
    """A block that no rank leaves before all have come to its end, so that watchers outlive ranks.

    A rank that fails leaves at once and says so.

    Raises:
        RuntimeError: another rank failed within its block; the message says which and why.
    """

    def __init__(self, rendezvous: Rendezvous) -> None:
        self._meeting = rendezvous

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            if faults := [text for text in self._meeting.exchange(_FAREWELL, "") if text]:
                raise RuntimeError(f"all ranks must end well, but: {'; '.join(faults)}")
            return
        rank, store = self._meeting.rank, self._meeting.store
        # Who waits for this rank hears why, unless rank 0 is gone, which is news enough.
        with contextlib.suppress(dist.DistError):
            fault = f"rank {rank.rank} on {rank.host}: {kind.__name__}: {error}"
            store.set(f"{_FAREWELL}/{rank.rank}", fault)
            store.set(f"{_FAREWELL} heard/{rank.rank}", "")


@contextlib.contextmanager
def open_rendezvous(
    rank: Rank, rendezvous: Path, timeout_s: float = START_TIMEOUT_S
) -> Iterator[Rendezvous]:
    """Meet the other ranks through `rendezvous`, the file that says where rank 0 listens.

    Rank 0 keeps the store until its block ends, so nobody else's block may outlive that.

    Raises:
        RuntimeError: rank 0 cannot be found in time, or the attempt ended before it was.
    """
    if rank.rank != 0:
        yield Rendezvous(rank=rank, store=_find_store(rendezvous, timeout_s))
        return
    host = "127.0.0.1" if rank.nodes == 1 else rank.host
    store = TCPStore(
        host, 0, is_master=True, timeout=timedelta(seconds=timeout_s), wait_for_workers=False
    )
    token = secrets.token_hex(16)
    store.set(_TOKEN_KEY, token)
    write_json(rendezvous, {"host": host, "port": store.port, "token": token})
    try:
        yield Rendezvous(rank=rank, store=store)
    finally:
        # The file would point to a port where nobody listens.
        rendezvous.unlink(missing_ok=True)
        _let_hear(store, rank.world)


def _let_hear(store: Store, world: int) -> None:
    """Keep the store for a moment if a rank failed, so that the others can read why."""
    if store.check([FAILURE_KEY]):
        heard = [f"{FAILURE_KEY} heard/{rank}" for rank in range(world)]
        with contextlib.suppress(dist.DistError):
            store.wait(heard, timedelta(seconds=_LAST_WORDS_S))


def _find_store(rendezvous: Path, timeout_s: float) -> Store:
    deadline = time.monotonic() + timeout_s
    fault = "rank 0 has not published where it listens"
    while True:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise RuntimeError(
                f"{rendezvous} must lead to rank 0 within {timeout_s:g} s, but {fault}"
            )
        if rendezvous.is_file():
            store, fault = _connect(rendezvous, min(_CONNECT_S, left_s))
            if store is not None:
                store.set_timeout(timedelta(seconds=timeout_s))
                return store
        # Rank 0 may have failed before it listened: nobody is to wait minutes for that.
        if (ended := AttemptPaths(folder=rendezvous.parent).ended).is_file():
            end = read_json(ended)
            raise RuntimeError(
                f"{rendezvous} must lead to rank 0, but the attempt is "
                f"{end.get('state')}: {end.get('reason')}"
            )
        time.sleep(_POLL_S)


def _connect(rendezvous: Path, connect_s: float) -> tuple[TCPStore | None, str]:
    """A store whose token is the file's, or why there is none."""
    try:
        published = read_json(rendezvous)
    except FileNotFoundError:
        return None, "rank 0 has gone"
    host, port = published["host"], published["port"]
    timeout = timedelta(seconds=connect_s)
    try:
        store = TCPStore(host, port, is_master=False, timeout=timeout, wait_for_workers=False)
        token = bytes(store.get(_TOKEN_KEY)).decode()
    except dist.DistError as error:
        return None, f"nobody answers at {host}:{port}: {_first_line(error)}"
    if token != published["token"]:
        return None, f"{host}:{port} belongs to another run"
    return store, ""


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", maxsplit=1)[0]
