"""Epilogue: what a decode step does with a product before it leaves the registers."""

import triton
import triton.language as tl

from workers.engines.fast.kernels.cached import narrow


@triton.jit
def _row_scale(sums, rows, fits, eps, ROWS, PROBLEM: tl.constexpr):
    """1 / rms of each row, from partial sums of squares [PARTS, ROWS]."""
    part = tl.arange(0, PROBLEM.parts_room)
    held = tl.load(
        sums + part[None, :] * ROWS + rows[:, None],
        mask=fits[:, None] & (part[None, :] < PROBLEM.parts),
        other=0.0,
    )
    return tl.rsqrt(tl.sum(held, 1) / PROBLEM.inputs + eps)


@triton.jit
def _turn(x, cols, fits, cache, at, BM: tl.constexpr, BN: tl.constexpr, D: tl.constexpr):
    """Rotate neighbouring columns by each row's position."""
    even, odd = tl.split(tl.reshape(x, (BM, BN // 2, 2)))
    pair = (tl.min(cols) + 2 * tl.arange(0, BN // 2)) % D // 2
    spot = at[:, None] * (D // 2) + pair[None, :]
    c = tl.load(cache.cosine + spot, mask=fits[:, None], other=1.0)
    s = tl.load(cache.sine + spot, mask=fits[:, None], other=0.0)
    return tl.reshape(tl.join(even * c - odd * s, even * s + odd * c), (BM, BN))


@triton.jit
def finish(
    acc,
    acc2,
    tile,
    rows,
    cols,
    fits,
    out,
    residual,
    cache,
    eps,
    ROWS,
    PROBLEM: tl.constexpr,
    TILE: tl.constexpr,
):
    """Do what EPILOGUE says (`workers.engines.fast.tiling`) with a block [BM, BN] of a product.

    The block is stored, too.
    """
    N: tl.constexpr = PROBLEM.outputs
    EPILOGUE: tl.constexpr = PROBLEM.epilogue
    D: tl.constexpr = PROBLEM.head_dim
    inside = fits[:, None] & (cols < N)[None, :]
    place = rows[:, None] * N + cols[None, :]
    if EPILOGUE == 0:
        total = tl.load(residual.stream + place, mask=inside, other=0.0).to(tl.float32) + acc
        kept = total.to(out.dtype.element_ty)
        tl.store(out + place, kept, mask=inside)
        wide = tl.where(inside, kept.to(tl.float32), 0.0)
        tl.store(residual.sums_out + tile * ROWS + rows, tl.sum(wide * wide, 1), mask=fits)
    elif EPILOGUE == 1:
        tl.store(out + place, acc.to(out.dtype.element_ty), mask=inside)
    elif EPILOGUE == 4:
        scale = _row_scale(residual.sums_in, rows, fits, eps, ROWS, PROBLEM)
        tl.store(out + place, acc * scale[:, None], mask=inside)
    elif EPILOGUE == 3:
        scale = _row_scale(residual.sums_in, rows, fits, eps, ROWS, PROBLEM)
        gate = acc * scale[:, None]
        up = acc2 * scale[:, None]
        tl.store(out + place, (gate * tl.sigmoid(gate) * up).to(out.dtype.element_ty), mask=inside)
    else:
        scale = _row_scale(residual.sums_in, rows, fits, eps, ROWS, PROBLEM)
        x = acc * scale[:, None]
        at = tl.load(cache.positions + rows, mask=fits, other=0)
        # Queries, then keys, then as many values. A tile never straddles two.
        W: tl.constexpr = PROBLEM.queries
        KW: tl.constexpr = (N - W) // 2
        first = tl.min(cols)
        if first < W + KW:
            x = _turn(x, cols, fits, cache, at, TILE.rows, TILE.outputs, D)
        kept = x.to(out.dtype.element_ty)
        if first < W:
            tl.store(out + rows[:, None] * W + cols[None, :], kept, mask=inside)
        else:
            column = (cols - W) % KW
            head = column // D
            row = (rows[:, None] * (KW // D) + head[None, :]).to(tl.int64)
            slot = (row * PROBLEM.max_len + at[:, None]) * D + (column % D)[None, :]
            if first < W + KW:
                tl.store(cache.past_keys + slot, narrow(kept, cache.past_keys), mask=inside)
            else:
                tl.store(cache.past_values + slot, narrow(kept, cache.past_values), mask=inside)


@triton.jit
def finish_shares(
    acc,
    acc2,
    tile,
    split,
    above,
    rows,
    cols,
    out,
    residual,
    cache,
    shares,
    eps,
    ROWS,
    PROBLEM: tl.constexpr,
    TILE: tl.constexpr,
):
    """`finish` a block [BM, BN] that SPLIT programs have shares of.

    The last of them to arrive adds all shares in their order.
    """
    N: tl.constexpr = PROBLEM.outputs
    EPILOGUE: tl.constexpr = PROBLEM.epilogue
    BM: tl.constexpr = TILE.rows
    BN: tl.constexpr = TILE.outputs
    SPLIT: tl.constexpr = TILE.splits
    TILES: tl.constexpr = (N + BN - 1) // BN
    fits = rows < ROWS
    if SPLIT > 1:
        WAYS: tl.constexpr = 2 if EPILOGUE == 3 else 1
        cell = tl.arange(0, BM)[:, None] * BN + tl.arange(0, BN)[None, :]
        spot = above * TILES + tile
        mine = shares.partials + ((spot * SPLIT + split) * WAYS) * BM * BN
        tl.store(mine + cell, acc)
        if EPILOGUE == 3:
            tl.store(mine + BM * BN + cell, acc2)
        tl.debug_barrier()
        before = tl.atomic_add(shares.arrived + spot, 1, sem="acq_rel", scope="gpu")
        if before == SPLIT - 1:
            acc = tl.zeros((BM, BN), dtype=tl.float32)
            acc2 = acc
            for share in tl.static_range(SPLIT):
                from_share = shares.partials + ((spot * SPLIT + share) * WAYS) * BM * BN
                acc += tl.load(from_share + cell, cache_modifier=".cg")
                if EPILOGUE == 3:
                    acc2 += tl.load(from_share + BM * BN + cell, cache_modifier=".cg")
            tl.store(shares.arrived + spot, 0)
            finish(
                acc, acc2, tile, rows, cols, fits, out, residual, cache, eps, ROWS, PROBLEM, TILE
            )
    else:
        finish(acc, acc2, tile, rows, cols, fits, out, residual, cache, eps, ROWS, PROBLEM, TILE)
