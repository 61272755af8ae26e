"""Quantization: weights rounded to 8 or 4 bits with scales beside them.

Every weight is rounded to the nearest multiple of its scale; no data calibrate anything. What is
left to choose is the scale:

- `int8`, one a row: the largest magnitude / 127, in fp32, as LLM.int8() rounds (arXiv 2208.07339).
  torchao's weight-only int8 divides by 127.5 and clips the largest by half a step.
- `int4`, one a group: the weight of largest magnitude m gives m / -d, sign included, for the `d` of
  `_INT4_DIVISORS` whose rounded weights are nearest to the group by squared error. The sign puts m
  at -8, the end that has one step more (the rule of llama.cpp's Q4_0, which is d = 8 alone); a
  larger d clips m for finer steps (the code of GPTQ, arXiv 2210.17323, searches a grid of clips).
  So a scale may be negative.
- `fp8`, one a row: the largest magnitude / 448, e4m3's largest number, in fp32. Its products are of
  activations rounded likewise when they come, one scale a row of them, summed in fp32; `int8` and
  `int4` leave activations as they are.

How `int8` and `int4` lie in memory is told by `workers.models.packing`; `fp8` is a plain matrix.
"""

from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as nnf
from torch import Tensor

from workers.models.packing import pack, pair_scales, unpack, unpair_scales
from workers.planning.weight_formats import (
    FP8,
    INT4_BITS,
    INT8_BITS,
    group_size,
    row_words,
    scale_pairs,
)

E4M3: Final = torch.float8_e4m3fn
"""Four bits of exponent and three of mantissa, without infinities (arXiv 2209.05433)."""
E4M3_MOST: Final = torch.finfo(E4M3).max
"""448: beyond it lies NaN."""

_INT8_MOST: Final = 127
_INT4_LEAST: Final = -8
_INT4_MOST: Final = 7
# Measured as relative rms error of normal weights in groups of 128: absmax / 7 errs by 11.7 %,
# absmax / 7.5 (torchao, symmetric) by 11.1 %, m / -8 by 10.3 %, the best of these by 9.7 %, and of
# a grid of 60 with both signs by 9.7 % too.
_INT4_DIVISORS: Final = (8.0, 8.5, 9.0, 9.5, 10.0)
# Rows are rounded a strip of so many weights at a time: five fp32 copies of it, 170 MB, at once.
_STRIP: Final = 1 << 23
_MATRIX: Final = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantized:
    """One rank's quantized slice of a matrix of `outputs` x `inputs`."""

    bits: int
    """8 or 4."""
    inputs: int
    """Of the matrix; a row of `packed` may hold more."""
    packed: Tensor
    """int16 [outputs, words of a row] of two or four weights each, or e4m3 [outputs, inputs]."""
    scale: Tensor
    """fp32 [outputs], or [pairs of groups, outputs, 2] in the run's number format; never 0."""
    group: int
    """Neighbours in a row that share a scale; all `inputs` for 8 bits."""

    def __post_init__(self) -> None:
        if self.bits not in {INT8_BITS, INT4_BITS}:
            raise ValueError(f"`bits` must be 8 or 4, but is {self.bits!r} instead")
        by_row = self.bits == INT8_BITS
        outputs, inputs = self.shape
        as_stored = by_row and self.rounds_inputs
        kind = E4M3 if as_stored else torch.int16
        columns = inputs if as_stored else row_words(inputs, self.bits)
        if self.packed.dtype != kind or tuple(self.packed.shape) != (outputs, columns):
            raise ValueError(
                f"`packed` must be {kind} [{outputs}, {columns}] for {inputs} inputs of "
                f"{self.bits} bits, but is {self.packed.dtype} {list(self.packed.shape)} instead"
            )
        if self.group < 1 or inputs % self.group or (by_row and self.group != inputs):
            raise ValueError(
                f"`group` must divide the {inputs} inputs and be all of them for 8 bits, "
                f"but is {self.group} instead"
            )
        scales = (outputs,) if by_row else (scale_pairs(inputs, self.group), outputs, 2)
        if tuple(self.scale.shape) != scales:
            raise ValueError(
                f"`scale` must have the shape {list(scales)}, "
                f"but has {list(self.scale.shape)} instead"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs of the matrix."""
        return len(self.packed), self.inputs

    @property
    def rounds_inputs(self) -> bool:
        """True of fp8: what the matrix is multiplied by is rounded to e4m3 too."""
        return self.packed.dtype == E4M3

    @property
    def nbytes(self) -> int:
        """Bytes of packed weights and scales as they lie in memory."""
        return self.packed.nbytes + self.scale.nbytes

    @property
    def number_bytes(self) -> int:
        """Bytes of the weights and scales themselves, without what fills a row's last block."""
        outputs, inputs = self.shape
        scales = outputs * (inputs // self.group) * self.scale.element_size()
        return outputs * inputs * self.bits // 8 + scales


def quantize(weight: Tensor, name: str) -> Quantized:
    """Round `weight` [outputs, inputs] on its own device; `name` is `int8`, `fp8` or `int4`.

    Raises:
        ValueError: there is no such quantization, the weights are no matrix or not all finite, or
            their inputs cannot be grouped.
    """
    if name not in _ROUNDED:
        raise ValueError(f"`name` must be {', '.join(_ROUNDED)}, but is {name!r} instead")
    if weight.dim() != _MATRIX or not weight.is_floating_point() or 0 in weight.shape:
        raise ValueError(
            f"`weight` must be a matrix of real numbers, "
            f"but is {weight.dtype} {list(weight.shape)} instead"
        )
    inputs = weight.shape[1]
    group = group_size(inputs) if name == "int4" else inputs
    weight = weight.detach()
    # A number that is not finite would turn its whole row or group into garbage without a word.
    finite = int(torch.isfinite(weight).sum())
    if finite != weight.numel():
        raise ValueError(
            f"`weight` must be finite to be quantized, but {weight.numel() - finite} of its "
            f"{weight.numel()} numbers are inf or nan instead"
        )
    rounded = _ROUNDED[name]
    rows = max(1, _STRIP // inputs)
    bits = INT4_BITS if name == "int4" else INT8_BITS
    packed, scales = [], []
    for at in range(0, len(weight), rows):
        steps, scale = rounded(weight[at : at + rows], group)
        packed.append(steps if name == FP8 else pack(steps, bits))
        scales.append(scale)
    scale = torch.cat(scales)
    return Quantized(
        bits=bits,
        inputs=inputs,
        packed=torch.cat(packed),
        scale=pair_scales(scale, inputs) if name == "int4" else scale,
        group=group,
    )


def dequantize(quantized: Quantized, dtype: torch.dtype) -> Tensor:
    """The matrix [outputs, inputs] that the rounded weights stand for, rounded to `dtype`."""
    outputs, inputs = quantized.shape
    if quantized.rounds_inputs:
        return (quantized.packed.float() * quantized.scale[:, None]).to(dtype)
    steps = unpack(quantized.packed, quantized.bits, inputs)
    if quantized.bits == INT8_BITS:
        return (steps.float() * quantized.scale[:, None]).to(dtype)
    scale = unpair_scales(quantized.scale, inputs // quantized.group)
    grouped = steps.view(outputs, -1, quantized.group)
    return (grouped.float() * scale.float()[..., None]).to(dtype).view(outputs, inputs)


def linear(x: Tensor, quantized: Quantized) -> Tensor:
    """[..., inputs] to [..., outputs] in `x`'s number format; what every kernel is held to.

    The weights are widened to that format first: products of fp16 with whole numbers up to 127,
    scaled only after, would leave its range. Of fp8 both sides are widened to fp32, which holds
    every product of theirs: what units for e4m3 compute, without them.
    """
    if quantized.rounds_inputs:
        rounded, scale = round_rows(x)
        sums = nnf.linear(rounded.float(), quantized.packed.float())
        return (sums * scale * quantized.scale).to(x.dtype)
    return nnf.linear(x, dequantize(quantized, x.dtype))


def round_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """E4m3 numbers of `x` [..., inputs], and the fp32 scales [..., 1] that give them back.

    A row's largest magnitude becomes 448. A row that is not finite becomes NaN, never a number.
    """
    wide = x.float()
    scale = wide.abs().amax(dim=-1, keepdim=True) / E4M3_MOST
    # Below fp32's least normal number a reciprocal would be inf.
    scale = torch.where(scale < torch.finfo(torch.float32).tiny, 1.0, scale)
    # A product a rounding above 448 is 448; `clamp` leaves NaN alone, as inf x 0 comes to be.
    return (wide * scale.reciprocal()).clamp_(-E4M3_MOST, E4M3_MOST).to(E4M3), scale


def _round_int8(weight: Tensor, _: int) -> tuple[Tensor, Tensor]:
    wide = weight.float()
    scale = _above_zero(wide.abs().amax(dim=1) / _INT8_MOST)
    steps = (wide / scale[:, None]).round_().clamp_(-_INT8_MOST, _INT8_MOST)
    return steps.to(torch.int8), scale


def _round_fp8(weight: Tensor, _: int) -> tuple[Tensor, Tensor]:
    packed, scale = round_rows(weight)
    return packed, scale[:, 0]


def _round_int4(weight: Tensor, group: int) -> tuple[Tensor, Tensor]:
    wide = weight.float().view(weight.shape[0], -1, group)
    largest = wide.gather(-1, wide.abs().argmax(dim=-1, keepdim=True))
    best_error: Tensor | None = None
    best = largest
    for divisor in _INT4_DIVISORS:
        # Rounded to the run's format first, so that weights are rounded to what will be read.
        scale = _above_zero((largest / -divisor).to(weight.dtype)).float()
        error = _steps(wide, scale).mul_(scale).sub_(wide).square_().sum(dim=-1, keepdim=True)
        if best_error is None:
            best_error, best = error, scale
        else:
            best = torch.where(error < best_error, scale, best)
            best_error = torch.minimum(error, best_error)
    steps = _steps(wide, best).view(weight.shape).to(torch.int8)
    return steps, best.squeeze(-1).to(weight.dtype)


def _steps(wide: Tensor, scale: Tensor) -> Tensor:
    return (wide / scale).round_().clamp_(_INT4_LEAST, _INT4_MOST)


def _above_zero(scale: Tensor) -> Tensor:
    """1 where a scale is 0: all weights are 0 there, or too small for the format's least step."""
    return torch.where(scale == 0, 1.0, scale)


_ROUNDED: Final = {"int8": _round_int8, FP8: _round_fp8, "int4": _round_int4}
