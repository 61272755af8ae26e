"""What the lab of `widening` multiplies: matrices, tilings to try, and what torch has."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor

from workers.engines.fast.kernels import linear as kernels_linear
from workers.engines.fast.kernels import widening as kernels_widening
from workers.engines.fast.kernels.arguments import (
    Cache,
    Operand,
    Problem,
    Residual,
    Shares,
    Tile,
)
from workers.engines.fast.ops_quantized import unpacked
from workers.engines.fast.tiling import PLAIN, SWIGLU, Product, Tiling, launch, tiling
from workers.models.packing import pack, pair_scales
from workers.models.quantization import quantize
from workers.planning.weight_formats import block_inputs

MATRICES: Final = {
    "qkv": (12_288, 4096),
    "wo": (4096, 4096),
    "gate_up": (22_016, 4096),
    "down": (4096, 11_008),
}
"""Outputs and inputs, by name, of one layer of 7B."""
SMALL: Final = {"wo": (64, 320), "gate_up": (128, 320)}
"""Those of a machine without a GPU."""
GROUP: Final = 128
"""Inputs that share a scale."""
SMALL_GROUP: Final = 64
"""The same in `SMALL`."""
# An H200's L2 is 60 MB: none of a matrix is left when its turn comes again.
_ROTATED_BYTES: Final = 200_000_000
_LEAST_COPIES: Final = 6
# Beyond so many rows gates and ups are a product as any other: `fast` multiplies them apart.
_FUSED_ROWS: Final = 256
_MULTIPROCESSORS: Final = 132
_SHARED_BYTES: Final = 227_000
# Outputs, warps.
_BLOCKS: Final = {16: ((32, 1), (32, 2), (64, 2), (64, 4)), 64: ((64, 4), (128, 8))}
_WIDE_BLOCKS: Final = ((64, 4), (128, 8))
_LEAST_STAGES: Final = 2
_MOST_STAGES: Final = 6
_MOST_SPLITS: Final = 8
_MOST_BESIDE: Final = 8


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to multiply one matrix."""

    name: str
    """Which matrix."""
    rows: int
    """Rows of inputs."""
    bits: int
    """16, 8 or 4."""
    tile: Tiling
    """How it is cut."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrix:
    """Random weights as kernels want them, and what they stand for."""

    packed: list[Tensor]
    """Copies of the same words, or of the weights."""
    scale: Tensor
    """Scales as the kernels read them."""
    truth: Tensor
    """fp32 [outputs, inputs]."""
    bits: int
    """16, 8 or 4."""
    group: int
    """Inputs that share a scale, of 4 bits."""

    @property
    def read_bytes(self) -> int:
        """Bytes of one copy and its scales."""
        return self.packed[0].nbytes + (0 if self.bits == 16 else self.scale.nbytes)


def candidates(
    name: str, shapes: dict[str, tuple[int, int]], rows: int, bits: int, *, all_of_them: bool
) -> Iterator[Candidate]:
    """The tilings to try for one matrix; of 16 bits the engine's own."""
    outputs, inputs = shapes[name]
    matrices = matrices_of(name, rows)
    if bits == 16:
        if rows <= 64:
            tile = tiling(product_of(name, shapes, rows, bits))
            yield Candidate(name=name, rows=rows, bits=bits, tile=tile)
        return
    heights = [16] if rows <= 16 else [64] if rows <= 64 else [64, 128]
    for height in heights:
        for wide, warps in _WIDE_BLOCKS if height > 64 else _BLOCKS[height]:
            if matrices * wide * height > 32_768 * warps // 4 and height > 64:
                continue
            tiles = math.ceil(outputs / matrices / wide) * math.ceil(rows / height)
            stage = 128 * matrices * wide + 2 * height * block_inputs(bits)
            for split in _splits(tiles, inputs // block_inputs(bits)):
                # As deep as so many programs of a multiprocessor leave room for.
                beside = min(_MOST_BESIDE, math.ceil(tiles * split / _MULTIPROCESSORS))
                if height > 64:
                    beside = 1
                stages = min(_MOST_STAGES, _SHARED_BYTES // (beside * stage))
                if stages < _LEAST_STAGES:
                    continue
                tile = Tiling(
                    rows=height, outputs=wide, inputs=block_inputs(bits), splits=split,
                    stages=stages, warps=warps, left=True,
                )  # fmt: skip
                yield Candidate(name=name, rows=rows, bits=bits, tile=tile)
                if not all_of_them:
                    return


class Work:
    """One candidate's tensors and its launch."""

    def __init__(
        self,
        candidate: Candidate,
        matrix: Matrix,
        shapes: dict[str, tuple[int, int]],
        device: torch.device,
        *,
        early: bool,
    ) -> None:
        self._candidate, self._matrix, self._early = candidate, matrix, early
        rows, tile = candidate.rows, candidate.tile
        product = product_of(candidate.name, shapes, rows, candidate.bits)
        self._product = product
        generator = torch.Generator(device=device).manual_seed(1)
        kind = torch.float16
        self._x = torch.randn(rows, product.inputs, device=device, generator=generator).to(kind)
        # As the norm before it would have it: a root mean square of one.
        self._sums = self._x.float().square().sum(1)[None]
        self.out = torch.empty(rows, product.outputs, device=device, dtype=kind)
        tiles, above = tile.programs(product)
        quantized = candidate.bits < 16
        programs = tiles * tile.splits
        self._grid = (above, programs) if quantized else (programs, above)
        ways = 2 if product.epilogue == SWIGLU else 1
        room = tiles * above * tile.splits * ways * tile.rows * tile.outputs
        self._shares = Shares(
            torch.empty(room if tile.splits > 1 else 1, device=device),
            torch.zeros(tiles * above, dtype=torch.int32, device=device),
        )

    def arguments(self, at: int) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        """The kernel, what it is told for the copy `at`, and its launch options."""
        candidate, product, tile = self._candidate, self._product, self._candidate.tile
        packed = self._matrix.packed[at]
        weights = Operand(packed, self._matrix.scale, self._sums)
        problem = Problem(
            outputs=product.outputs, inputs=product.inputs, epilogue=product.epilogue,
            bits=candidate.bits, group=self._matrix.group, parts=1, parts_room=1, queries=0,
            head_dim=128, max_len=1,
        )  # fmt: skip
        cut = Tile(
            rows=tile.rows, outputs=tile.outputs, inputs=tile.inputs, splits=tile.splits,
            stages=tile.stages, left=tile.left, tma=self._early,
        )  # fmt: skip
        residual = Residual(self._x, self._sums, self._sums)
        cache = Cache(self.out, self.out, self._shares.arrived, self._sums, self._sums)
        options = {"num_warps": tile.warps, "num_stages": tile.stages, **launch(early=self._early)}
        quantized = candidate.bits < 16
        told: tuple[Any, ...]
        if candidate.rows == 1 and not quantized:
            told = (self._x, weights, self.out, residual, cache, 0.0, problem, cut, self._early)
            return kernels_linear.vector, told, options
        x_at, w_at = self._x, packed
        if self._early:
            columns = 64 if quantized else tile.inputs
            x_at = _descriptor(self._x, [tile.rows, columns])
            w_at = _descriptor(packed, [tile.outputs, columns])
        told = (
            x_at, w_at, weights, self.out, residual, cache, self._shares, 0.0, candidate.rows,
            problem, cut, self._early,
        )  # fmt: skip
        if quantized:
            return kernels_widening.widening, (*told, self._early), options
        return kernels_linear.linear, told, options

    def launch(self, at: int) -> None:
        """Multiply by one copy."""
        kernel, told, options = self.arguments(at)
        kernel[self._grid](*told, **options)

    def warm_up(self) -> None:
        """Compile, and launch nothing."""
        kernel, told, options = self.arguments(0)
        kernel.warmup(*told, grid=self._grid, **options)

    def expected(self) -> Tensor:
        """What is right, in fp32."""
        product = self._x.float() @ self._matrix.truth.T
        if self._product.epilogue != SWIGLU:
            return product
        scale = torch.rsqrt(self._sums[0] / self._product.inputs)[:, None]
        gates, ups = (product * scale).chunk(2, dim=1)
        return torch.nn.functional.silu(gates) * ups


def make_matrix(
    shape: tuple[int, int], bits: int, group: int, device: torch.device, *, rotated: bool
) -> Matrix:
    """Random steps and scales as a quantized matrix of normal weights has them."""
    outputs, inputs = shape
    generator = torch.Generator(device=device).manual_seed(outputs + inputs)
    kind = torch.float16
    if bits == 16:
        weights = torch.randn(shape, device=device, generator=generator).mul_(0.02).to(kind)
        packed, scale, truth = weights, torch.ones(1, device=device), weights.float()
    else:
        least, most = (-8, 8) if bits == 4 else (-127, 128)
        steps = torch.randint(least, most, shape, device=device, generator=generator)
        packed = pack(steps, bits)
        groups = inputs // group if bits == 4 else 1
        scales = torch.rand(outputs, groups, device=device, generator=generator) + 0.5
        scales *= 0.005 if bits == 4 else 0.0003
        if bits == 4:
            scales = scales.to(kind)
            scale = pair_scales(scales, inputs).view(torch.int32).squeeze(-1)
        else:
            scale = scales[:, 0].contiguous()
        steps = steps.view(outputs, groups, -1).float()
        truth = (steps * scales.float()[..., None]).view(shape)
    copies = max(_LEAST_COPIES, -(-_ROTATED_BYTES // packed.nbytes)) if rotated else 1
    return Matrix(
        packed=[packed, *(packed.clone() for _ in range(copies - 1))],
        scale=scale,
        truth=truth,
        bits=bits,
        group=group if bits == 4 else inputs,
    )


LIBRARY_BITS: Final = {
    "cuBLAS, fp16": 16,
    "cuBLAS, int4 unpacked first": 4,
    "torch._weight_int4pack_mm, bf16": 4,
    "torch._int_mm, int8 inputs": 8,
    "torch._scaled_mm, fp8 inputs": 8,
}
"""A weight\'s bits of what torch has."""


def library(rows: int) -> dict[str, Callable[[Tensor, Tensor], Callable[[], Any]]]:
    """What torch has: each makes of inputs and fp32 weights a call that multiplies them."""
    private: Any = torch

    def cublas(x: Tensor, weights: Tensor) -> Callable[[], Any]:
        return partial(torch.nn.functional.linear, x.half(), weights.half())

    def int4(x: Tensor, weights: Tensor) -> Callable[[], Any]:
        outputs, inputs = weights.shape
        random = torch.randint(0, 256, (outputs, inputs // 2), device=x.device)
        packed = private._convert_weight_to_int4pack(random.to(torch.uint8), 8)
        scales = torch.ones(inputs // GROUP, outputs, 2, dtype=torch.bfloat16, device=x.device)
        return partial(private._weight_int4pack_mm, x.bfloat16(), packed, GROUP, scales)

    def int8(x: Tensor, weights: Tensor) -> Callable[[], Any]:
        steps = (weights * 1000).clamp(-127, 127).to(torch.int8)
        return partial(private._int_mm, (x * 20).to(torch.int8), steps.T)

    def fp8(x: Tensor, weights: Tensor) -> Callable[[], Any]:
        narrow = torch.float8_e4m3fn
        one = torch.ones((), device=x.device)
        return partial(
            private._scaled_mm,
            x.to(narrow),
            weights.to(narrow).T,
            scale_a=one,
            scale_b=one,
            out_dtype=torch.float16,
        )

    def first_unpacked(x: Tensor, weights: Tensor) -> Callable[[], Any]:
        matrix = quantize(weights.half(), "int4")
        inputs = x.half()
        return lambda: torch.nn.functional.linear(inputs, unpacked(matrix, torch.float16))

    made = {
        "cuBLAS, fp16": cublas,
        "cuBLAS, int4 unpacked first": first_unpacked,
        "torch._weight_int4pack_mm, bf16": int4,
        "torch._scaled_mm, fp8 inputs": fp8,
    }
    # It takes more than 16 rows only.
    return made | ({"torch._int_mm, int8 inputs": int8} if rows > 16 else {})


def matrices_of(name: str, rows: int) -> int:
    """2 for gates and ups that leave as one."""
    return 2 if name == "gate_up" and rows <= _FUSED_ROWS else 1


def product_of(name: str, shapes: dict[str, tuple[int, int]], rows: int, bits: int) -> Product:
    """What is to be multiplied."""
    outputs, inputs = shapes[name]
    matrices = matrices_of(name, rows)
    return Product(
        rows=rows,
        outputs=outputs // matrices,
        inputs=inputs,
        epilogue=SWIGLU if matrices == 2 else PLAIN,
        bits=bits,
        group=GROUP,
    )


def _splits(tiles: int, blocks: int) -> list[int]:
    """Programs that share a tile, so that a multiprocessor has one, two, four or six of them."""
    wanted = (beside * _MULTIPROCESSORS // tiles for beside in (1, 2, 4, 6))
    return sorted({max(1, min(_MOST_SPLITS, blocks // 2, splits)) for splits in wanted})


def _descriptor(tensor: Tensor, block: list[int]) -> Any:
    # Triton comes with torch's CUDA builds alone, and this part of it with later ones.
    from triton.tools.tensor_descriptor import TensorDescriptor  # noqa: PLC0415

    return TensorDescriptor.from_tensor(tensor, block)
