"""Cached: how a number is rounded into the format that a cache keeps it in."""

import triton
import triton.language as tl


@triton.jit
def narrow(x, cache):
    """X in the number format that `cache` points to: fp8 by `_e4m3`, any other by a cast."""
    kind: tl.constexpr = cache.dtype.element_ty
    return _e4m3(x.to(tl.float32)) if kind == tl.float8e4nv else x.to(kind)


@triton.jit
def _e4m3(wide):
    """fp32 to the nearest e4m3, ties to even; beyond 448 is 448, what is no number stays none.

    By whole numbers alone: Triton's interpreter rounds its own casts to fp8 otherwise, and a cast
    compiled for a GPU takes infinity for 448.
    """
    bits = wide.to(tl.uint32, bitcast=True)
    magnitude = bits & 0x7FFFFFFF
    # Exponents are 2^-7 to 2^8 here, 2^-127 on in fp32; 20 of its 23 bits of fraction go.
    rounded = magnitude + 0x7FFFF + ((magnitude >> 20) & 1)
    normal = tl.minimum((rounded >> 20).to(tl.int32) - ((127 - 7) << 3), 0x7E)
    # Below 2^-6 steps are 2^-9, those of fp32 at 2^14: a sum there rounds as they do.
    least = magnitude.to(tl.float32, bitcast=True) + 16384.0
    small = (least.to(tl.uint32, bitcast=True) - 0x46800000).to(tl.int32)
    code = tl.where(magnitude < 0x3C800000, small, normal)
    code = tl.where(magnitude < 0x7F800000, code, 0x7F)
    signed = code | ((bits >> 24) & 0x80).to(tl.int32)
    return signed.to(tl.uint8).to(tl.float8e4nv, bitcast=True)
