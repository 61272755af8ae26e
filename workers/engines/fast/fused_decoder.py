"""Fused decoder: a step's logits by one kernel for each matrix, with all else folded into them."""

import math
from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from workers.engines.fast.all_reduce import RankSum, hopper
from workers.engines.fast.fused_weights import FusedWeights, Matrix
from workers.engines.fast.kernels import linear as kernels_linear
from workers.engines.fast.kernels import rows as kernels_rows
from workers.engines.fast.kernels import widening as kernels_widening
from workers.engines.fast.kernels.arguments import (
    Cache,
    Operand,
    Problem,
    Residual,
    Shares,
    Tile,
)
from workers.engines.fast.ops_quantized import operand
from workers.engines.fast.ops_triton import attend_into, attend_splits, round_rows_into
from workers.engines.fast.tiling import (
    LEAST_GROUP,
    LEAST_INPUTS,
    LOGITS,
    PLAIN,
    QKV,
    RESIDUAL,
    SWIGLU,
    WHOLE_OUTPUTS,
    Product,
    Tiling,
    launch,
    power_of_two,
    tiling,
)
from workers.models.llama.shape import LlamaShape
from workers.models.quantization import E4M3, Quantized
from workers.planning.weight_formats import BLOCK_WORDS, INT4_BITS

# Rows beyond which cuBLAS and separate kernels win for 16-bit weights: products are bound by
# arithmetic there, no longer by reading weights.
MOST_ROWS: Final = 64
# Rows beyond which a product asks L2 for its first weights while the kernel before it ends: at 64
# rows a step of 7B takes 5.44 ms without an early start, 5.48 with one, 5.34 with one and weights
# asked for; at 16 rows 4.30, 4.23 and 4.30.
_PREFETCH_ROWS: Final = 32


def unfit(weights: FusedWeights) -> str | None:
    """Why the kernels cannot take these weights; None when they can."""
    layer = weights.layers[0]
    for matrix in (layer.qkv, layer.wo, layer.gate_up, layer.down):
        outputs, inputs = matrix.shape
        group = LEAST_INPUTS
        if isinstance(matrix, Quantized) and matrix.bits == INT4_BITS:
            group = matrix.group
        if inputs % LEAST_INPUTS or group < LEAST_GROUP:
            return (
                f"a matrix must have a multiple of {LEAST_INPUTS} inputs in groups of at least "
                f"{LEAST_GROUP}, but is {outputs} x {inputs} in groups of {group}"
            )
    queries = layer.wo.shape[1]
    whole = math.gcd(queries, (layer.qkv.shape[0] - queries) // 2)
    if whole % WHOLE_OUTPUTS:
        return (
            f"queries and keys of a rank must be multiples of {WHOLE_OUTPUTS}, but are {queries} "
            f"and {(layer.qkv.shape[0] - queries) // 2}"
        )
    return None


def _rounds_inputs(matrix: Matrix) -> bool:
    return isinstance(matrix, Quantized) and matrix.rounds_inputs


class FusedDecoder:
    """Logits of the next position of `rows` rows; each call does the same on the same memory."""

    def __init__(
        self,
        shape: LlamaShape,
        weights: FusedWeights,
        *,
        caches: list[tuple[Tensor, Tensor]],
        turn: tuple[Tensor, Tensor],
        rank_sum: RankSum,
        rows: int,
    ) -> None:
        """`caches` hold each layer's keys and values, `turn` cosine and sine by position."""
        table = weights.table
        device, kind = table.device, table.dtype
        self._shape, self._weights, self._caches, self._turn = shape, weights, caches, turn
        self._sum, self._rows = rank_sum, rows
        self._tma = self._early = hopper(device)
        self._compiled = device.type == "cuda"
        self._pdl = (2 if rows > _PREFETCH_ROWS else 1) if self._early else 0
        kept, self._max_len, self._head_dim = caches[0][0].shape[1:]
        layer = weights.layers[0]
        self._width = width = layer.wo.shape[1]
        heads, ffn = width // self._head_dim, layer.gate_up.shape[0] // 2
        self._x = torch.empty(rows, shape.dim, dtype=kind, device=device)
        self._queries = torch.empty(rows, width, dtype=kind, device=device)
        self._mixed = torch.empty(rows, width, dtype=kind, device=device)
        self._inner = torch.empty(rows, ffn, dtype=kind, device=device)
        self._logits = torch.empty(rows, weights.head.shape[0], device=device)
        # Inputs of fp8 products, by how many a row has.
        widths = {matrix.shape[1] for matrix, _ in self._kinds() if _rounds_inputs(matrix)}
        self._rounded = {
            inputs: torch.empty(rows, inputs, dtype=E4M3, device=device) for inputs in widths
        }
        self._input_scale = torch.empty(rows, device=device)
        # One sum a program at most of those that leave the residual stream behind.
        self._sums = torch.empty(shape.dim, rows, device=device)
        self._parts = 1
        splits = attend_splits(rows, kept)
        partials = torch.empty(rows * heads * splits * (self._head_dim + 2), device=device)
        counters = torch.zeros(rows * kept, dtype=torch.int32, device=device)
        self._attend_space = Shares(partials, counters)
        room, programs = self._linear_room()
        self._shares = Shares(
            torch.empty(room, device=device),
            torch.zeros(programs, dtype=torch.int32, device=device),
        )
        self._blocks: dict[tuple[int, tuple[int, int]], Any] = {}

    def logits(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """This rank's slice of the logits, fp32 [rows, vocab / degree], after feeding `tokens`.

        `tokens` is int64 [rows], `positions` int32 [rows]: where they stand. The result is
        overwritten by the next call.
        """
        kernels_rows.embed[(self._rows,)](
            tokens,
            self._weights.table,
            self._x,
            self._sums,
            self._rows,
            self._shape.dim,
            power_of_two(self._shape.dim),
            self._early,
            **launch(early=self._early),
        )
        self._parts = 1
        for layer, cache in zip(self._weights.layers, self._caches, strict=True):
            into = (*cache, positions)
            self._product(self._x, layer.qkv, QKV, self._queries, into)
            attend_into(
                self._mixed,
                self._queries,
                cache,
                positions,
                window=self._shape.window,
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
        into: tuple[Tensor, Tensor, Tensor] | None = None,
    ) -> int:
        """Launch one product; returns how many programs share a row.

        `into` holds the caches that keys and values go to, and where the rows stand.
        """
        product, plan = self._planned(matrix, epilogue)
        tiles, above = plan.programs(product)
        widened = isinstance(matrix, Quantized) and not matrix.rounds_inputs
        weights = self._operand(matrix)
        if product.rounds_inputs:
            # RMSNorm's scale is one number a row: rounding before it rounds alike.
            inputs = round_rows_into(
                self._rounded[product.inputs], self._input_scale, inputs, early=self._early
            )
        residual = Residual(self._x, self._sums, self._sums)
        problem = Problem(
            outputs=product.outputs,
            inputs=product.inputs,
            epilogue=epilogue,
            bits=product.bits,
            group=product.group,
            parts=self._parts,
            parts_room=power_of_two(self._parts),
            queries=self._width,
            head_dim=self._head_dim,
            max_len=self._max_len,
        )
        tile = Tile(
            rows=plan.rows,
            outputs=plan.outputs,
            inputs=plan.inputs,
            splits=plan.splits,
            stages=plan.stages,
            left=plan.left,
            tma=self._tma,
        )
        # What an epilogue does not touch still needs a pointer.
        cache = Cache(*(into or (out, out, out)), *self._turn)
        eps = self._shape.norm_eps
        if self._rows == 1 and not widened:
            kernels_linear.vector[(tiles,)](
                inputs, weights, out, residual, cache, eps, problem, tile, self._early,
                num_warps=plan.warps, **launch(early=self._early),
            )  # fmt: skip
            return tiles
        inputs_at: Any = inputs
        weights_at: Any = weights.packed
        if self._tma:
            columns = BLOCK_WORDS if widened else plan.inputs
            inputs_at = self._block(inputs, plan.rows, columns)
            weights_at = self._block(weights.packed, plan.outputs, columns)
        if widened:
            kernels_widening.widening[(above, tiles * plan.splits)](
                inputs_at, weights_at, weights, out, residual, cache, self._shares, eps,
                self._rows, problem, tile, self._early, self._compiled,
                num_warps=plan.warps, num_stages=plan.stages, **launch(early=self._early),
            )  # fmt: skip
            return tiles
        kernels_linear.linear[(tiles * plan.splits, above)](
            inputs_at, weights_at, weights, out, residual, cache, self._shares, eps,
            self._rows, problem, tile, self._pdl,
            num_warps=plan.warps, num_stages=plan.stages, **launch(early=self._early),
        )  # fmt: skip
        return tiles

    def _operand(self, matrix: Matrix) -> Operand:
        if not isinstance(matrix, Quantized):
            return Operand(matrix, self._sums, self._input_scale)
        if matrix.rounds_inputs:
            return Operand(matrix.packed, matrix.scale, self._input_scale)
        return operand(matrix)

    def _planned(self, matrix: Matrix, epilogue: int) -> tuple[Product, Tiling]:
        outputs, inputs = matrix.shape
        product = Product(
            rows=self._rows,
            outputs=outputs // 2 if epilogue == SWIGLU else outputs,
            inputs=inputs,
            epilogue=epilogue,
            bits=matrix.bits if isinstance(matrix, Quantized) else 8 * matrix.element_size(),
            group=matrix.group if isinstance(matrix, Quantized) else 0,
            rounds_inputs=_rounds_inputs(matrix),
            queries=self._width if epilogue == QKV else 0,
        )
        return product, tiling(product)

    def _block(self, tensor: Any, rows: int, columns: int) -> Any:
        """A descriptor of a tensor's blocks, made once."""
        key = (tensor.data_ptr(), (rows, columns))
        if key not in self._blocks:
            self._blocks[key] = TensorDescriptor.from_tensor(tensor, [rows, columns])
        return self._blocks[key]

    def _linear_room(self) -> tuple[int, int]:
        """fp32 numbers and counters that split products need at most."""
        room, programs = 1, 1
        for matrix, epilogue in self._kinds():
            product, plan = self._planned(matrix, epilogue)
            tiles, above = plan.programs(product)
            programs = max(programs, tiles * above)
            if plan.splits > 1:
                matrices = 2 if epilogue == SWIGLU else 1
                block = matrices * plan.rows * plan.outputs
                room = max(room, tiles * above * plan.splits * block)
        return room, programs

    def _kinds(self) -> Iterator[tuple[Matrix, int]]:
        layer = self._weights.layers[0]
        added = RESIDUAL if self._sum.degree == 1 else PLAIN
        yield layer.qkv, QKV
        yield layer.wo, added
        yield layer.gate_up, SWIGLU
        yield layer.down, added
        yield self._weights.head, LOGITS
