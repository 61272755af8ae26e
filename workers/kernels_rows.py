"""Triton kernels: what stands between matrix products, one program a row of the residual stream."""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_wait


@triton.jit
def embed(ids, table, out, sums, ROWS, DIM: tl.constexpr, BLOCK: tl.constexpr, PDL: tl.constexpr):
    """Rows of the embedding and their sums of squares."""
    if PDL:
        gdc_wait()
    row = tl.program_id(0)
    token = tl.load(ids + row).to(tl.int64)
    lane = tl.arange(0, BLOCK)
    x = tl.load(table + token * DIM + lane, mask=lane < DIM, other=0.0)
    tl.store(out + row * DIM + lane, x, mask=lane < DIM)
    wide = x.to(tl.float32)
    tl.store(sums + row, tl.sum(wide * wide, 0))


@triton.jit
def add_norm(x, added, out, eps, DIM: tl.constexpr, BLOCK: tl.constexpr, ADD: tl.constexpr):
    """X += added, in place; out = x at unit root mean square."""
    row = tl.program_id(0).to(tl.int64)
    lane = tl.arange(0, BLOCK)
    fits = lane < DIM
    held = tl.load(x + row * DIM + lane, mask=fits, other=0.0)
    if ADD:
        held = (held.to(tl.float32) + tl.load(added + row * DIM + lane, mask=fits, other=0.0)).to(
            held.dtype
        )
        tl.store(x + row * DIM + lane, held, mask=fits)
    wide = held.to(tl.float32)
    scale = tl.rsqrt(tl.sum(wide * wide, 0) / DIM + eps)
    tl.store(out + row * DIM + lane, (wide * scale).to(held.dtype), mask=fits)


@triton.jit
def add_squares(x, added, sums, DIM: tl.constexpr, BLOCK: tl.constexpr):
    """X += added, in place; sums = the squares' sums of its rows."""
    row = tl.program_id(0)
    lane = tl.arange(0, BLOCK)
    fits = lane < DIM
    place = row * DIM + lane
    total = tl.load(x + place, mask=fits, other=0.0).to(tl.float32)
    total += tl.load(added + place, mask=fits, other=0.0).to(tl.float32)
    kept = total.to(x.dtype.element_ty)
    tl.store(x + place, kept, mask=fits)
    wide = tl.where(fits, kept.to(tl.float32), 0.0)
    tl.store(sums + row, tl.sum(wide * wide, 0))


@triton.jit
def gate(both, out, FFN: tl.constexpr, BLOCK: tl.constexpr):
    """silu(gates) * ups of rows [gates, ups]."""
    row = tl.program_id(0).to(tl.int64)
    lane = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    fits = lane < FFN
    g = tl.load(both + row * 2 * FFN + lane, mask=fits, other=0.0).to(tl.float32)
    u = tl.load(both + row * 2 * FFN + FFN + lane, mask=fits, other=0.0).to(tl.float32)
    tl.store(out + row * FFN + lane, (g * tl.sigmoid(g) * u).to(out.dtype.element_ty), mask=fits)


@triton.jit
def place(
    fused,
    queries,
    keys,
    values,
    rows,
    positions,
    cosine,
    sine,
    QUERY_STRIDE,
    HEADS: tl.constexpr,
    H2: tl.constexpr,
    D: tl.constexpr,
    MAX_LEN: tl.constexpr,
    PACKED: tl.constexpr,
):
    """Rotate a token's queries and keys; put keys and values into the cache, queries beside.

    Token t stands at positions[t] of rows[t]. Queries go to [row, HEADS, QUERY_STRIDE, D] (PACKED,
    padded for prefill's attention) or [row, HEADS, D].
    """
    token = tl.program_id(0)
    at = tl.load(positions + token)
    row = tl.load(rows + token)
    half = tl.arange(0, D // 2)
    head = tl.arange(0, H2)
    whole = (head < HEADS)[:, None]
    c = tl.load(cosine + at * (D // 2) + half)[None, :]
    s = tl.load(sine + at * (D // 2) + half)[None, :]
    source = fused + token.to(tl.int64) * 3 * HEADS * D + head[:, None] * D + 2 * half[None, :]
    lane = head[:, None]
    if PACKED:
        to = ((row * HEADS + lane).to(tl.int64) * QUERY_STRIDE + at) * D + 2 * half[None, :]
    else:
        to = (row * HEADS + lane).to(tl.int64) * D + 2 * half[None, :]
    slot = ((row * HEADS + lane).to(tl.int64) * MAX_LEN + at) * D + 2 * half[None, :]
    even = tl.load(source, mask=whole).to(tl.float32)
    odd = tl.load(source + 1, mask=whole).to(tl.float32)
    kind = queries.dtype.element_ty
    tl.store(queries + to, (even * c - odd * s).to(kind), mask=whole)
    tl.store(queries + to + 1, (even * s + odd * c).to(kind), mask=whole)
    even = tl.load(source + HEADS * D, mask=whole).to(tl.float32)
    odd = tl.load(source + HEADS * D + 1, mask=whole).to(tl.float32)
    tl.store(keys + slot, (even * c - odd * s).to(kind), mask=whole)
    tl.store(keys + slot + 1, (even * s + odd * c).to(kind), mask=whole)
    tl.store(values + slot, tl.load(source + 2 * HEADS * D, mask=whole), mask=whole)
    tl.store(values + slot + 1, tl.load(source + 2 * HEADS * D + 1, mask=whole), mask=whole)
