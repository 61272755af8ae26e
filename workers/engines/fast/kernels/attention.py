"""Attention: one new token's attention over each row's own past."""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait


@triton.jit
def attend(
    queries,
    keys,
    values,
    positions,
    out,
    shares,
    scale,
    HEADS: tl.constexpr,
    D: tl.constexpr,
    MAX_LEN: tl.constexpr,
    SPAN: tl.constexpr,
    PDL: tl.constexpr,
):
    """Queries [rows, HEADS, D] over caches [rows, HEADS, MAX_LEN, D], each up to its own position.

    Program (row and head, split) takes its share of the positions; the last to arrive joins them.
    """
    BS: tl.constexpr = SPAN.block
    SPLIT: tl.constexpr = SPAN.splits
    pair = tl.program_id(0)
    split = tl.program_id(1)
    row = pair // HEADS
    if PDL:
        gdc_wait()
    length = tl.load(positions + row) + 1
    d = tl.arange(0, D)
    q = tl.load(queries + pair * D + d).to(tl.float32) * (scale * 1.4426950408889634)
    if SPAN.window:
        oldest = tl.maximum(length - SPAN.window, 0)
    else:
        oldest = 0
    share = tl.cdiv(tl.cdiv(length - oldest, SPLIT), BS) * BS
    begin = oldest + split * share
    end = tl.minimum(begin + share, length)
    base = pair.to(tl.int64) * MAX_LEN * D
    lane = tl.arange(0, BS)
    # Each of BS lanes keeps a softmax of its own over every BS-th position: threads meet once, at
    # the end, and until then nothing stands between a load and the next.
    best = tl.full((BS,), -1e30, dtype=tl.float32)
    mass = tl.zeros((BS,), dtype=tl.float32)
    acc = tl.zeros((BS, D), dtype=tl.float32)
    for first in tl.range(begin, end, BS, num_stages=SPAN.stages):
        at = first + lane
        live = at < end
        spot = base + at[:, None] * D + d[None, :]
        k = tl.load(keys + spot, mask=live[:, None], other=0.0)
        v = tl.load(values + spot, mask=live[:, None], other=0.0)
        score = tl.where(live, tl.sum(k.to(tl.float32) * q[None, :], 1), -1e30)
        higher = tl.maximum(best, score)
        shrink = tl.exp2(best - higher)
        p = tl.where(live, tl.exp2(score - higher), 0.0)
        mass = mass * shrink + p
        acc = acc * shrink[:, None] + p[:, None] * v.to(tl.float32)
        best = higher
    if PDL:
        gdc_launch_dependents()
    top = tl.max(best, 0)
    weigh = tl.exp2(best - top)
    total = tl.sum(mass * weigh, 0)
    mixed = tl.sum(acc * weigh[:, None], 0)
    if SPLIT == 1:
        tl.store(out + pair * D + d, (mixed / total).to(out.dtype.element_ty))
    else:
        mine = shares.partials + (pair * SPLIT + split) * (D + 2)
        tl.store(mine + d, mixed)
        tl.store(mine + D, top)
        tl.store(mine + D + 1, total)
        tl.debug_barrier()
        before = tl.atomic_add(shares.arrived + pair, 1, sem="acq_rel", scope="gpu")
        if before == SPLIT - 1:
            theirs = shares.partials + pair * SPLIT * (D + 2)
            top = -1e30
            for other in tl.static_range(SPLIT):
                held = tl.load(theirs + other * (D + 2) + D, cache_modifier=".cg")
                top = tl.maximum(top, held)
            total = 0.0
            mixed = tl.zeros((D,), dtype=tl.float32)
            for other in tl.static_range(SPLIT):
                part = theirs + other * (D + 2)
                weight = tl.exp2(tl.load(part + D, cache_modifier=".cg") - top)
                total += weight * tl.load(part + D + 1, cache_modifier=".cg")
                mixed += weight * tl.load(part + d, cache_modifier=".cg")
            tl.store(shares.arrived + pair, 0)
            tl.store(out + pair * D + d, (mixed / total).to(out.dtype.element_ty))
