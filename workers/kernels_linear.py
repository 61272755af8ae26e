"""Triton kernels: a decode step's matrix products, with what follows each one folded in.

At a few dozen rows a product costs what reading its weights costs, so each kernel reads them once and
does the rest (norm's scale, rotation, cache write, SwiGLU, residual sum) on its way out. RMSNorm's
weights are folded into the matrix beforehand; its scale is one number a row, applied at the end, from
sums of squares that the kernel before left behind.
"""

from typing import Final

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

RESIDUAL: Final = 0
PLAIN: Final = 1
QKV: Final = 2
SWIGLU: Final = 3
LOGITS: Final = 4


@triton.jit
def _row_scale(
    sums, rows, fits, eps, DIM: tl.constexpr, ROWS, PARTS: tl.constexpr, P2: tl.constexpr
):
    """1 / rms of each row, from partial sums of squares [PARTS, ROWS]."""
    part = tl.arange(0, P2)
    held = tl.load(
        sums + part[None, :] * ROWS + rows[:, None],
        mask=fits[:, None] & (part[None, :] < PARTS),
        other=0.0,
    )
    return tl.rsqrt(tl.sum(held, 1) / DIM + eps)


@triton.jit
def _turn(
    x, rows, cols, fits, cosine, sine, at, BM: tl.constexpr, BN: tl.constexpr, D: tl.constexpr
):
    """Rotate neighbouring columns by each row's position."""
    even, odd = tl.split(tl.reshape(x, (BM, BN // 2, 2)))
    pair = (tl.min(cols) + 2 * tl.arange(0, BN // 2)) % D // 2
    spot = at[:, None] * (D // 2) + pair[None, :]
    c = tl.load(cosine + spot, mask=fits[:, None], other=1.0)
    s = tl.load(sine + spot, mask=fits[:, None], other=0.0)
    return tl.reshape(tl.join(even * c - odd * s, even * s + odd * c), (BM, BN))


@triton.jit
def _finish(
    acc,
    acc2,
    tile,
    rows,
    cols,
    fits,
    out,
    residual,
    sums_in,
    sums_out,
    keys,
    values,
    positions,
    cosine,
    sine,
    eps,
    ROWS,
    N: tl.constexpr,
    K: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    EPILOGUE: tl.constexpr,
    PARTS: tl.constexpr,
    P2: tl.constexpr,
    D: tl.constexpr,
    MAX_LEN: tl.constexpr,
):
    inside = fits[:, None] & (cols < N)[None, :]
    place = rows[:, None] * N + cols[None, :]
    if EPILOGUE == 0:
        total = tl.load(residual + place, mask=inside, other=0.0).to(tl.float32) + acc
        kept = total.to(out.dtype.element_ty)
        tl.store(out + place, kept, mask=inside)
        wide = tl.where(inside, kept.to(tl.float32), 0.0)
        tl.store(sums_out + tile * ROWS + rows, tl.sum(wide * wide, 1), mask=fits)
    elif EPILOGUE == 1:
        tl.store(out + place, acc.to(out.dtype.element_ty), mask=inside)
    elif EPILOGUE == 4:
        scale = _row_scale(sums_in, rows, fits, eps, K, ROWS, PARTS, P2)
        tl.store(out + place, acc * scale[:, None], mask=inside)
    elif EPILOGUE == 3:
        scale = _row_scale(sums_in, rows, fits, eps, K, ROWS, PARTS, P2)
        gate = acc * scale[:, None]
        up = acc2 * scale[:, None]
        tl.store(out + place, (gate * tl.sigmoid(gate) * up).to(out.dtype.element_ty), mask=inside)
    else:
        scale = _row_scale(sums_in, rows, fits, eps, K, ROWS, PARTS, P2)
        x = acc * scale[:, None]
        at = tl.load(positions + rows, mask=fits, other=0)
        # A third of the columns each: queries, keys, values. A tile never straddles two.
        W: tl.constexpr = N // 3
        first = tl.min(cols)
        column = cols % W
        if first < 2 * W:
            x = _turn(x, rows, cols, fits, cosine, sine, at, BM, BN, D)
        kept = x.to(out.dtype.element_ty)
        if first < W:
            tl.store(out + rows[:, None] * W + column[None, :], kept, mask=inside)
        else:
            head = column // D
            slot = (rows[:, None] * (W // D) + head[None, :]).to(tl.int64) * MAX_LEN + at[:, None]
            slot = slot * D + (column % D)[None, :]
            if first < 2 * W:
                tl.store(keys + slot, kept, mask=inside)
            else:
                tl.store(values + slot, kept, mask=inside)


@triton.jit
def linear(
    x_ptr,
    w_ptr,
    scale_ptr,
    out,
    residual,
    sums_in,
    sums_out,
    keys,
    values,
    positions,
    cosine,
    sine,
    partials,
    arrived,
    eps,
    ROWS,
    N: tl.constexpr,
    K: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    SPLIT: tl.constexpr,
    EPILOGUE: tl.constexpr,
    BITS: tl.constexpr,
    GROUP: tl.constexpr,
    PARTS: tl.constexpr,
    P2: tl.constexpr,
    D: tl.constexpr,
    MAX_LEN: tl.constexpr,
    STAGES: tl.constexpr,
    TMA: tl.constexpr,
):
    """[ROWS, K] by weights [N, K] (SWIGLU: [2 N, K], gates above ups), then EPILOGUE.

    Program (tile and split, rows) sums its share of K; the last of a tile's splits to arrive adds all shares
    in their order, so that the result never hangs on who was first. With TMA, x_ptr and w_ptr are
    tensor descriptors of blocks [BM, BK] and [BN, BK], which Hopper's copy unit fetches by itself; K
    must be a multiple of BK without.
    """
    TILES: tl.constexpr = (N + BN - 1) // BN
    BLOCKS: tl.constexpr = (K + BK - 1) // BK
    tile = tl.program_id(0) % TILES
    split = tl.program_id(0) // TILES
    above = tl.program_id(1)
    rows = above * BM + tl.arange(0, BM)
    fits = rows < ROWS
    cols = tile * BN + tl.arange(0, BN)
    if N % BN == 0:
        safe = cols
    else:
        safe = tl.where(cols < N, cols, 0)
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    acc2 = acc
    if EPILOGUE == 3:
        acc2 = tl.zeros((BM, BN), dtype=tl.float32)
    begin = split * BLOCKS // SPLIT
    end = (split + 1) * BLOCKS // SPLIT
    if BITS == 4:
        HALF: tl.constexpr = BK // 2
        lane = tl.arange(0, HALF)
        for block in tl.range(begin, end, num_stages=STAGES):
            low = tl.load(
                x_ptr + rows[:, None] * K + (block * BK + lane)[None, :],
                mask=fits[:, None],
                other=0.0,
            )
            high = tl.load(
                x_ptr + rows[:, None] * K + (block * BK + HALF + lane)[None, :],
                mask=fits[:, None],
                other=0.0,
            )
            spot = safe[None, :] * (K // 2) + (block * HALF + lane)[:, None]
            packed = tl.load(w_ptr + spot)
            s = tl.load(scale_ptr + safe * (K // BK) + block).to(tl.float32)
            part = tl.dot(low, ((packed & 15).to(tl.int8) - 8).to(x_ptr.dtype.element_ty))
            part = tl.dot(high, ((packed >> 4).to(tl.int8) - 8).to(x_ptr.dtype.element_ty), part)
            acc += part * s[None, :]
            if EPILOGUE == 3:
                packed = tl.load(w_ptr + N * (K // 2) + spot)
                s = tl.load(scale_ptr + (N + safe) * (K // BK) + block).to(tl.float32)
                part = tl.dot(low, ((packed & 15).to(tl.int8) - 8).to(x_ptr.dtype.element_ty))
                part = tl.dot(
                    high, ((packed >> 4).to(tl.int8) - 8).to(x_ptr.dtype.element_ty), part
                )
                acc2 += part * s[None, :]
    elif TMA:
        for block in tl.range(begin, end, num_stages=STAGES):
            x = x_ptr.load([above * BM, block * BK])
            acc = tl.dot(x, w_ptr.load([tile * BN, block * BK]).T, acc)
            if EPILOGUE == 3:
                acc2 = tl.dot(x, w_ptr.load([N + tile * BN, block * BK]).T, acc2)
    else:
        lane = tl.arange(0, BK)
        for block in tl.range(begin, end, num_stages=STAGES):
            k = block * BK + lane
            x = tl.load(x_ptr + rows[:, None] * K + k[None, :], mask=fits[:, None], other=0.0)
            spot = safe[None, :] * K + k[:, None]
            acc = tl.dot(x, tl.load(w_ptr + spot).to(x.dtype), acc)
            if EPILOGUE == 3:
                acc2 = tl.dot(x, tl.load(w_ptr + N * K + spot).to(x.dtype), acc2)
        if BITS == 8:
            acc *= tl.load(scale_ptr + safe)[None, :]
            if EPILOGUE == 3:
                acc2 *= tl.load(scale_ptr + N + safe)[None, :]
    if SPLIT > 1:
        WAYS: tl.constexpr = 2 if EPILOGUE == 3 else 1
        cell = tl.arange(0, BM)[:, None] * BN + tl.arange(0, BN)[None, :]
        spot = above * TILES + tile
        mine = partials + ((spot * SPLIT + split) * WAYS) * BM * BN
        tl.store(mine + cell, acc)
        if EPILOGUE == 3:
            tl.store(mine + BM * BN + cell, acc2)
        tl.debug_barrier()
        before = tl.atomic_add(arrived + spot, 1, sem="acq_rel", scope="gpu")
        if before == SPLIT - 1:
            acc = tl.zeros((BM, BN), dtype=tl.float32)
            acc2 = acc
            for share in tl.static_range(SPLIT):
                from_share = partials + ((spot * SPLIT + share) * WAYS) * BM * BN
                acc += tl.load(from_share + cell, cache_modifier=".cg")
                if EPILOGUE == 3:
                    acc2 += tl.load(from_share + BM * BN + cell, cache_modifier=".cg")
            tl.store(arrived + spot, 0)
            _finish(
                acc, acc2, tile, rows, cols, fits, out, residual, sums_in, sums_out, keys, values,
                positions, cosine, sine, eps, ROWS, N, K, BM, BN, EPILOGUE, PARTS, P2, D, MAX_LEN,
            )  # fmt: skip
    else:
        _finish(
            acc, acc2, tile, rows, cols, fits, out, residual, sums_in, sums_out, keys, values,
            positions, cosine, sine, eps, ROWS, N, K, BM, BN, EPILOGUE, PARTS, P2, D, MAX_LEN,
        )  # fmt: skip


@triton.jit
def vector(
    x_ptr,
    w_ptr,
    scale_ptr,
    out,
    residual,
    sums_in,
    sums_out,
    keys,
    values,
    positions,
    cosine,
    sine,
    eps,
    N: tl.constexpr,
    K: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    EPILOGUE: tl.constexpr,
    BITS: tl.constexpr,
    GROUP: tl.constexpr,
    PARTS: tl.constexpr,
    P2: tl.constexpr,
    D: tl.constexpr,
    MAX_LEN: tl.constexpr,
    STAGES: tl.constexpr,
    PDL: tl.constexpr,
):
    """`linear` for a single row: no matrix unit, weights go from memory to registers once."""
    tile = tl.program_id(0)
    rows = tl.arange(0, 1)
    fits = rows < 1
    cols = tile * BN + tl.arange(0, BN)
    if N % BN == 0:
        safe = cols
    else:
        safe = tl.where(cols < N, cols, 0)
    lane = tl.arange(0, BK)
    if PDL:
        gdc_wait()
    acc = tl.zeros((BN, BK), dtype=tl.float32)
    acc2 = acc
    if BITS == 4:
        # A packed block holds BK bytes: 2 BK inputs, in groups of GROUP.
        for block in tl.range(0, K // (2 * BK), num_stages=STAGES):
            byte = block * BK + lane
            group = byte // (GROUP // 2)
            k = group * GROUP + byte % (GROUP // 2)
            low = tl.load(x_ptr + k).to(tl.float32)
            high = tl.load(x_ptr + k + GROUP // 2).to(tl.float32)
            spot = safe[:, None] * (K // 2) + byte[None, :]
            packed = tl.load(w_ptr + spot)
            s = tl.load(scale_ptr + safe[:, None] * (K // GROUP) + group[None, :]).to(tl.float32)
            a = ((packed & 15).to(tl.int8) - 8).to(tl.float32)
            b = ((packed >> 4).to(tl.int8) - 8).to(tl.float32)
            acc += (a * low[None, :] + b * high[None, :]) * s
            if EPILOGUE == 3:
                packed = tl.load(w_ptr + N * (K // 2) + spot)
                s = tl.load(scale_ptr + (N + safe)[:, None] * (K // GROUP) + group[None, :])
                a = ((packed & 15).to(tl.int8) - 8).to(tl.float32)
                b = ((packed >> 4).to(tl.int8) - 8).to(tl.float32)
                acc2 += (a * low[None, :] + b * high[None, :]) * s.to(tl.float32)
    else:
        for block in tl.range(0, (K + BK - 1) // BK, num_stages=STAGES):
            k = block * BK + lane
            whole = k < K
            x = tl.load(x_ptr + k, mask=whole, other=0.0).to(tl.float32)
            spot = safe[:, None] * K + k[None, :]
            w = tl.load(w_ptr + spot, mask=whole[None, :], other=0.0)
            acc += w.to(tl.float32) * x[None, :]
            if EPILOGUE == 3:
                w2 = tl.load(w_ptr + N * K + spot, mask=whole[None, :], other=0.0)
                acc2 += w2.to(tl.float32) * x[None, :]
    if PDL:
        gdc_launch_dependents()
    total = tl.sum(acc, 1)
    total2 = total
    if EPILOGUE == 3:
        total2 = tl.sum(acc2, 1)
    if BITS == 8:
        total *= tl.load(scale_ptr + safe)
        if EPILOGUE == 3:
            total2 *= tl.load(scale_ptr + N + safe)
    _finish(
        total[None, :], total2[None, :], tile, rows, cols, fits, out, residual, sums_in, sums_out,
        keys, values, positions, cosine, sine, eps, 1, N, K, 1, BN, EPILOGUE, PARTS, P2, D, MAX_LEN,
    )  # fmt: skip
