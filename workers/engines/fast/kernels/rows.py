"""Rows: what stands between matrix products, one program a row of the residual stream."""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_wait

from workers.engines.fast.kernels.cached import narrow


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
def _turned(x, c, s, HEADS: tl.constexpr, D: tl.constexpr):
    """Neighbours of [HEADS, D] rotated; read and written whole, as halves would move twice."""
    even, odd = tl.split(tl.reshape(x.to(tl.float32), (HEADS, D // 2, 2)))
    turned = tl.join(even * c - odd * s, even * s + odd * c)
    return tl.reshape(turned, (HEADS, D)).to(x.dtype)


@triton.jit
def place(
    fused,
    queries,
    cache,
    rows,
    QUERY_STRIDE,
    HEADS: tl.constexpr,
    H2: tl.constexpr,
    KEPT: tl.constexpr,
    K2: tl.constexpr,
    D: tl.constexpr,
    MAX_LEN: tl.constexpr,
    PACKED: tl.constexpr,
):
    """Rotate a token's queries and keys; put keys and values into the cache, queries beside.

    Token t stands at positions[t] of rows[t]. Queries go to [row, HEADS, QUERY_STRIDE, D] (PACKED,
    padded for prefill's attention) or [row, HEADS, D]; caches have KEPT heads.
    """
    token = tl.program_id(0)
    at = tl.load(cache.positions + token)
    row = tl.load(rows + token)
    half = tl.arange(0, D // 2)
    d = tl.arange(0, D)[None, :]
    head = tl.arange(0, H2)[:, None]
    whole = head < HEADS
    c = tl.load(cache.cosine + at * (D // 2) + half)[None, :]
    s = tl.load(cache.sine + at * (D // 2) + half)[None, :]
    source = fused + token.to(tl.int64) * (HEADS + 2 * KEPT) * D
    first = (row * HEADS + head).to(tl.int64)
    if PACKED:
        to = (first * QUERY_STRIDE + at) * D + d
    else:
        to = first * D + d
    q = tl.load(source + head * D + d, mask=whole, other=0.0)
    tl.store(queries + to, _turned(q, c, s, H2, D), mask=whole)
    kept = tl.arange(0, K2)[:, None]
    held = kept < KEPT
    slot = ((row * KEPT + kept).to(tl.int64) * MAX_LEN + at) * D + d
    k = tl.load(source + (HEADS + kept) * D + d, mask=held, other=0.0)
    v = tl.load(source + (HEADS + KEPT + kept) * D + d, mask=held, other=0.0)
    turned = _turned(k, c, s, K2, D)
    tl.store(cache.past_keys + slot, narrow(turned, cache.past_keys), mask=held)
    tl.store(cache.past_values + slot, narrow(v, cache.past_values), mask=held)
