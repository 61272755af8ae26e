"""Reduce: the sum over a node's GPUs through their peers' memory, added to the residual."""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait


@triton.jit
def _post(addresses, epoch):
    """Raise flags in the peers' memory after all that this program wrote before."""
    tl.inline_asm_elementwise(
        """
        {
            .reg .u32 tid;
            .reg .pred first_warp;
            mov.u32 tid, %tid.x;
            setp.lt.u32 first_warp, tid, 32;
            @first_warp fence.acq_rel.sys;
            @first_warp st.relaxed.sys.global.u32 [$1], $2;
            mov.u32 $0, tid;
        }
        """,
        "=r,l,r",
        [addresses, epoch],
        dtype=tl.int32,
        is_pure=False,
        pack=1,
    )


@triton.jit
def _await(addresses, epoch):
    """Wait until all peers raised their flags here."""
    tl.inline_asm_elementwise(
        """
        {
            .reg .u32 seen;
            .reg .s32 ahead;
            .reg .pred late;
            again:
            ld.acquire.sys.global.u32 seen, [$1];
            sub.s32 ahead, seen, $2;
            setp.lt.s32 late, ahead, 0;
            @late bra again;
            mov.u32 $0, seen;
        }
        """,
        "=r,l,r",
        [addresses, epoch],
        dtype=tl.int32,
        is_pure=False,
        pack=1,
    )


@triton.jit
def sum_over_peers(
    peers,
    x,
    sums,
    layout,
    ROWS,
    DIM: tl.constexpr,
    RANK: tl.constexpr,
    WORLD: tl.constexpr,
    BM: tl.constexpr,
    BC: tl.constexpr,
    ONE_SHOT: tl.constexpr,
    PDL: tl.constexpr,
):
    """X [ROWS, DIM] += the ranks' parts; sums [DIM / BC, ROWS] = its squares' sums by slice.

    Program s takes columns s * BC on. Two-shot: each rank sums its share of the rows, sends them to
    all, and all add the whole. One-shot: each rank sums everything, which reads WORLD / 2 times as
    much and meets once less.
    Either way the ranks' parts are added in the order of ranks, so that all ranks hold the same
    bits.
    """
    if PDL:
        # The next kernel may ask for its weights while this one waits for the other ranks.
        gdc_launch_dependents()
        gdc_wait()
    slot = tl.program_id(0)
    kind = x.dtype.element_ty
    rows = tl.arange(0, BM)
    fits = (rows < ROWS)[:, None]
    cols = slot * BC + tl.arange(0, BC)
    place = rows[:, None] * DIM + cols[None, :]
    epoch = tl.load(peers.epochs + slot)
    each = tl.arange(0, WORLD)
    theirs = tl.load(peers.bases + each) + layout.flags_at + (slot * WORLD + RANK) * 4
    ours = tl.load(peers.bases + RANK) + layout.flags_at + (slot * WORLD + each) * 4
    # What this rank wrote before was another kernel's: all of it is in memory.
    _post(theirs, epoch + 1)
    held = tl.load(x + place, mask=fits, other=0.0).to(tl.float32)
    _await(ours, epoch + 1)
    tl.debug_barrier()
    if ONE_SHOT:
        total = tl.zeros((BM, BC), dtype=tl.float32)
        for peer in tl.static_range(WORLD):
            part = (tl.load(peers.bases + peer) + layout.part_at).to(tl.pointer_type(kind))
            total += tl.load(part + place, mask=fits, other=0.0, cache_modifier=".cg").to(
                tl.float32
            )
        total = total.to(kind).to(tl.float32)
        tl.store(peers.epochs + slot, epoch + 1)
    else:
        SHARE: tl.constexpr = BM // WORLD
        own = RANK * SHARE + tl.arange(0, SHARE)
        mine = own[:, None] * DIM + cols[None, :]
        own_fits = (own < ROWS)[:, None]
        total = tl.zeros((SHARE, BC), dtype=tl.float32)
        for peer in tl.static_range(WORLD):
            part = (tl.load(peers.bases + peer) + layout.part_at).to(tl.pointer_type(kind))
            total += tl.load(part + mine, mask=own_fits, other=0.0, cache_modifier=".cg").to(
                tl.float32
            )
        for step in tl.static_range(WORLD):
            peer = (RANK + step) % WORLD
            whole = (tl.load(peers.bases + peer) + layout.whole_at).to(tl.pointer_type(kind))
            tl.store(whole + mine, total.to(kind), mask=own_fits)
        tl.debug_barrier()
        _post(theirs, epoch + 2)
        _await(ours, epoch + 2)
        tl.debug_barrier()
        whole = (tl.load(peers.bases + RANK) + layout.whole_at).to(tl.pointer_type(kind))
        total = tl.load(whole + place, mask=fits, other=0.0, cache_modifier=".cg").to(tl.float32)
        tl.store(peers.epochs + slot, epoch + 2)
    kept = (held + total).to(kind)
    tl.store(x + place, kept, mask=fits)
    wide = tl.where(fits, kept.to(tl.float32), 0.0)
    tl.store(sums + slot * ROWS + rows, tl.sum(wide * wide, 1), mask=rows < ROWS)
