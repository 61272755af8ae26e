"""Widening: `linear` for weights of 8 and 4 bits, widened in the registers they multiply from.

Weights lie as 16-bit words of 2 or 4, whose inputs stand 64 apart (`workers.models.packing`): the
words of a block are laid out over threads as the matrix unit wants its left operand, so that a
shift, an "and" and an "or" leave two neighbours of it in one register, with nothing to move.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from workers.engines.fast.kernels.epilogue import finish_shares
from workers.engines.fast.kernels.linear import inputs_block, weights_block


@triton.jit
def _bytes(w, kind: tl.constexpr, ASM: tl.constexpr):
    """Numbers -128 to 127 of words' low bytes, and of their high ones."""
    if not ASM:
        low = (w << 8).to(tl.int16) >> 8
        wide = (low.to(kind), (w >> 8).to(kind))
    elif kind == tl.float16:
        # 0x6400 is 1024 in fp16, whose next 1024 numbers are whole; 0x6480 is 1152.
        wide = tl.inline_asm_elementwise(
            """{
            .reg .b32 t, a, bias;
            mov.b32 bias, 0x64806480;
            xor.b32 t, $2, 0x80808080;
            prmt.b32 a, t, 0x64646464, 0x4240;
            sub.rn.f16x2 $0, a, bias;
            prmt.b32 a, t, 0x64646464, 0x4341;
            sub.rn.f16x2 $1, a, bias;
            }""",
            "=&r,=&r,r",
            [w],
            dtype=(tl.float16, tl.float16),
            is_pure=True,
            pack=2,
        )
    else:
        # bf16 has whole numbers up to 256 only: by way of fp32, where 0x4b000000 is 2^23.
        wide = tl.inline_asm_elementwise(
            """{
            .reg .b32 t, u;
            .reg .f32 a, b, bias;
            mov.b32 bias, 0x4b000080;
            xor.b32 t, $2, 0x80808080;
            prmt.b32 u, t, 0x4b000000, 0x7540;
            mov.b32 a, u;
            prmt.b32 u, t, 0x4b000000, 0x7542;
            mov.b32 b, u;
            sub.f32 a, a, bias;
            sub.f32 b, b, bias;
            cvt.rn.bf16x2.f32 $0, b, a;
            prmt.b32 u, t, 0x4b000000, 0x7541;
            mov.b32 a, u;
            prmt.b32 u, t, 0x4b000000, 0x7543;
            mov.b32 b, u;
            sub.f32 a, a, bias;
            sub.f32 b, b, bias;
            cvt.rn.bf16x2.f32 $1, b, a;
            }""",
            "=&r,=&r,r",
            [w],
            dtype=(tl.bfloat16, tl.bfloat16),
            is_pure=True,
            pack=2,
        )
    return wide


@triton.jit
def _nibble(w, at: tl.constexpr, scale, kind: tl.constexpr):
    if kind == tl.float32:
        near = (scale & 0xFFFF).to(tl.uint16).to(tl.float16, bitcast=True)
    else:
        near = (scale & 0xFFFF).to(tl.uint16).to(kind, bitcast=True)
    return (((w >> at) & 15) - 8).to(kind) * near.to(kind)


@triton.jit
def _nibbles(w, a, b, c, d, kind: tl.constexpr, ASM: tl.constexpr):
    """Words' four numbers -8 to 7, from the lowest up, times scales in the low halves of a to d."""
    if not ASM:
        wide = (
            _nibble(w, 0, a, kind),
            _nibble(w, 4, b, kind),
            _nibble(w, 8, c, kind),
            _nibble(w, 12, d, kind),
        )
    elif kind == tl.float16:
        # 0x6400 is 1024 in fp16, whose next 1024 numbers are whole: a nibble is there once, or 16
        # times, which 0x2c00, 1/16, and 0xd480, -72, make good. 0x6408 is 1032. Two neighbours'
        # scales are the same, or in one half of a plane.
        wide = tl.inline_asm_elementwise(
            """{
            .reg .b32 t, n, s, bias, part, less;
            mov.b32 bias, 0x64086408;
            mov.b32 part, 0x2c002c00;
            mov.b32 less, 0xd480d480;
            prmt.b32 s, $5, $5, 0x1010;
            lop3.b32 n, $4, 0x000f000f, 0x64006400, 0xea;
            sub.rn.f16x2 n, n, bias;
            mul.rn.f16x2 $0, n, s;
            prmt.b32 s, $7, $7, 0x1010;
            lop3.b32 n, $4, 0x00f000f0, 0x64006400, 0xea;
            fma.rn.f16x2 n, n, part, less;
            mul.rn.f16x2 $1, n, s;
            shr.u32 t, $4, 8;
            prmt.b32 s, $9, $9, 0x1010;
            lop3.b32 n, t, 0x000f000f, 0x64006400, 0xea;
            sub.rn.f16x2 n, n, bias;
            mul.rn.f16x2 $2, n, s;
            prmt.b32 s, $11, $11, 0x1010;
            lop3.b32 n, t, 0x00f000f0, 0x64006400, 0xea;
            fma.rn.f16x2 n, n, part, less;
            mul.rn.f16x2 $3, n, s;
            }""",
            "=&r,=&r,=&r,=&r,r,r,r,r,r,r,r,r,r",
            [w, a, b, c, d],
            dtype=(tl.float16, tl.float16, tl.float16, tl.float16),
            is_pure=True,
            pack=2,
        )
    else:
        # 0x4300 is 128 in bf16, whose next 128 numbers are whole; 0xc308 is -136, 0x3f80 1 and
        # 0x8000 -0: before compute capability 9.0 bf16 has no other operation than this one.
        wide = tl.inline_asm_elementwise(
            """{
            .reg .b32 t, n, s, one, less, zero;
            mov.b32 one, 0x3f803f80;
            mov.b32 less, 0xc308c308;
            mov.b32 zero, 0x80008000;
            prmt.b32 s, $5, $5, 0x1010;
            lop3.b32 n, $4, 0x000f000f, 0x43004300, 0xea;
            fma.rn.bf16x2 n, n, one, less;
            fma.rn.bf16x2 $0, n, s, zero;
            prmt.b32 s, $7, $7, 0x1010;
            shr.u32 t, $4, 4;
            lop3.b32 n, t, 0x000f000f, 0x43004300, 0xea;
            fma.rn.bf16x2 n, n, one, less;
            fma.rn.bf16x2 $1, n, s, zero;
            prmt.b32 s, $9, $9, 0x1010;
            shr.u32 t, $4, 8;
            lop3.b32 n, t, 0x000f000f, 0x43004300, 0xea;
            fma.rn.bf16x2 n, n, one, less;
            fma.rn.bf16x2 $2, n, s, zero;
            prmt.b32 s, $11, $11, 0x1010;
            shr.u32 t, $4, 12;
            lop3.b32 n, t, 0x000f000f, 0x43004300, 0xea;
            fma.rn.bf16x2 n, n, one, less;
            fma.rn.bf16x2 $3, n, s, zero;
            }""",
            "=&r,=&r,=&r,=&r,r,r,r,r,r,r,r,r,r",
            [w, a, b, c, d],
            dtype=(tl.bfloat16, tl.bfloat16, tl.bfloat16, tl.bfloat16),
            is_pure=True,
            pack=2,
        )
    return wide


@triton.jit
def _scale_pair(pairs, row, at, BN: tl.constexpr, ALL: tl.constexpr):
    """Two groups' scales of BN outputs, one in each half of a word."""
    rows = row + tl.arange(0, BN)
    if ALL % BN:
        found = tl.load(pairs + at * ALL + rows, mask=rows < ALL, other=0)
    else:
        found = tl.load(pairs + at * ALL + rows)
    return found[:, None]


@triton.jit
def _fine(pair):
    """Of a plane of two groups of 32, each input's scale, [BN, 64]."""
    first = (tl.arange(0, 64) < 32)[None, :]
    return tl.where(first, pair, pair >> 16)


@triton.jit
def _widened(
    w, pairs, row, block, kind: tl.constexpr,
    BN: tl.constexpr, ALL: tl.constexpr, GROUP: tl.constexpr, ASM: tl.constexpr,
):  # fmt: skip
    """The planes [BN, 64] of a block's words of four weights, times their scales."""
    tl.static_assert(GROUP == 128 or GROUP == 64 or GROUP == 32)
    if GROUP == 128:
        a = _scale_pair(pairs, row, block, BN, ALL)
        b = a
        c = a >> 16
        d = c
    elif GROUP == 64:
        a = _scale_pair(pairs, row, 2 * block, BN, ALL)
        b = a >> 16
        c = _scale_pair(pairs, row, 2 * block + 1, BN, ALL)
        d = c >> 16
    else:
        a = _fine(_scale_pair(pairs, row, 4 * block, BN, ALL))
        b = _fine(_scale_pair(pairs, row, 4 * block + 1, BN, ALL))
        c = _fine(_scale_pair(pairs, row, 4 * block + 2, BN, ALL))
        d = _fine(_scale_pair(pairs, row, 4 * block + 3, BN, ALL))
    return _nibbles(
        w,
        tl.broadcast_to(a, (BN, 64)),
        tl.broadcast_to(b, (BN, 64)),
        tl.broadcast_to(c, (BN, 64)),
        tl.broadcast_to(d, (BN, 64)),
        kind,
        ASM,
    )


@triton.jit
def _settled(acc, ASM: tl.constexpr):
    """`acc`, once its products are done.

    Left alone, Triton 3.6 lets a block's last product go on while the next block's weights are
    widened, and what they are widened into are the registers that it still reads: on an H200
    some tilings of 8 bits were wrong by three times the outputs' root mean square.
    """
    if ASM:
        acc = tl.inline_asm_elementwise(
            "mov.b32 $0, $1;", "=r,r", [acc], dtype=tl.float32, is_pure=True, pack=1
        )
    return acc


# A single row is a number as any other: a kernel of its own for it would only be compiled again.
@triton.jit(do_not_specialize=["ROWS"])
def widening(
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
    ASM: tl.constexpr,
):
    """[ROWS, K] by quantized weights [N, K] (SWIGLU: [2 N, K], gates above ups), then EPILOGUE.

    As `linear`, by program (rows, tile and split), in blocks of [BM, 64] inputs and [BN, 64] words.
    Weights of 4 bits meet their scales before they are multiplied and are rounded to the inputs'
    format once, as `workers.models.quantization.linear` says; those of 8 bits after, where scales
    are of rows.
    `ASM` widens by PTX; without, by what Triton's interpreter knows, to the same numbers.
    """
    N: tl.constexpr = PROBLEM.outputs
    K: tl.constexpr = PROBLEM.inputs
    EPILOGUE: tl.constexpr = PROBLEM.epilogue
    BITS: tl.constexpr = PROBLEM.bits
    BM: tl.constexpr = TILE.rows
    BN: tl.constexpr = TILE.outputs
    SPLIT: tl.constexpr = TILE.splits
    STAGES: tl.constexpr = TILE.stages
    TMA: tl.constexpr = TILE.tma
    # Inputs of a block of 64 words.
    BK: tl.constexpr = 64 * 16 // BITS
    BLOCKS: tl.constexpr = (K + BK - 1) // BK
    WORDS: tl.constexpr = BLOCKS * 64
    TILES: tl.constexpr = (N + BN - 1) // BN
    ALL: tl.constexpr = 2 * N if EPILOGUE == 3 else N
    # Blocks of rows first: those that share weights run beside one another.
    above = tl.program_id(0)
    tile = tl.program_id(1) % TILES
    split = tl.program_id(1) // TILES
    rows = above * BM + tl.arange(0, BM)
    cols = tile * BN + tl.arange(0, BN)
    if N % BN == 0:
        safe = cols
    else:
        safe = tl.where(cols < N, cols, 0)
    begin = split * BLOCKS // SPLIT
    end = (split + 1) * BLOCKS // SPLIT
    # A way around the loop would leave sums that no product wrote, which the compiler waits for.
    tl.assume(begin < end)
    acc = tl.zeros((BN, BM), dtype=tl.float32)
    acc2 = acc
    if EPILOGUE == 3:
        acc2 = tl.zeros((BN, BM), dtype=tl.float32)
    if PDL:
        gdc_wait()
    row = above * BM
    if BITS == 8:
        for block in tl.range(begin, end, num_stages=STAGES):
            x0 = inputs_block(x_ptr, row, block * BK, ROWS, K, BM, 64, BK, TMA)
            x1 = inputs_block(x_ptr, row, block * BK + 64, ROWS, K, BM, 64, BK, TMA)
            w = weights_block(w_ptr, tile * BN, block * 64, N, WORDS, BN, 64, TMA)
            low, high = _bytes(w, x0.dtype, ASM)
            if EPILOGUE == 3:
                w = weights_block(w_ptr, N + tile * BN, block * 64, 2 * N, WORDS, BN, 64, TMA)
                low2, high2 = _bytes(w, x0.dtype, ASM)
            acc = tl.dot(low, x0.T, acc)
            acc = tl.dot(high, x1.T, acc)
            if EPILOGUE == 3:
                acc2 = tl.dot(low2, x0.T, acc2)
                acc2 = _settled(tl.dot(high2, x1.T, acc2), ASM)
            acc = _settled(acc, ASM)
        acc *= tl.load(weights.scale + safe)[:, None]
        if EPILOGUE == 3:
            acc2 *= tl.load(weights.scale + N + safe)[:, None]
    else:
        GROUP: tl.constexpr = PROBLEM.group
        s = weights.scale
        for block in tl.range(begin, end, num_stages=STAGES):
            x0 = inputs_block(x_ptr, row, block * BK, ROWS, K, BM, 64, BK, TMA)
            x1 = inputs_block(x_ptr, row, block * BK + 64, ROWS, K, BM, 64, BK, TMA)
            x2 = inputs_block(x_ptr, row, block * BK + 128, ROWS, K, BM, 64, BK, TMA)
            x3 = inputs_block(x_ptr, row, block * BK + 192, ROWS, K, BM, 64, BK, TMA)
            w = weights_block(w_ptr, tile * BN, block * 64, N, WORDS, BN, 64, TMA)
            w0, w1, w2, w3 = _widened(w, s, tile * BN, block, x0.dtype, BN, ALL, GROUP, ASM)
            if EPILOGUE == 3:
                w = weights_block(w_ptr, N + tile * BN, block * 64, 2 * N, WORDS, BN, 64, TMA)
                u0, u1, u2, u3 = _widened(w, s, N + tile * BN, block, x0.dtype, BN, ALL, GROUP, ASM)
            acc = tl.dot(w0, x0.T, acc)
            acc = tl.dot(w1, x1.T, acc)
            acc = tl.dot(w2, x2.T, acc)
            acc = tl.dot(w3, x3.T, acc)
            if EPILOGUE == 3:
                acc2 = tl.dot(u0, x0.T, acc2)
                acc2 = tl.dot(u1, x1.T, acc2)
                acc2 = tl.dot(u2, x2.T, acc2)
                acc2 = _settled(tl.dot(u3, x3.T, acc2), ASM)
            acc = _settled(acc, ASM)
    if PDL:
        gdc_launch_dependents()
    finish_shares(
        tl.trans(acc), tl.trans(acc2), tile, split, above, rows, cols, out, residual, cache,
        shares, eps, ROWS, PROBLEM, TILE,
    )  # fmt: skip
