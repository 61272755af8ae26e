"""Grouped attention: one new token's attention where several heads share keys and values."""

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
    MAX_LEN: tl.constexpr,
    SPAN: tl.constexpr,
    PDL: tl.constexpr,
):
    """Queries [rows, kept, group, D] over caches [rows, kept, MAX_LEN, D], each up to its own end.

    As `kernels.attention.attend`, but a program (row and kept head, split) answers for all heads
    of a group, so that each key and value is read once and not once a head.
    """
    KEPT: tl.constexpr = HEADS.kept
    GROUP: tl.constexpr = HEADS.group
    G: tl.constexpr = HEADS.group_room
    D: tl.constexpr = HEADS.head_dim
    BS: tl.constexpr = SPAN.block
    SPLIT: tl.constexpr = SPAN.splits
    pair = tl.program_id(0)
    split = tl.program_id(1)
    row = pair // KEPT
    if PDL:
        gdc_wait()
    length = tl.load(positions + row) + 1
    if SPAN.window:
        oldest = tl.maximum(length - SPAN.window, 0)
    else:
        oldest = 0
    d = tl.arange(0, D)
    member = tl.arange(0, G)
    there = (member < GROUP)[:, None]
    head = pair * GROUP + member
    place = head[:, None] * D + d[None, :]
    q = tl.load(queries + place, mask=there, other=0.0).to(tl.float32) * (
        scale * 1.4426950408889634
    )
    share = tl.cdiv(tl.cdiv(length - oldest, SPLIT), BS) * BS
    begin = oldest + split * share
    end = tl.minimum(begin + share, length)
    base = pair.to(tl.int64) * MAX_LEN * D
    lane = tl.arange(0, BS)
    # Each of BS lanes keeps a softmax of its own over every BS-th position: see `attention`.
    best = tl.full((BS, G), -1e30, dtype=tl.float32)
    mass = tl.zeros((BS, G), dtype=tl.float32)
    acc = tl.zeros((BS, G, D), dtype=tl.float32)
    for first in tl.range(begin, end, BS, num_stages=SPAN.stages):
        at = first + lane
        live = at < end
        spot = base + at[:, None] * D + d[None, :]
        k = tl.load(keys + spot, mask=live[:, None], other=0.0).to(tl.float32)
        v = tl.load(values + spot, mask=live[:, None], other=0.0).to(tl.float32)
        score = tl.sum(k[:, None, :] * q[None, :, :], 2)
        score = tl.where(live[:, None], score, -1e30)
        higher = tl.maximum(best, score)
        shrink = tl.exp2(best - higher)
        p = tl.where(live[:, None], tl.exp2(score - higher), 0.0)
        mass = mass * shrink + p
        acc = acc * shrink[:, :, None] + p[:, :, None] * v[:, None, :]
        best = higher
    if PDL:
        gdc_launch_dependents()
    top = tl.max(best, 0)
    weigh = tl.exp2(best - top[None, :])
    total = tl.sum(mass * weigh, 0)
    mixed = tl.sum(acc * weigh[:, :, None], 0)
    if SPLIT == 1:
        kept = (mixed / total[:, None]).to(out.dtype.element_ty)
        tl.store(out + place, kept, mask=there)
    else:
        room = (pair * SPLIT + split) * GROUP + member
        mine = shares.partials + room * (D + 2)
        tl.store(mine[:, None] + d[None, :], mixed, mask=there)
        tl.store(mine + D, top, mask=member < GROUP)
        tl.store(mine + D + 1, total, mask=member < GROUP)
        tl.debug_barrier()
        before = tl.atomic_add(shares.arrived + pair, 1, sem="acq_rel", scope="gpu")
        if before == SPLIT - 1:
            first_room = pair * SPLIT * GROUP + member
            theirs = shares.partials + first_room * (D + 2)
            fits = member < GROUP
            step: tl.constexpr = GROUP * (D + 2)
            top = tl.full((G,), -1e30, dtype=tl.float32)
            for other in tl.static_range(SPLIT):
                held = tl.load(
                    theirs + other * step + D, mask=fits, other=-1e30, cache_modifier=".cg"
                )
                top = tl.maximum(top, held)
            total = tl.zeros((G,), dtype=tl.float32)
            mixed = tl.zeros((G, D), dtype=tl.float32)
            for other in tl.static_range(SPLIT):
                part = theirs + other * step
                best_of = tl.load(part + D, mask=fits, other=-1e30, cache_modifier=".cg")
                mass_of = tl.load(part + D + 1, mask=fits, other=1.0, cache_modifier=".cg")
                mixed_of = tl.load(
                    part[:, None] + d[None, :], mask=there, other=0.0, cache_modifier=".cg"
                )
                weight = tl.exp2(best_of - top)
                total += weight * mass_of
                mixed += weight[:, None] * mixed_of
            tl.store(shares.arrived + pair, 0)
            kept = (mixed / total[:, None]).to(out.dtype.element_ty)
            tl.store(out + place, kept, mask=there)
