"""Sampling: the next token of each row by nucleus sampling, without sorting the vocabulary."""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_wait


@triton.jit
def choose(
    logits,
    chosen,
    seed_ptr,
    step_ptr,
    inverse_temperature,
    top_p,
    ROWS,
    VOCAB: tl.constexpr,
    SLICE: tl.constexpr,
    BLOCK: tl.constexpr,
    GREEDY: tl.constexpr,
    PDL: tl.constexpr,
):
    """One program a row. Logits lie as the ranks' slices: [VOCAB / SLICE, ROWS, SLICE], fp32.

    Nucleus sampling (arXiv 1904.09751) keeps, of the tokens by falling probability, the fewest
    whose mass reaches `top_p`; of equals, those of lower number first. A token is in it when the
    mass before it is below `top_p`, which one sum tells: so tokens are drawn from all, and drawn
    again until one is in it. That is the same distribution, and a draw is kept with a chance of at
    least `top_p`.

    A row with a logit that is inf or NaN gets -1 for a token.
    """
    if PDL:
        gdc_wait()
    row = tl.program_id(0)
    token = tl.arange(0, BLOCK)
    live = token < VOCAB
    spot = (token // SLICE) * (ROWS * SLICE) + row * SLICE + token % SLICE
    x = tl.load(logits + spot, mask=live, other=-float("inf"))
    # Of the registers, not of the memory: the logits are read once. Neither a difference nor a
    # comparison with NaN is true.
    odd = tl.sum(tl.where(live & ~(tl.abs(x) < float("inf")), 1, 0), 0) > 0
    if GREEDY:
        likeliest = tl.argmax(x, 0, tie_break_left=True).to(tl.int64)
        tl.store(chosen + row, tl.where(odd, -1, likeliest))
    else:
        e = tl.where(live, tl.exp((x - tl.max(x, 0)) * inverse_temperature), 0.0)
        running = tl.cumsum(e, 0)
        total = tl.max(running, 0)
        seed = tl.load(seed_ptr)
        draw = tl.load(step_ptr) * ROWS + row
        taken = 0
        trial = 0
        searching = ~odd
        while searching:
            # tl.rand is below 1 by at least 2**-24: the product stays below the total.
            mark = tl.rand(seed + trial, draw) * total
            taken = tl.sum((running <= mark).to(tl.int32), 0)
            its = tl.sum(tl.where(token == taken, e, 0.0), 0)
            before = tl.sum(tl.where((e > its) | ((e == its) & (token < taken)), e, 0.0), 0)
            searching = (before >= top_p * total) | (its <= 0.0)
            trial += 1
        tl.store(chosen + row, tl.where(odd, -1, taken.to(tl.int64)))


@triton.jit
def _part(logits, row, token, ROWS, VOCAB: tl.constexpr, SLICE: tl.constexpr):
    """Some tokens' logits of a row, -inf beyond the vocabulary."""
    spot = (token // SLICE) * (ROWS * SLICE) + row * SLICE + token % SLICE
    return tl.load(logits + spot, mask=token < VOCAB, other=-float("inf"))


@triton.jit
def choose_in_parts(
    logits,
    chosen,
    seed_ptr,
    step_ptr,
    inverse_temperature,
    top_p,
    ROWS,
    VOCAB: tl.constexpr,
    SLICE: tl.constexpr,
    BLOCK: tl.constexpr,
    GREEDY: tl.constexpr,
    PDL: tl.constexpr,
):
    """`choose` for a vocabulary that no program's registers hold: BLOCK tokens at a time.

    Each look goes through a row once more, by way of L2: twice for maximum and sum, twice a draw.
    """
    if PDL:
        gdc_wait()
    PARTS: tl.constexpr = (VOCAB + BLOCK - 1) // BLOCK
    row = tl.program_id(0)
    lane = tl.arange(0, BLOCK)
    best = tl.full((BLOCK,), -float("inf"), dtype=tl.float32)
    best_at = tl.zeros((BLOCK,), dtype=tl.int32)
    odds = tl.zeros((BLOCK,), dtype=tl.int32)
    for part in tl.range(0, PARTS):
        token = part * BLOCK + lane
        x = _part(logits, row, token, ROWS, VOCAB, SLICE)
        odds += tl.where((token < VOCAB) & ~(tl.abs(x) < float("inf")), 1, 0)
        # Of equals a lane keeps its first.
        higher = x > best
        best_at = tl.where(higher, token, best_at)
        best = tl.where(higher, x, best)
    odd = tl.sum(odds, 0) > 0
    top = tl.max(best, 0)
    if GREEDY:
        likeliest = tl.min(tl.where(best == top, best_at, VOCAB), 0).to(tl.int64)
        tl.store(chosen + row, tl.where(odd, -1, likeliest))
    else:
        total = 0.0
        for part in tl.range(0, PARTS):
            x = _part(logits, row, part * BLOCK + lane, ROWS, VOCAB, SLICE)
            e = tl.exp((x - top) * inverse_temperature)
            # The last running sum, as a draw has it: the sum of a part may round to another.
            total = tl.max(total + tl.cumsum(e, 0), 0)
        seed = tl.load(seed_ptr)
        draw = tl.load(step_ptr) * ROWS + row
        taken = 0
        trial = 0
        searching = ~odd
        while searching:
            mark = tl.rand(seed + trial, draw) * total
            taken = 0
            its = 0.0
            at = total * 0.0
            for part in tl.range(0, PARTS):
                x = _part(logits, row, part * BLOCK + lane, ROWS, VOCAB, SLICE)
                e = tl.exp((x - top) * inverse_temperature)
                running = at + tl.cumsum(e, 0)
                passed = tl.sum((running <= mark).to(tl.int32), 0)
                # No lane of a part before it is so far on, and none after it is asked for.
                its_lane = tl.where(at > mark, BLOCK, passed)
                its += tl.sum(tl.where(lane == its_lane, e, 0.0), 0)
                taken += passed
                at = tl.max(running, 0)
            before = 0.0
            for part in tl.range(0, PARTS):
                token = part * BLOCK + lane
                x = _part(logits, row, token, ROWS, VOCAB, SLICE)
                e = tl.exp((x - top) * inverse_temperature)
                ahead = (e > its) | ((e == its) & (token < taken))
                before += tl.sum(tl.where(ahead, e, 0.0), 0)
            searching = (before >= top_p * total) | (its <= 0.0)
            trial += 1
        tl.store(chosen + row, tl.where(odd, -1, taken.to(tl.int64)))


@triton.jit
def advance(
    chosen,
    state,
    eos_id,
    ROWS,
    LAST: tl.constexpr,
    IGNORE_EOS: tl.constexpr,
    BLOCK: tl.constexpr,
    PDL: tl.constexpr,
):
    """Take the chosen tokens: write them, move on, and count the rows that go on.

    From the first step on that has a token below 0, `alive` is -1 less that step, and stays so.
    """
    if PDL:
        gdc_wait()
    row = tl.arange(0, BLOCK)
    fits = row < ROWS
    token = tl.load(chosen + row, mask=fits, other=0)
    step = tl.load(state.step)
    ended = tl.load(state.done + row, mask=fits, other=1)
    at = tl.load(state.positions + row, mask=fits, other=0)
    tl.store(state.written + step.to(tl.int64) * ROWS + row, token, mask=fits)
    # No row of the embedding is below 0.
    tl.store(state.tokens + row, tl.maximum(token, 0), mask=fits)
    if not IGNORE_EOS:
        ended = tl.where(token == eos_id, 1, ended)
    tl.store(state.done + row, ended, mask=fits)
    # A row that ended stays where it is: its cache is never outgrown.
    moved = tl.minimum(at + 1, LAST)
    tl.store(state.positions + row, tl.where(ended != 0, at, moved), mask=fits)
    odd = tl.sum(tl.where(token < 0, 1, 0), 0)
    alive = tl.sum(tl.where(fits & (ended == 0), 1, 0), 0)
    was = tl.load(state.alive)
    tl.store(state.alive, tl.where(was < 0, was, tl.where(odd > 0, -1 - step, alive)))
    tl.store(state.step, step + 1)
