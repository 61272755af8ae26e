"""Products of quantized weights by Triton kernels: widened on the way, or once for cuBLAS.

Few rows are multiplied by `widening`, which makes 16 bits of a weight once for each block of rows;
for many, arithmetic is all that counts, and the matrix is unpacked into memory for cuBLAS.
"""

from dataclasses import replace
from typing import Final

import torch
import torch.nn.functional as nnf
import triton
from torch import Tensor

from workers.engines.fast.kernels import unpacking as kernels_unpacking
from workers.engines.fast.kernels import widening as kernels_widening
from workers.engines.fast.kernels.arguments import (
    Cache,
    Operand,
    Problem,
    Residual,
    Shares,
    Tile,
)
from workers.engines.fast.tiling import LEAST_GROUP, LEAST_INPUTS, PLAIN, Product, tiling
from workers.models.quantization import Quantized
from workers.planning.weight_formats import INT8_BITS, block_inputs

MOST_WIDENED_ROWS: Final = 256
"""Rows beyond which a matrix is unpacked, which costs 144 us a layer of 7B on an H200.

By the time of some products of 256 rows both ways are near there; neither was measured whole.
"""
# Rows of a matrix that one program unpacks: 8 KiB of fp16 for each plane of 64 inputs.
_UNPACKED_ROWS: Final = 64


def operand(matrix: Quantized) -> Operand:
    """A quantized matrix as `widening` takes it: scales of 4 bits two a word."""
    # What is never read still needs a pointer.
    if matrix.bits == INT8_BITS:
        return Operand(matrix.packed, matrix.scale, matrix.scale)
    return Operand(matrix.packed, matrix.scale.view(torch.int32), matrix.scale)


def product(x: Tensor, matrix: Quantized) -> Tensor:
    """[rows, inputs] by a matrix: [rows, outputs]."""
    fits = matrix.inputs % LEAST_INPUTS == 0 and matrix.group >= LEAST_GROUP
    if fits and len(x) <= MOST_WIDENED_ROWS:
        return widened(x, matrix)
    return nnf.linear(x, unpacked(matrix, x.dtype))


def unpacked(matrix: Quantized, kind: torch.dtype) -> Tensor:
    """The matrix [outputs, inputs], as `workers.models.quantization.dequantize` has it."""
    outputs, inputs = matrix.shape
    out = torch.empty(outputs, inputs, dtype=kind, device=matrix.packed.device)
    blocks = triton.cdiv(inputs, block_inputs(matrix.bits))
    kernels_unpacking.unpack[(blocks, triton.cdiv(outputs, _UNPACKED_ROWS))](
        matrix.packed, matrix.scale, out, outputs, inputs, matrix.bits, matrix.group, _UNPACKED_ROWS
    )
    return out


def widened(x: Tensor, matrix: Quantized) -> Tensor:
    """[rows, inputs] by a matrix, by one kernel and without memory of its own."""
    outputs, inputs = matrix.shape
    rows = len(x)
    work = Product(
        rows=rows,
        outputs=outputs,
        inputs=inputs,
        epilogue=PLAIN,
        bits=matrix.bits,
        group=matrix.group,
    )
    # Shares of a sum would need room to meet in.
    plan = replace(tiling(work), splits=1)
    out = torch.empty(rows, outputs, dtype=x.dtype, device=x.device)
    problem = Problem(
        outputs=outputs, inputs=inputs, epilogue=PLAIN, bits=matrix.bits, group=matrix.group,
        parts=1, parts_room=1, queries=0, head_dim=1, max_len=1,
    )  # fmt: skip
    tile = Tile(
        rows=plan.rows, outputs=plan.outputs, inputs=plan.inputs, splits=1, stages=plan.stages,
        left=True, tma=False,
    )  # fmt: skip
    tiles, above = plan.programs(work)
    # What this epilogue does not touch still needs a pointer.
    kernels_widening.widening[(above, tiles)](
        x, matrix.packed, operand(matrix), out, Residual(out, out, out),
        Cache(out, out, out, out, out), Shares(out, out), 0.0, rows, problem, tile, 0, x.is_cuda,
        num_warps=plan.warps, num_stages=plan.stages,
    )  # fmt: skip
    return out
