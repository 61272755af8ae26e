"""Fp8: what a product of e4m3 numbers is multiplied by, rounded to them one row at a time."""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait


@triton.jit
def _nearest(x):
    """The e4m3 number nearest to each x of at most 448, to even where two are; NaN stays NaN.

    Said here, not left to the conversion, so that interpreted and compiled kernels round alike.
    """
    power = (x.to(tl.int32, bitcast=True) & 0x7F800000).to(tl.float32, bitcast=True)
    # Steps are an eighth of the power of two below, and 2**-9 below 2**-6. Added to 1.5 x 2**23
    # steps, a number is rounded to whole ones by fp32 itself; 1.5 leaves room for either sign.
    shift = tl.maximum(power, 0.015625) * 1572864.0
    return (x + shift) - shift


@triton.jit
def round_rows(x, out, scale, DIM: tl.constexpr, BLOCK: tl.constexpr, PDL: tl.constexpr):
    """E4m3 numbers of each row and the fp32 scale that gives them back; 448 is its largest."""
    if PDL:
        # The product behind asks for its weights meanwhile, and waits for this kernel's end.
        gdc_launch_dependents()
        gdc_wait()
    row = tl.program_id(0).to(tl.int64)
    lane = tl.arange(0, BLOCK)
    fits = lane < DIM
    held = tl.load(x + row * DIM + lane, mask=fits, other=0.0).to(tl.float32)
    step = tl.div_rn(tl.max(tl.abs(held), 0), 448.0)
    # Below fp32's least normal number a reciprocal would be inf.
    step = tl.where(step < 1.1754943508222875e-38, 1.0, step)
    # inf times the 0 of its own scale is NaN; NaN is one whatever the others' largest is.
    rounded = _nearest(held * tl.div_rn(1.0, step))
    tl.store(out + row * DIM + lane, rounded.to(tl.float8e4nv), mask=fits)
    tl.store(scale + row, step)
