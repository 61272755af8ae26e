"""The `fast` engine's arithmetic by Triton kernels, as `fast_plain` has it: 16 bits on GPUs."""

import math
from dataclasses import dataclass
from typing import Final

import torch
import triton
from torch import Tensor

from workers.engines.fast import ops_quantized
from workers.engines.fast.fused_weights import Matrix
from workers.engines.fast.kernels import attention as kernels_attention
from workers.engines.fast.kernels import fp8 as kernels_fp8
from workers.engines.fast.kernels import grouped_attention as kernels_grouped
from workers.engines.fast.kernels import rows as kernels_rows
from workers.engines.fast.kernels.arguments import Cache, SharedHeads, Shares, Span
from workers.engines.fast.ops_torch import product as plain_product
from workers.engines.fast.tiling import launch, power_of_two
from workers.models.quantization import E4M3, Quantized


@dataclass(frozen=True, kw_only=True)
class AttendTiling:
    """How attention is cut into programs."""

    block: int
    """Positions that a program looks at together; of shared keys fewer where heads are wide."""
    stages: int
    """Blocks in flight."""
    warps: int
    """Warps of a program."""


# Columns of SwiGLU that one program takes: any multiple of a warp's 256 bytes does.
_GATE_BLOCK: Final = 1024
# Measured on an H200 as the time of 64 rows x 32 heads x 192 positions, bound 44 us: blocks of 16
# positions, two warps, three loads in flight 50.7 us; of 32, four warps, four loads 53.9; of 64 61.
ATTEND: Final = AttendTiling(block=16, stages=3, warps=2)
# Compiled for compute capability 9.0, four heads of 128 numbers in blocks of 8 positions and four
# warps take 128 registers a thread: four programs a multiprocessor. Blocks of 16 take 255, which
# leaves two. Not measured on a GPU.
GROUPED: Final = AttendTiling(block=16, stages=3, warps=4)
_GROUPED_NUMBERS: Final = 1024
# Numbers of a row that a thread rounds, up to a whole program of 32 warps: one program a row has a
# multiprocessor for itself at 64 rows, and is short by the threads it has.
_ROUNDED_BY_A_WARP: Final = 512
_MOST_WARPS: Final = 32
# Compute capability 9: cuBLAS documents a scale a row for it alone, from version 12.9 on.
_HOPPER_MAJOR: Final = 9
# What fills a GPU: with fewer programs each row's positions are split over several.
_ATTEND_PROGRAMS: Final = 512
_ATTEND_MOST_SPLITS: Final = 16


def product(x: Tensor, matrix: Matrix) -> Tensor:
    """[rows, inputs] by a matrix: [rows, outputs]; cuBLAS, as nothing beats it at many rows."""
    if isinstance(matrix, Quantized) and not matrix.rounds_inputs:
        return ops_quantized.product(x, matrix)
    if isinstance(matrix, Quantized) and x.is_cuda:
        return _fp8_product(x, matrix)
    return plain_product(x, matrix)


def _fp8_product(x: Tensor, matrix: Quantized) -> Tensor:
    """By units for e4m3, which `fast_plain.product` has not."""
    rows, inputs = x.shape
    rounded = torch.empty(rows, inputs, dtype=E4M3, device=x.device)
    scale = torch.empty(rows, 1, device=x.device)
    round_rows_into(rounded, scale, x, early=False)
    # cuBLAS scales rows on Hopper alone; elsewhere torch's own kernel does, which writes bf16.
    scales_rows = torch.cuda.get_device_capability(x.device)[0] == _HOPPER_MAJOR
    product: Tensor = torch._scaled_mm(
        rounded,
        matrix.packed.t(),
        scale_a=scale,
        scale_b=matrix.scale[None, :],
        out_dtype=x.dtype if scales_rows else torch.bfloat16,
        # Sums in fp32: the unit's own registers are added to them every few products.
        use_fast_accum=False,
    )
    return product.to(x.dtype)


def round_rows_into(rounded: Tensor, scale: Tensor, x: Tensor, *, early: bool) -> Tensor:
    """`x` [rows, inputs] rounded to e4m3 with a scale a row, as `quantization.round_rows` does."""
    rows, inputs = x.shape
    room = power_of_two(inputs)
    kernels_fp8.round_rows[(rows,)](
        x,
        rounded,
        scale,
        inputs,
        room,
        early,
        num_warps=max(1, min(_MOST_WARPS, room // _ROUNDED_BY_A_WARP)),
        **launch(early=early),
    )
    return rounded


def add_norm(x: Tensor, added: Tensor | None, eps: float) -> Tensor:
    """X += added, in place; returns x at unit root mean square."""
    rows, dim = x.shape
    out = torch.empty_like(x)
    kernels_rows.add_norm[(rows,)](
        x, x if added is None else added, out, eps, dim, power_of_two(dim), added is not None
    )
    return out


def gate(both: Tensor) -> Tensor:
    """silu(gates) * ups of rows [gates, ups]."""
    rows, twice = both.shape
    out = torch.empty(rows, twice // 2, dtype=both.dtype, device=both.device)
    blocks = triton.cdiv(twice // 2, _GATE_BLOCK)
    kernels_rows.gate[(rows, blocks)](both, out, twice // 2, _GATE_BLOCK)
    return out


def place(
    fused: Tensor,
    queries: Tensor,
    caches: tuple[Tensor, Tensor],
    *,
    rows: Tensor,
    positions: Tensor,
    turn: tuple[Tensor, Tensor],
) -> None:
    """As `fast_plain.place`."""
    heads, places, head_dim = queries.shape[1:]
    kept = caches[0].shape[1]
    kernels_rows.place[(len(fused),)](
        fused,
        queries,
        Cache(*caches, positions, *turn),
        rows,
        places,
        heads,
        power_of_two(heads),
        kept,
        power_of_two(kept),
        head_dim,
        caches[0].shape[2],
        places > 1,
    )


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, positions: Tensor, window: int | None
) -> Tensor:
    """As `fast_plain.attend`."""
    out = torch.empty_like(queries)
    attend_into(out, queries, (keys, values), positions, window=window, workspace=None, early=False)
    return out


def attend_splits(rows: int, heads: int) -> int:
    """Over how many programs the positions of one row and head of keys are split."""
    wanted = triton.cdiv(_ATTEND_PROGRAMS, rows * heads)
    return int(min(_ATTEND_MOST_SPLITS, power_of_two(wanted)))


def attend_into(
    out: Tensor,
    queries: Tensor,
    caches: tuple[Tensor, Tensor],
    positions: Tensor,
    *,
    window: int | None,
    workspace: Shares | None,
    early: bool,
    tiling: AttendTiling | None = None,
) -> None:
    """One token a row over its own past, into `out` [rows, heads x head_dim].

    `workspace` has room for each split's result of each head and a counter for each row and head of
    keys; None splits nothing. `early` lets the kernel start while the one before it ends. `tiling`
    None: as measured to be best.
    """
    kept, max_len, head_dim = caches[0].shape[1:]
    rows = len(positions)
    group = queries.numel() // (rows * kept * head_dim)
    splits = 1 if workspace is None else attend_splits(rows, kept)
    tiling = tiling or (ATTEND if group == 1 else GROUPED)
    block = tiling.block if group == 1 else min(tiling.block, _GROUPED_NUMBERS // head_dim)
    span = Span(block=block, splits=splits, stages=tiling.stages, window=window or 0)
    if group > 1:
        kernels_grouped.attend[(rows * kept, splits)](
            queries,
            *caches,
            positions,
            out,
            workspace or Shares(out, out),
            1.0 / math.sqrt(head_dim),
            SharedHeads(kept=kept, group=group, group_room=power_of_two(group), head_dim=head_dim),
            max_len,
            span,
            early,
            num_warps=tiling.warps,
            **launch(early=early),
        )
        return
    kernels_attention.attend[(rows * kept, splits)](
        queries,
        *caches,
        positions,
        out,
        workspace or Shares(out, out),
        1.0 / math.sqrt(head_dim),
        kept,
        head_dim,
        max_len,
        span,
        early,
        num_warps=tiling.warps,
        **launch(early=early),
    )
