"""Linear: a decode step's matrix products, with what follows each one folded in.

Weights have 16 bits here, or are e4m3 and multiply e4m3 inputs; `widening` takes the others. At a
few dozen rows a product costs what reading its weights costs, so each kernel reads them once and
does the rest (norm's scale, rotation, cache write, SwiGLU, residual sum) on its way out.
RMSNorm's weights are folded into the matrix beforehand; its scale is one number a row, applied at
the end, from sums of squares that the kernel before left behind.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from workers.engines.fast.kernels.epilogue import finish, finish_shares

# Products of e4m3 that Hopper's matrix unit sums in registers of its own, which keep some 14 bits;
# then they are added in fp32 (arXiv 2412.19437, 3.3.2: 128 of them).
_UNIT_SUMS = tl.constexpr(128)


@triton.jit
def _prefetch(address):
    tl.inline_asm_elementwise(
        "prefetch.global.L2 [$1]; mov.u32 $0, 0;",
        "=r,l",
        [address],
        dtype=tl.int32,
        is_pure=False,
        pack=1,
    )


@triton.jit
def inputs_block(
    x,
    row,
    k,
    ROWS,
    K: tl.constexpr,
    BM: tl.constexpr,
    BK: tl.constexpr,
    STEP: tl.constexpr,
    TMA: tl.constexpr,
):
    """A block of inputs, [BM, BK], of as many as STEP that are asked for together; 0 beyond K."""
    if TMA:
        block = x.load([row, k])
    else:
        rows = row + tl.arange(0, BM)
        columns = k + tl.arange(0, BK)
        place = rows[:, None] * K + columns[None, :]
        fits = (rows < ROWS)[:, None]
        if K % STEP:
            fits = fits & (columns < K)[None, :]
        block = tl.load(x + place, mask=fits, other=0.0)
    return block


@triton.jit
def weights_block(
    w,
    row,
    k,
    N: tl.constexpr,
    K: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    TMA: tl.constexpr,
):
    """A block of weights as they lie in memory, [BN, BK]."""
    if TMA:
        block = w.load([row, k])
    else:
        rows = row + tl.arange(0, BN)
        rows = tl.where(rows < N, rows, 0)
        columns = k + tl.arange(0, BK)
        place = rows[:, None] * K + columns[None, :]
        if K % BK:
            block = tl.load(w + place, mask=(columns < K)[None, :], other=0.0)
        else:
            block = tl.load(w + place)
    return block


@triton.jit
def linear(
    x_ptr,
    w_ptr,
    weights,
    out,
    residual,
    cache,
    shares,
    eps,
    ROWS,
    PROBLEM: tl.constexpr,
    TILE: tl.constexpr,
    PDL: tl.constexpr,
):
    """[ROWS, K] by weights [N, K] (SWIGLU: [2 N, K], gates above ups), then EPILOGUE.

    Program (tile and split, rows) sums its share of K; the last of a tile's splits to arrive adds
    all shares in their order, so that the result never hangs on who was first. With TMA, x_ptr and
    w_ptr are tensor descriptors of blocks [BM, BK] and [BN, BK], which Hopper's copy unit fetches
    by itself. Beyond a row's end both are 0: 7B's down has 2752 = 21.5 x 128 inputs on 4 ranks.
    """
    N: tl.constexpr = PROBLEM.outputs
    K: tl.constexpr = PROBLEM.inputs
    EPILOGUE: tl.constexpr = PROBLEM.epilogue
    BITS: tl.constexpr = PROBLEM.bits
    FP8: tl.constexpr = weights.packed.dtype.element_ty == tl.float8e4nv
    BM: tl.constexpr = TILE.rows
    BN: tl.constexpr = TILE.outputs
    BK: tl.constexpr = TILE.inputs
    EXACT_AFTER: tl.constexpr = min(_UNIT_SUMS, BK) if FP8 else None
    SPLIT: tl.constexpr = TILE.splits
    STAGES: tl.constexpr = TILE.stages
    TMA: tl.constexpr = TILE.tma
    TILES: tl.constexpr = (N + BN - 1) // BN
    BLOCKS: tl.constexpr = (K + BK - 1) // BK
    tile = tl.program_id(0) % TILES
    split = tl.program_id(0) // TILES
    above = tl.program_id(1)
    rows = above * BM + tl.arange(0, BM)
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
    if PDL:
        if PDL == 2:
            near = tl.arange(0, BK * BITS // 1024) * (1024 // BITS)
            for block in tl.range(begin, tl.minimum(begin + STAGES - 1, end)):
                _prefetch(
                    weights.packed + safe.to(tl.int64)[:, None] * K + block * BK + near[None, :]
                )
                if EPILOGUE == 3:
                    _prefetch(
                        weights.packed
                        + (N + safe).to(tl.int64)[:, None] * K
                        + block * BK
                        + near[None, :]
                    )
        gdc_wait()
    if not TILE.left:
        for block in tl.range(begin, end, num_stages=STAGES):
            x = inputs_block(x_ptr, above * BM, block * BK, ROWS, K, BM, BK, BK, TMA)
            w = weights_block(w_ptr, tile * BN, block * BK, N, K, BN, BK, TMA)
            acc = tl.dot(x, w.T, acc, max_num_imprecise_acc=EXACT_AFTER)
            if EPILOGUE == 3:
                w = weights_block(w_ptr, N + tile * BN, block * BK, 2 * N, K, BN, BK, TMA)
                acc2 = tl.dot(x, w.T, acc2, max_num_imprecise_acc=EXACT_AFTER)
    else:
        turned = tl.zeros((BN, BM), dtype=tl.float32)
        turned2 = turned
        if EPILOGUE == 3:
            turned2 = tl.zeros((BN, BM), dtype=tl.float32)
        for block in tl.range(begin, end, num_stages=STAGES):
            x = inputs_block(x_ptr, above * BM, block * BK, ROWS, K, BM, BK, BK, TMA)
            w = weights_block(w_ptr, tile * BN, block * BK, N, K, BN, BK, TMA)
            turned = tl.dot(w, x.T, turned, max_num_imprecise_acc=EXACT_AFTER)
            if EPILOGUE == 3:
                w = weights_block(w_ptr, N + tile * BN, block * BK, 2 * N, K, BN, BK, TMA)
                turned2 = tl.dot(w, x.T, turned2, max_num_imprecise_acc=EXACT_AFTER)
        acc = tl.trans(turned)
        if EPILOGUE == 3:
            acc2 = tl.trans(turned2)
    if FP8:
        by_row = tl.load(weights.input_scale + rows, mask=rows < ROWS, other=0.0)[:, None]
        acc *= by_row * tl.load(weights.scale + safe)[None, :]
        if EPILOGUE == 3:
            acc2 *= by_row * tl.load(weights.scale + N + safe)[None, :]
    if PDL:
        gdc_launch_dependents()
    finish_shares(
        acc, acc2, tile, split, above, rows, cols, out, residual, cache, shares, eps, ROWS,
        PROBLEM, TILE,
    )  # fmt: skip


@triton.jit
def vector(
    x_ptr,
    weights,
    out,
    residual,
    cache,
    eps,
    PROBLEM: tl.constexpr,
    TILE: tl.constexpr,
    PDL: tl.constexpr,
):
    """`linear` for a single row: no matrix unit, weights go from memory to registers once."""
    N: tl.constexpr = PROBLEM.outputs
    K: tl.constexpr = PROBLEM.inputs
    EPILOGUE: tl.constexpr = PROBLEM.epilogue
    FP8: tl.constexpr = weights.packed.dtype.element_ty == tl.float8e4nv
    BN: tl.constexpr = TILE.outputs
    BK: tl.constexpr = TILE.inputs
    STAGES: tl.constexpr = TILE.stages
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
    for block in tl.range(0, (K + BK - 1) // BK, num_stages=STAGES):
        k = block * BK + lane
        whole = k < K
        x = tl.load(x_ptr + k, mask=whole, other=0.0).to(tl.float32)
        spot = safe[:, None] * K + k[None, :]
        w = tl.load(weights.packed + spot, mask=whole[None, :], other=0.0)
        acc += w.to(tl.float32) * x[None, :]
        if EPILOGUE == 3:
            w2 = tl.load(weights.packed + N * K + spot, mask=whole[None, :], other=0.0)
            acc2 += w2.to(tl.float32) * x[None, :]
    total = tl.sum(acc, 1)
    total2 = total
    if EPILOGUE == 3:
        total2 = tl.sum(acc2, 1)
    if PDL:
        gdc_launch_dependents()
    if FP8:
        of_inputs = tl.load(weights.input_scale)
        total *= tl.load(weights.scale + safe) * of_inputs
        if EPILOGUE == 3:
            total2 *= tl.load(weights.scale + N + safe) * of_inputs
    finish(
        total[None, :], total2[None, :], tile, rows, cols, fits, out, residual, cache,
        eps, 1, PROBLEM, TILE,
    )  # fmt: skip
