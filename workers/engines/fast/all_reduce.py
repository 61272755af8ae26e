"""All reduce: the sum over the ranks that ends each half of a layer, added to the residual stream.

A decode step of 65B holds 160 of them, a megabyte each at 64 rows: the time of one is latency.
Where all ranks are GPUs of one node that read each other's memory, a kernel of ours does it in one
launch, residual and norm's sums included; else torch.distributed does. NVLink multicast is never
used.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Final, Protocol

import torch
from fairscale.nn.model_parallel.initialize import (
    get_model_parallel_group,
    get_model_parallel_rank,
    get_model_parallel_world_size,
)
from torch import Tensor
from torch import distributed as dist

from workers.engines.fast.kernels.arguments import BufferLayout, Peers
from workers.engines.fast.tiling import launch, power_of_two

# Compute capability of the first GPUs that fetch whole blocks by a unit of their own and start a
# kernel while the one before it ends (CUDA C++ Programming Guide, compute capabilities).
HOPPER: Final = (9, 0)
# Columns of one program: 64 of them for 65B's 8192, all resident at once, as they wait for each
# other.
_COLUMNS: Final = 128
# Rows up to which one program holds its columns of all rows in registers.
PEER_MOST_ROWS: Final = 64
# Up to so many bytes every rank reads all; beyond, each sums a share of the rows and sends it on.
_ONE_SHOT_BYTES: Final = 32_768
# Room for a flag of every program and rank, in 4-byte words.
_FLAG_WORDS: Final = 16_384


def hopper(device: torch.device) -> bool:
    """True for a GPU of the Hopper kind or later."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= HOPPER


class RankSum(Protocol):
    """Adds the ranks' parts to the residual stream."""

    degree: int
    """Ranks that share a layer."""
    parts: int
    """Partial sums of squares of a row that it leaves behind."""
    name: str
    """How it is done, for the record."""

    def into(self, x: Tensor, sums: Tensor) -> contextlib.AbstractContextManager[Tensor]:
        """Where this rank's part [rows, dim] is to be written; at the block's end x holds the sum.

        `sums` [parts, rows] then holds the squares' sums of x.
        """


def sum_over_ranks(part: Tensor) -> Tensor:
    """The sum of the ranks' parts, in place, by torch.distributed; for prefill and plain torch."""
    if get_model_parallel_world_size() > 1:
        dist.all_reduce(part, group=get_model_parallel_group())
    return part


class LibrarySum:
    """By torch.distributed: NCCL between GPUs, over nodes too."""

    parts = 1

    def __init__(self, rows: int, dim: int, kind: torch.dtype, device: torch.device) -> None:
        self.degree = get_model_parallel_world_size()
        self.name = "none" if self.degree == 1 else "torch.distributed"
        self._rows, self._dim = rows, dim
        self._part = torch.empty(0 if self.degree == 1 else rows * dim, dtype=kind, device=device)

    @contextlib.contextmanager
    def into(self, x: Tensor, sums: Tensor) -> Iterator[Tensor]:
        """As `RankSum.into`."""
        from workers.engines.fast.kernels import rows as kernels_rows  # noqa: PLC0415

        part = self._part.view(self._rows, self._dim)
        yield part
        sum_over_ranks(part)
        kernels_rows.add_squares[(self._rows,)](x, part, sums, self._dim, power_of_two(self._dim))


class PeerSum:
    """By reading the peers' memory over NVLink, in one kernel."""

    def __init__(self, rows: int, dim: int, kind: torch.dtype, device: torch.device) -> None:
        """Every rank of the node must call, in the same order.

        Raises:
            RuntimeError: the GPUs cannot reach each other's memory.
        """
        # Not on every platform that torch is built for; imported where it is used.
        from torch.distributed import _symmetric_memory as symmetric  # noqa: PLC0415

        self.degree = get_model_parallel_world_size()
        self._rank = get_model_parallel_rank()
        self._early = hopper(device)
        self.parts = dim // _COLUMNS
        self._rows, self._dim = rows, dim
        self._padded = max(power_of_two(rows), self.degree)
        item = kind.itemsize
        size = self._padded * dim * item
        self._one_shot = rows < self.degree or rows * dim * item <= _ONE_SHOT_BYTES
        self.name = f"peer memory, {'one' if self._one_shot else 'two'}-shot"
        # Two parts in turn: a rank may be a call ahead while another still reads.
        self._layouts = [
            BufferLayout(part_at, whole_at=2 * size, flags_at=3 * size) for part_at in (0, size)
        ]
        memory: Tensor = symmetric.empty(
            3 * size + 4 * _FLAG_WORDS, dtype=torch.uint8, device=device
        )
        memory.zero_()
        group = get_model_parallel_group()
        handle: Any = symmetric.rendezvous(memory, group)
        self._memory = memory
        self._peers = Peers(
            torch.tensor(handle.buffer_ptrs, dtype=torch.int64, device=device),
            torch.zeros(self.parts, dtype=torch.int32, device=device),
        )
        self._views = [
            memory[layout.part_at :][: rows * dim * item].view(kind).view(rows, dim)
            for layout in self._layouts
        ]
        self._turn = 0
        # No rank may raise a flag before all have cleared theirs.
        torch.cuda.synchronize(device)
        dist.barrier(group=group)

    @contextlib.contextmanager
    def into(self, x: Tensor, sums: Tensor) -> Iterator[Tensor]:
        """As `RankSum.into`."""
        from workers.engines.fast.kernels import reduce as kernels_reduce  # noqa: PLC0415

        turn = self._turn
        self._turn = 1 - turn
        yield self._views[turn]
        kernels_reduce.sum_over_peers[(self.parts,)](
            self._peers,
            x,
            sums,
            self._layouts[turn],
            self._rows,
            self._dim,
            self._rank,
            self.degree,
            self._padded,
            _COLUMNS,
            self._one_shot,
            self._early,
            num_warps=4,
            **launch(early=self._early),
        )


def peer_fault(rows: int, dim: int, world_nodes: int) -> str | None:
    """Why peers' memory is not used; None when it is to be tried."""
    degree = get_model_parallel_world_size()
    if degree == 1:
        return "there is one rank"
    if world_nodes > 1:
        return "the ranks are on several nodes"
    if rows > PEER_MOST_ROWS:
        return f"{rows} rows are more than the {PEER_MOST_ROWS} that one program holds"
    if degree & (degree - 1) or dim % _COLUMNS or degree * (dim // _COLUMNS) > _FLAG_WORDS:
        return f"{degree} ranks and {dim} columns are not what the kernel is cut for"
    return None
