"""Triton kernel: the sum over a node's GPUs through their peers' memory, with the residual added."""

import triton
import triton.language as tl


@triton.jit
def _post(flags, address_of_peer, epoch):
    """Raise a flag in a peer's memory after all that this program wrote before."""
    tl.inline_asm_elementwise(
        """
        {
            .reg .u32 tid;
            .reg .pred first;
            mov.u32 tid, %tid.x;
            setp.eq.u32 first, tid, 0;
            @first st.release.sys.global.u32 [$1], $2;
            mov.u32 $0, tid;
        }
        """,
        "=r,l,r",
        [address_of_peer, epoch],
        dtype=tl.int32,
        is_pure=False,
        pack=1,
    )


@triton.jit
def _await(address, epoch):
    """Wait until a peer raised its flag here."""
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
        [address, epoch],
        dtype=tl.int32,
        is_pure=False,
        pack=1,
    )


@triton.jit
def _meet(bases, flags_at, slot, RANK: tl.constexpr, WORLD: tl.constexpr, epoch):
    """Return when this slot's program has come to `epoch` on every rank."""
    tl.debug_barrier()
    for step in tl.static_range(1, WORLD):
        peer = (RANK + step) % WORLD
        theirs = tl.load(bases + peer) + flags_at + (slot * WORLD + RANK) * 4
        _post(0, theirs, epoch)
    for step in tl.static_range(1, WORLD):
        peer = (RANK + step) % WORLD
        mine = tl.load(bases + RANK) + flags_at + (slot * WORLD + peer) * 4
        _await(mine, epoch)
    tl.debug_barrier()


@triton.jit
def sum_over_peers(
    bases,
    epochs,
    x,
    sums,
    part_at,
    whole_at,
    flags_at,
    ROWS,
    DIM: tl.constexpr,
    RANK: tl.constexpr,
    WORLD: tl.constexpr,
    BM: tl.constexpr,
    BC: tl.constexpr,
    ONE_SHOT: tl.constexpr,
):
    """X [ROWS, DIM] += the ranks' parts; sums [DIM / BC, ROWS] = its squares' sums by slice.

    Every rank's part lies `part_at` bytes into its shared buffer. Program s takes columns s * BC on.
    Two-shot: each rank sums its share of the rows, sends them to all, and all add the whole. One-shot:
    each rank sums everything, which reads WORLD / 2 times as much and meets once less. Either way the
    ranks' parts are added in the order of ranks, so that all ranks hold the same bits.
    """
    slot = tl.program_id(0)
    kind = x.dtype.element_ty
    rows = tl.arange(0, BM)
    fits = (rows < ROWS)[:, None]
    cols = slot * BC + tl.arange(0, BC)
    place = rows[:, None] * DIM + cols[None, :]
    epoch = tl.load(epochs + slot)
    held = tl.load(x + place, mask=fits, other=0.0).to(tl.float32)
    _meet(bases, flags_at, slot, RANK, WORLD, epoch + 1)
    if ONE_SHOT:
        total = tl.zeros((BM, BC), dtype=tl.float32)
        for peer in tl.static_range(WORLD):
            part = (tl.load(bases + peer) + part_at).to(tl.pointer_type(kind))
            total += tl.load(part + place, mask=fits, other=0.0, cache_modifier=".cg").to(
                tl.float32
            )
        total = total.to(kind).to(tl.float32)
        tl.store(epochs + slot, epoch + 1)
    else:
        SHARE: tl.constexpr = BM // WORLD
        own = RANK * SHARE + tl.arange(0, SHARE)
        mine = own[:, None] * DIM + cols[None, :]
        own_fits = (own < ROWS)[:, None]
        total = tl.zeros((SHARE, BC), dtype=tl.float32)
        for peer in tl.static_range(WORLD):
            part = (tl.load(bases + peer) + part_at).to(tl.pointer_type(kind))
            total += tl.load(part + mine, mask=own_fits, other=0.0, cache_modifier=".cg").to(
                tl.float32
            )
        for step in tl.static_range(WORLD):
            peer = (RANK + step) % WORLD
            whole = (tl.load(bases + peer) + whole_at).to(tl.pointer_type(kind))
            tl.store(whole + mine, total.to(kind), mask=own_fits)
        _meet(bases, flags_at, slot, RANK, WORLD, epoch + 2)
        whole = (tl.load(bases + RANK) + whole_at).to(tl.pointer_type(kind))
        total = tl.load(whole + place, mask=fits, other=0.0, cache_modifier=".cg").to(tl.float32)
        tl.store(epochs + slot, epoch + 2)
    kept = (held + total).to(kind)
    tl.store(x + place, kept, mask=fits)
    wide = tl.where(fits, kept.to(tl.float32), 0.0)
    tl.store(sums + slot * ROWS + rows, tl.sum(wide * wide, 1), mask=rows < ROWS)
