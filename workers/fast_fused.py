"""FusedDecoder: a step's logits by one kernel for each matrix, with all else folded into them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import torch
import triton
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from workers import kernels_linear, kernels_rows
from workers.fast_sum import RankSum
from workers.fast_triton import attend_into, attend_splits, launch
from workers.fast_weights import FusedWeights, Matrix
from workers.kernels_epilogue import LOGITS, PLAIN, QKV, RESIDUAL, SWIGLU
from workers.quantization import Quantized
from workers.shapes import Shape

# Rows beyond which cuBLAS and separate kernels win for 16-bit weights: products are bound by
# arithmetic there, no longer by reading weights.
MOST_ROWS: Final = 64
# Hopper: the first with a copy unit that fetches whole blocks (compute capability 9.0).
_TMA_CAPABILITY: Final = (9, 0)
# Rows beyond which a product asks L2 for its first weights while the kernel before it ends: at 64 rows
# a step of 7B takes 5.44 ms without an early start, 5.48 with one, 5.34 with one and weights asked for;
# at 16 rows 4.30, 4.23 and 4.30.
_PREFETCH_ROWS: Final = 32
# Programs that keep an H200's 132 multiprocessors busy: fewer, larger blocks read inputs less often.
_ENOUGH_PROGRAMS: Final = 80
# Shared memory of a multiprocessor that blocks in flight may take, of 227 KiB.
_IN_FLIGHT_BYTES: Final = 196_608


# Outputs, inputs (4 bits: bytes) and loads in flight for one row, the quickest of some 40 each.
_VECTOR_BLOCKS: Final = {
    16: {
        QKV: (16, 256, 2),
        SWIGLU: (4, 512, 3),
        RESIDUAL: (4, 512, 3),
        PLAIN: (4, 512, 3),
        LOGITS: (8, 512, 2),
    },
    8: {
        QKV: (8, 512, 3),
        SWIGLU: (4, 512, 3),
        RESIDUAL: (8, 512, 3),
        PLAIN: (8, 512, 3),
    },
    4: {
        QKV: (8, 1024, 3),
        SWIGLU: (4, 512, 3),
        RESIDUAL: (4, 512, 3),
        PLAIN: (4, 512, 3),
    },
}


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """How a product is cut into programs."""

    rows: int
    outputs: int
    inputs: int
    splits: int
    warps: int
    stages: int


def tiling(rows: int, matrix: Matrix, epilogue: int, *, tma: bool) -> Tiling:
    """The blocks for a product of so many rows, by rules measured on an H200 at 7B's shapes."""
    outputs, inputs = matrix.shape
    outputs = outputs // 2 if epilogue == SWIGLU else outputs
    # A block of queries, keys or values must not straddle two of them.
    whole = outputs // 3 if epilogue == QKV else outputs
    bits = matrix.bits if isinstance(matrix, Quantized) else 16
    if rows == 1:
        return _vector_tiling(epilogue, bits)
    block_rows = max(16, min(64, int(triton.next_power_of_2(rows))))
    if bits == 16 and tma:
        wide = [size for size in (128, 64, 32) if not whole % size or epilogue != QKV]
        fitting = [size for size in wide if outputs // size >= _ENOUGH_PROGRAMS]
        block = (fitting or wide[-1:])[0]
        both = 2 if epilogue == SWIGLU else 1
        depth = 64 if block == 128 and both == 2 else 128
        stage_bytes = 2 * depth * (block_rows + both * block)
        stages = max(2, min(8, _IN_FLIGHT_BYTES // stage_bytes))
        programs = triton.cdiv(outputs, block)
        splits = max(1, min(4, _ENOUGH_PROGRAMS // programs))
        return Tiling(
            rows=block_rows, outputs=block, inputs=depth, splits=splits, warps=4, stages=stages
        )
    depth = matrix.group if isinstance(matrix, Quantized) and bits == 4 else 128
    depth = 64 if inputs % depth else depth
    programs = triton.cdiv(outputs, 64)
    # Widening weights takes time of its own: twice the programs share it.
    splits = max(1, min(4, inputs // depth, triton.cdiv(_ENOUGH_PROGRAMS * 3, programs) - 1))
    return Tiling(rows=block_rows, outputs=64, inputs=depth, splits=splits, warps=4, stages=3)


def _vector_tiling(epilogue: int, bits: int) -> Tiling:
    """One row: outputs and inputs (4 bits: bytes) of a program's block."""
    block, depth, stages = _VECTOR_BLOCKS[bits][epilogue]
    return Tiling(rows=1, outputs=block, inputs=depth, splits=1, warps=4, stages=stages)


def unfit(weights: FusedWeights) -> str | None:
    """Why the kernels cannot take these weights; None when they can."""
    for layer in weights.layers[:1]:
        for matrix in (layer.qkv, layer.wo, layer.gate_up, layer.down):
            outputs, inputs = matrix.shape
            group = matrix.group if isinstance(matrix, Quantized) and matrix.bits == 4 else 64
            if inputs % 64 or inputs % group or group < 32:
                return (
                    f"the kernels need inputs in multiples of 64 and groups of at least 32, "
                    f"but a matrix is {outputs} x {inputs} in groups of {group}"
                )
    return None


class FusedDecoder:
    """Logits of the next position of `rows` rows; every call does the same work on the same memory."""

    def __init__(
        self,
        shape: Shape,
        weights: FusedWeights,
        caches: list[tuple[Tensor, Tensor]],
        turn: tuple[Tensor, Tensor],
        rank_sum: RankSum,
        rows: int,
    ) -> None:
        table = weights.table
        device, kind = table.device, table.dtype
        self._shape, self._weights, self._caches, self._turn = shape, weights, caches, turn
        self._sum, self._rows = rank_sum, rows
        self._tma = torch.cuda.get_device_capability(device) >= _TMA_CAPABILITY
        self._early = self._tma
        self._pdl = (2 if rows > _PREFETCH_ROWS else 1) if self._early else 0
        heads, max_len, self._head_dim = caches[0][0].shape[1:]
        self._heads, self._max_len = heads, max_len
        width, ffn = heads * self._head_dim, weights.layers[0].gate_up.shape[0] // 2
        self._x = torch.empty(rows, shape.dim, dtype=kind, device=device)
        self._queries = torch.empty(rows, width, dtype=kind, device=device)
        self._mixed = torch.empty(rows, width, dtype=kind, device=device)
        self._inner = torch.empty(rows, ffn, dtype=kind, device=device)
        self._logits = torch.empty(rows, weights.head.shape[0], device=device)
        # One sum a program at most of those that leave the residual stream behind.
        self._sums = torch.empty(shape.dim, rows, device=device)
        self._parts = 1
        splits = attend_splits(rows, heads)
        partials = torch.empty(rows * heads * splits * (self._head_dim + 2), device=device)
        counters = torch.zeros(rows * heads, dtype=torch.int32, device=device)
        self._attend_space = (partials, counters)
        room, programs = self._linear_room()
        self._partials = torch.empty(room, device=device)
        self._arrived = torch.zeros(programs, dtype=torch.int32, device=device)
        self._blocks: dict[tuple[int, tuple[int, int]], Any] = {}

    def logits(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """This rank's slice of the logits, fp32 [rows, vocab / degree], after feeding `tokens`.

        `tokens` is int64 [rows], `positions` int32 [rows]: where they stand. The result is overwritten
        by the next call.
        """
        kernels_rows.embed[(self._rows,)](
            tokens,
            self._weights.table,
            self._x,
            self._sums,
            self._rows,
            self._shape.dim,
            triton.next_power_of_2(self._shape.dim),
            self._early,
            **launch(early=self._early),
        )
        self._parts = 1
        for layer, cache in zip(self._weights.layers, self._caches, strict=True):
            self._product(self._x, layer.qkv, QKV, self._queries, positions, cache)
            attend_into(
                self._mixed,
                self._queries,
                cache,
                positions,
                workspace=self._attend_space,
                early=self._early,
            )
            self._add(self._mixed, layer.wo)
            self._product(self._x, layer.gate_up, SWIGLU, self._inner)
            self._add(self._inner, layer.down)
        self._product(self._x, self._weights.head, LOGITS, self._logits)
        return self._logits

    def _add(self, inputs: Tensor, matrix: Matrix) -> None:
        """Add a product to the residual stream, on all ranks."""
        if self._sum.degree == 1:
            self._parts = self._product(inputs, matrix, RESIDUAL, self._x)
            return
        with self._sum.into(self._x, self._sums) as part:
            self._product(inputs, matrix, PLAIN, part)
        self._parts = self._sum.parts

    def _product(
        self,
        inputs: Tensor,
        matrix: Matrix,
        epilogue: int,
        out: Tensor,
        positions: Tensor | None = None,
        cache: tuple[Tensor, Tensor] | None = None,
    ) -> int:
        """Launch one product; returns how many programs share a row."""
        plan = tiling(self._rows, matrix, epilogue, tma=self._tma)
        outputs, width = matrix.shape
        outputs = outputs // 2 if epilogue == SWIGLU else outputs
        tiles = int(triton.cdiv(outputs, plan.outputs))
        bits, group, packed, scale = 16, 0, matrix, self._sums
        if isinstance(matrix, Quantized):
            bits, group, packed, scale = matrix.bits, matrix.group, matrix.packed, matrix.scale
        keys, values = (out, out) if cache is None else cache
        epilogue_arguments = (
            scale,
            out,
            self._x,
            self._sums,
            self._sums,
            keys,
            values,
            out if positions is None else positions,
            *self._turn,
        )
        shared = (
            self._parts,
            triton.next_power_of_2(self._parts),
            self._head_dim,
            self._max_len,
            plan.stages,
        )
        eps = self._shape.norm_eps
        if self._rows == 1:
            kernels_linear.vector[(tiles,)](
                inputs, packed, *epilogue_arguments, eps, outputs, width, plan.outputs, plan.inputs,
                epilogue, bits, group, *shared, self._early,
                num_warps=plan.warps, **launch(early=self._early),
            )  # fmt: skip
            return tiles
        depth = plan.inputs // 2 if bits == 4 else plan.inputs
        inputs_at: Any = inputs
        weights_at: Any = packed
        if self._tma:
            inputs_at = self._block(inputs, plan.rows, depth)
            weights_at = self._block(packed, plan.outputs, depth)
        above = triton.cdiv(self._rows, plan.rows)
        kernels_linear.linear[(tiles * plan.splits, above)](
            inputs_at, weights_at, packed, *epilogue_arguments, self._partials, self._arrived, eps,
            self._rows, outputs, width, plan.rows, plan.outputs, plan.inputs, plan.splits,
            epilogue, bits, *shared, self._tma, self._pdl,
            num_warps=plan.warps, num_stages=plan.stages, **launch(early=self._early),
        )  # fmt: skip
        return tiles

    def _block(self, tensor: Any, rows: int, columns: int) -> Any:
        """A descriptor of a tensor's blocks, made once."""
        key = (tensor.data_ptr(), (rows, columns))
        if key not in self._blocks:
            self._blocks[key] = TensorDescriptor.from_tensor(tensor, [rows, columns])
        return self._blocks[key]

    def _linear_room(self) -> tuple[int, int]:
        """fp32 numbers and counters that split products need at most."""
        room, programs = 1, 1
        if self._rows == 1:
            return room, programs
        for matrix, epilogue in self._kinds():
            plan = tiling(self._rows, matrix, epilogue, tma=self._tma)
            both = 2 if epilogue == SWIGLU else 1
            outputs = matrix.shape[0] // both
            tiles = triton.cdiv(outputs, plan.outputs) * triton.cdiv(self._rows, plan.rows)
            programs = max(programs, int(tiles))
            if plan.splits > 1:
                room = max(room, int(tiles) * plan.splits * both * plan.rows * plan.outputs)
        return room, programs

    def _kinds(self) -> Iterator[tuple[Matrix, int]]:
        layer = self._weights.layers[0]
        added = RESIDUAL if self._sum.degree == 1 else PLAIN
        yield layer.qkv, QKV
        yield layer.wo, added
        yield layer.gate_up, SWIGLU
        yield layer.down, added
        yield self._weights.head, LOGITS
