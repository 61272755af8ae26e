"""Unpacking: a quantized matrix made 16 bits wide in memory, for products that cuBLAS does."""

import triton
import triton.language as tl


@triton.jit
def unpack(
    packed,
    scale,
    out,
    N,
    K: tl.constexpr,
    BITS: tl.constexpr,
    GROUP: tl.constexpr,
    BN: tl.constexpr,
):
    """`out` [N, K] of `packed` as `workers.models.packing` lays it out, rounded once.

    Program (block of words, rows) does BN rows of one. `scale` is fp32 [N] for 8 bits, and
    [pairs, N, 2] for 4, where GROUP inputs share one.
    """
    BK: tl.constexpr = 64 * 16 // BITS
    WORDS: tl.constexpr = (K + BK - 1) // BK * 64
    block = tl.program_id(0)
    rows = tl.program_id(1) * BN + tl.arange(0, BN)
    there = (rows < N)[:, None]
    lane = tl.arange(0, 64)
    row = rows.to(tl.int64)[:, None]
    words = tl.load(packed + row * WORDS + (block * 64 + lane)[None, :], mask=there, other=0)
    for plane in tl.static_range(16 // BITS):
        k = block * BK + plane * 64 + lane
        inside = there & (k < K)[None, :]
        if BITS == 8:
            steps = (words << (8 - 8 * plane)).to(tl.int16) >> 8
            by = tl.load(scale + rows, mask=rows < N, other=0.0)[:, None]
        else:
            steps = ((words >> (4 * plane)) & 15) - 8
            if GROUP >= 64:
                group = (block * BK + plane * 64) // GROUP
                at = (group // 2 * N + rows) * 2 + group % 2
                by = tl.load(scale + at, mask=rows < N, other=0.0)[:, None]
            else:
                group = (k // GROUP)[None, :]
                by = tl.load(scale + (group // 2 * N + row) * 2 + group % 2, mask=inside, other=0.0)
        value = steps.to(tl.float32) * by.to(tl.float32)
        tl.store(out + row * K + k[None, :], value.to(out.dtype.element_ty), mask=inside)
