"""What the Triton kernels compute on CPUs, where `TRITON_INTERPRET=1` has them interpreted.

Prints a JSON object of measured differences from plain torch, by name. Triton decides at import
whether a kernel is compiled or interpreted, so this has a process of its own. Not here: the sum
over peers, whose flags are PTX, and all that only Hopper does (`pytest -m gpu` has both).
"""

import itertools
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as nnf
from torch import Tensor

from tests.support.ranks import make_rank
from workers.distributed.process_group import open_mesh
from workers.distributed.rendezvous import open_rendezvous
from workers.engines.fast import (
    fused_decoder as fast_fused,
)
from workers.engines.fast import (
    ops_quantized,
)
from workers.engines.fast import (
    ops_torch as fast_plain,
)
from workers.engines.fast import (
    ops_triton as fast_triton,
)
from workers.engines.fast.all_reduce import LibrarySum
from workers.engines.fast.cached_numbers import narrow
from workers.engines.fast.fused_weights import Fuser, take_fused
from workers.engines.fast.kernels import (
    attention as kernels_attention,
)
from workers.engines.fast.kernels import (
    grouped_attention as kernels_grouped,
)
from workers.engines.fast.kernels import (
    linear as kernels_linear,
)
from workers.engines.fast.kernels import (
    rows as kernels_rows,
)
from workers.engines.fast.kernels import (
    sampling as kernels_sampling,
)
from workers.engines.fast.kernels import (
    widening as kernels_widening,
)
from workers.engines.fast.kernels.arguments import (
    BatchState,
    Cache,
    Operand,
    Problem,
    Residual,
    SharedHeads,
    Shares,
    Span,
    Tile,
)
from workers.engines.fast.model import FastModel, SeparateDecoder
from workers.engines.fast.tiling import LOGITS, PLAIN, QKV, RESIDUAL, SWIGLU, power_of_two
from workers.models.llama.model import Llama, rotate
from workers.models.llama.shape import LlamaShape
from workers.models.loading import load_model
from workers.models.quantization import E4M3, Quantized, dequantize, quantize, round_rows
from workers.models.random_weights import RandomWeights

Measured = Iterator[tuple[str, float]]

CPU: Final = torch.device("cpu")
# 192 inputs are three groups of 64, and no power of two.
ROWS, DIM, HEADS, HEAD_DIM, PLACES = 5, 192, 6, 32, 40
# First and last position, and a row alone at the beginning.
POSITIONS: Final = torch.tensor([3, 0, 7, PLACES - 1, 20], dtype=torch.int32)
# 704 inputs are three blocks of 4 bits, the last not whole, and groups of 64.
WIDE: Final = 704
EPS: Final = 1e-6
NOTHING: Final = torch.zeros(1)
FP8: Final = E4M3
# Its highest bit.
SIGN: Final = 0x80
TINY: Final = LlamaShape(name="tiny", dim=64, layers=2, heads=2, norm_eps=EPS, vocab=128)
# As Llama 3.2 and Mistral at once: its one head of keys is 64 wide, as a block of any rule needs.
SHARED: Final = LlamaShape(
    name="shared", dim=192, layers=2, heads=3, kv_heads=1, norm_eps=EPS, vocab=128, tied=True,
    window=4,
)  # fmt: skip
# Three heads share one of keys: no power of two.
KEPT: Final = 2
# Outputs of a program: large ones, as the interpreter takes 20 ms for any.
ONE_ROW_TILE, TILE = 32, 64


def turn() -> tuple[Tensor, Tensor]:
    """Cosine and sine by position."""
    angles = torch.outer(
        torch.arange(PLACES).float(), 10_000.0 ** -(torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
    )
    return angles.cos().contiguous(), angles.sin().contiguous()


def _multiply(
    x: Tensor,
    matrix: Tensor | Quantized,
    epilogue: int,
    out: Tensor,
    *,
    splits: int = 1,
    block_inputs: int = 32,
    left: bool = False,
    residual: Tensor = NOTHING,
    sums_out: Tensor = NOTHING,
    caches: tuple[Tensor, Tensor] = (NOTHING, NOTHING),
) -> None:
    """One launch of `linear`, or of `vector` for a single row."""
    rows, inputs = x.shape
    # Two partial sums, as a kernel of several programs leaves them behind.
    half = inputs // 2
    sums = torch.stack([part.float().square().sum(1) for part in (x[:, :half], x[:, half:])])
    outputs = matrix.shape[0] // 2 if epilogue == SWIGLU else matrix.shape[0]
    weights, bits, group = Operand(matrix, NOTHING, NOTHING), 16, 0
    widened = isinstance(matrix, Quantized) and not matrix.rounds_inputs
    if isinstance(matrix, Quantized):
        bits, group = matrix.bits, matrix.group
        if matrix.rounds_inputs:
            scale = torch.zeros(rows)
            weights = Operand(matrix.packed, matrix.scale, scale)
            x = fast_triton.round_rows_into(torch.empty_like(x, dtype=E4M3), scale, x, early=False)
        else:
            weights = ops_quantized.operand(matrix)
    stream = Residual(x if epilogue == LOGITS else residual, sums, sums_out)
    cache = Cache(*caches, POSITIONS, *turn())
    problem = Problem(
        outputs=outputs,
        inputs=inputs,
        epilogue=epilogue,
        bits=bits,
        group=group,
        parts=2,
        parts_room=2,
        queries=DIM,
        head_dim=HEAD_DIM,
        max_len=PLACES,
    )
    one = rows == 1 and not widened
    tile = Tile(
        rows=1 if one else 16,
        outputs=ONE_ROW_TILE if one else TILE,
        inputs=64 if one else block_inputs,
        splits=splits,
        stages=2,
        left=left,
        tma=False,
    )
    tiles = -(-outputs // tile.outputs)
    if one:
        kernels_linear.vector[(tiles,)](x, weights, out, stream, cache, EPS, problem, tile, False)
        return
    partials = torch.full((tiles * splits * 2 * 16 * TILE,), math.nan)
    arrived = torch.zeros(tiles, dtype=torch.int32)
    told = (
        x, weights.packed, weights, out, stream, cache, Shares(partials, arrived), EPS, rows,
        problem, tile, 0,
    )  # fmt: skip
    if widened:
        kernels_widening.widening[(1, tiles * splits)](*told, False)
    else:
        kernels_linear.linear[(tiles * splits, 1)](*told)
    assert not arrived.any(), "counters must be 0 again for the next launch"


def apart(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the root mean square of what is expected."""
    wide = expected.double()
    error = (found.double() - wide).abs().max() / wide.square().mean().sqrt()
    return float(error)


def steps_apart(found: Tensor, expected: Tensor) -> float:
    """Most numbers of fp8 that lie between two of the same sign; of two signs, those below both."""
    one, other = (part.contiguous().view(torch.uint8).int() for part in (found, expected))
    apart_by = (one & 0x7F) - (other & 0x7F)
    return float(torch.where((one ^ other) >= SIGN, (one + other) & 0x7F, apart_by.abs()).max())


def normed(x: Tensor) -> Tensor:
    """X at unit root mean square, in fp32."""
    return x.float() * torch.rsqrt(x.float().square().mean(1, keepdim=True) + EPS)


def matrix_of(
    outputs: int, quantization: str, kind: torch.dtype, inputs: int
) -> tuple[Any, Tensor]:
    """A matrix as a kernel takes it, and in fp32 what it stands for."""
    weight = (torch.randn(outputs, inputs) / math.sqrt(inputs)).to(kind)
    if quantization == "none":
        return weight, weight.float()
    if quantization == "int4":
        # Scales of groups have 16 bits in every run that has kernels.
        weight = weight.half()
    quantized = quantize(weight, quantization)
    return quantized, dequantize(quantized, torch.float32)


def inputs_of(rows: int, quantization: str, kind: torch.dtype) -> Tensor:
    """Normal inputs; for fp8 such that rounding leaves them as they are."""
    x = torch.randn(rows, WIDE if quantization in {"int8", "int4"} else DIM)
    if quantization == "fp8":
        rounded, scale = round_rows(x)
        x = rounded.float() * scale
    return x.to(kind)


def products(
    rows: int, splits: int, quantization: str, kind: torch.dtype, *, left: bool = False
) -> Measured:
    """Every epilogue of a product; `left`: weights are the left operand."""
    side = " left" if left else ""
    label = f"{rows} rows, {splits} splits, {quantization}{side}, {str(kind)[6:]}"
    multiply = partial(_multiply, left=left)
    x = inputs_of(rows, quantization, kind)
    inputs = x.shape[1]

    # 72 outputs: the last block is not whole.
    matrix, weight = matrix_of(72, quantization, kind, inputs)
    out = torch.zeros(rows, 72, dtype=kind)
    multiply(x, matrix, PLAIN, out, splits=splits)
    yield f"plain: {label}", apart(out, x.float() @ weight.T)

    matrix, weight = matrix_of(DIM, quantization, kind, inputs)
    residual = torch.randn(rows, DIM).to(kind)
    expected = residual.float() + x.float() @ weight.T
    # In place, as the residual stream is.
    wide = ONE_ROW_TILE if rows == 1 and quantization in {"none", "fp8"} else TILE
    sums = torch.zeros(DIM // wide, rows)
    multiply(x, matrix, RESIDUAL, residual, splits=splits, residual=residual, sums_out=sums)
    yield f"residual: {label}", apart(residual, expected)
    yield f"sums of squares: {label}", apart(sums.sum(0), residual.float().square().sum(1))

    matrix, weight = matrix_of(2 * 96, quantization, kind, inputs)
    out = torch.zeros(rows, 96, dtype=kind)
    multiply(x, matrix, SWIGLU, out, splits=splits)
    gates, ups = (normed(x) @ weight.T).chunk(2, 1)
    yield f"swiglu: {label}", apart(out, nnf.silu(gates) * ups)

    yield from kept_products(rows, splits, quantization, kind, left=left)

    if quantization == "none":
        matrix, weight = matrix_of(72, quantization, kind, inputs)
        logits = torch.zeros(rows, 72)
        multiply(x, matrix, LOGITS, logits, splits=splits)
        yield f"logits: {label}", apart(logits, normed(x) @ weight.T)


def kept_products(
    rows: int,
    splits: int,
    quantization: str,
    kind: torch.dtype,
    *,
    left: bool = False,
    kept: int = HEADS,
    kept_as: torch.dtype | None = None,
) -> Measured:
    """Queries beside, keys and values into caches of `kept` heads, as `kept_as` or as `kind`."""
    side = (" left" if left else "") + ("" if kept == HEADS else " grouped")
    side += "" if kept_as is None else " as fp8"
    label = f"{rows} rows, {splits} splits, {quantization}{side}, {str(kind)[6:]}"
    x = inputs_of(rows, quantization, kind)
    matrix, weight = matrix_of((HEADS + 2 * kept) * HEAD_DIM, quantization, kind, x.shape[1])
    queries = torch.zeros(rows, DIM, dtype=kind)
    room = (rows, kept, PLACES, HEAD_DIM)
    caches = (
        torch.zeros(room, dtype=kept_as or kind),
        torch.zeros(room, dtype=kept_as or kind),
    )
    _multiply(x, matrix, QKV, queries, splits=splits, caches=caches, left=left)
    every = (normed(x) @ weight.T).view(rows, -1, HEAD_DIM)
    q, k, v = torch.split(every, [HEADS, kept, kept], dim=1)
    at = POSITIONS[:rows].long()
    turns = torch.complex(*turn())[at][:, None]
    written = (torch.arange(rows), slice(None), at)
    yield f"queries: {label}", apart(queries, rotate(q, turns).flatten(1))
    for what, cache, expected in (("keys", caches[0], rotate(k, turns)), ("values", caches[1], v)):
        if kept_as is None:
            yield f"{what}: {label}", apart(cache[written], expected)
        else:
            # A sum in another order may fall on the other side of a boundary.
            yield f"{what}: {label}", steps_apart(cache[written], narrow(expected, kept_as))
        cache[written] = 0
    yield f"cache elsewhere: {label}", max(float(cache.float().abs().max()) for cache in caches)


def rounding() -> Measured:
    """Rows rounded to e4m3 by the kernel and by torch: all that lies on, between and beside."""
    grid = torch.arange(127, dtype=torch.uint8).view(E4M3).float()
    between = (grid[1:] + grid[:-1]) / 2
    every = torch.cat([grid, between, between.nextafter(grid[1:]), between.nextafter(grid[:-1])])
    # Each row's largest is 448 times a scale, so that a scale is a power of two and exact.
    sides = torch.stack([every, -every])
    x = torch.cat([sides, sides * 2.0**-12, sides * 2.0**5, torch.zeros(1, every.numel())])
    for name, numbers in (("edges", x), ("normal", torch.randn(ROWS, 688) * 3)):
        rounded = torch.empty_like(numbers, dtype=E4M3)
        scale = torch.full((len(numbers),), math.nan)
        fast_triton.round_rows_into(rounded, scale, numbers, early=False)
        expected, expected_scale = round_rows(numbers)
        # As numbers: a zero may have either sign.
        differ = rounded.float() != expected.float()
        yield f"e4m3, {name}: numbers that differ", float(differ.sum())
        yield f"e4m3, {name}: scales that differ", float((scale != expected_scale[:, 0]).sum())


def uneven_inputs() -> Measured:
    """Inputs that are no whole blocks: what follows the matrix in memory must not be read in."""
    for rows in (1, ROWS):
        room = torch.full((rows + 1, 96), math.inf)
        room[:rows] = torch.randn(rows, 96)
        around = torch.full((73, 96), math.inf)
        around[:72] = torch.randn(72, 96)
        x, weight = room[:rows], around[:72]
        out = torch.zeros(rows, 72)
        _multiply(x, weight, PLAIN, out, block_inputs=64)
        yield f"uneven inputs: {rows} rows", apart(out, x @ weight.T)


def groups() -> Measured:
    """Groups of every size that the kernels take, and a row whose last block is not whole."""
    for inputs, group in ((352, 32), (320, 64), (640, 128)):
        room = torch.full((ROWS + 1, inputs), math.inf).half()
        room[:ROWS] = torch.randn(ROWS, inputs)
        x = room[:ROWS]
        quantized, weight = matrix_of(72, "int4", torch.float16, inputs)
        assert quantized.group == group
        out = torch.zeros(ROWS, 72).half()
        _multiply(x, quantized, PLAIN, out)
        yield f"groups of {group}", apart(out, x.float() @ weight.T)


def many_rows() -> Measured:
    """Quantized weights as prefill multiplies them: widened on the way, and unpacked."""
    for quantization, inputs in (("int8", 192), ("int8", 320), ("int4", 704), ("int4", 80)):
        # 80 inputs are groups of 16, which no widening product takes.
        quantized, weight = matrix_of(72, quantization, torch.float16, inputs)
        label = f"{quantization}, {inputs} inputs"
        unpacked = ops_quantized.unpacked(quantized, torch.float16)
        yield f"unpacked: {label}", float((unpacked != weight.half()).sum())
        x = torch.randn(ROWS, inputs).half()
        yield f"product: {label}", apart(ops_quantized.product(x, quantized), x.float() @ weight.T)


def attention() -> Measured:
    """One token a row over its own past, by one program and by several, heads that share or not."""
    cases = ((HEADS, 0), (HEADS, 6), (KEPT, 0), (KEPT, 6), (1, 0))
    for (kept, window), kept_as in itertools.product(cases, (torch.float32, FP8)):
        queries = torch.randn(ROWS, HEADS, HEAD_DIM)
        caches = [narrow(torch.randn(ROWS, kept, PLACES, HEAD_DIM), kept_as) for _ in range(2)]
        # What the kernels read, and what it stands for.
        (keys, values), read = (cache.float() for cache in caches), caches
        alone = []
        for row, at in enumerate(POSITIONS.tolist()):
            # What lies behind a row's own position is another batch's, and before its window gone.
            first = max(0, at + 1 - window) if window else 0
            for cache in read:
                cache[row, :, at + 1 :] = math.nan
                cache[row, :, :first] = math.nan
            every = HEADS // kept
            alone.append(
                nnf.scaled_dot_product_attention(
                    queries[row][:, None],
                    keys[row, :, first : at + 1].repeat_interleave(every, 0),
                    values[row, :, first : at + 1].repeat_interleave(every, 0),
                )[:, 0]
            )
        expected = torch.stack(alone)
        for splits in (1, 4):
            out = torch.zeros(ROWS, HEADS, HEAD_DIM)
            partials = torch.full((ROWS * HEADS * splits * (HEAD_DIM + 2),), math.nan)
            arrived = torch.zeros(ROWS * kept, dtype=torch.int32)
            shares, scale = Shares(partials, arrived), 1 / math.sqrt(HEAD_DIM)
            span = Span(block=16, splits=splits, stages=2, window=window)
            if kept == HEADS:
                kernels_attention.attend[(ROWS * HEADS, splits)](
                    queries, *read, POSITIONS, out, shares, scale, HEADS, HEAD_DIM, PLACES, span,
                    False,
                )  # fmt: skip
            else:
                group = HEADS // kept
                heads = SharedHeads(
                    kept=kept, group=group, group_room=power_of_two(group), head_dim=HEAD_DIM
                )
                kernels_grouped.attend[(ROWS * kept, splits)](
                    queries, *read, POSITIONS, out, shares, scale, heads, PLACES, span, False,
                )  # fmt: skip
            assert not arrived.any(), "counters must be 0 again for the next launch"
            label = f"{splits} splits, {kept} kept, window {window}"
            label += ", fp8" if kept_as is FP8 else ""
            yield f"attention: {label}", apart(out, expected)


def rows_between() -> Measured:
    """What stands between products."""
    table = torch.randn(50, DIM)
    ids = torch.tensor([7, 0, 49, 7, 3])
    x, sums = torch.zeros(ROWS, DIM), torch.zeros(1, ROWS)
    kernels_rows.embed[(ROWS,)](ids, table, x, sums, ROWS, DIM, power_of_two(DIM), False)
    yield "embed", apart(x, table[ids])
    yield "embed's sums", apart(sums[0], table[ids].square().sum(1))

    added, plain = torch.randn(ROWS, DIM), x.clone()
    expected = fast_plain.add_norm(plain, added, EPS)
    yield "add and norm", apart(fast_triton.add_norm(x, added, EPS), expected)
    yield "add and norm's residual", apart(x, plain)
    yield "norm alone", apart(fast_triton.add_norm(x, None, EPS), fast_plain.add_norm(x, None, EPS))

    kernels_rows.add_squares[(ROWS,)](x, added, sums, DIM, power_of_two(DIM))
    yield "add and squares", apart(x, plain + added)
    yield "add and squares' sums", apart(sums[0], (plain + added).square().sum(1))

    # 688 is no multiple of a block, as 7B's 11008 on 16 ranks.
    both = torch.randn(ROWS, 2 * 688)
    yield "gate", apart(fast_triton.gate(both), fast_plain.gate(both))


def placing() -> Measured:
    """Tokens of ragged prompts, and one a row, go where plain torch puts them."""
    for name, places, rows, positions in (
        ("packed", 6, torch.tensor([0, 0, 0, 1, 2]), torch.tensor([0, 1, 2, 0, 5])),
        ("steps", 1, torch.arange(ROWS), POSITIONS.long()),
    ):
        # Three heads: as 30B's 13 on 4 ranks, no power of two.
        heads, kept = (3, 3) if name == "packed" else (6, KEPT)
        fused = torch.randn(ROWS, (heads + 2 * kept) * HEAD_DIM)
        for kept_as in (torch.float32, FP8):
            results = []
            for place in (fast_triton.place, fast_plain.place):
                queries = torch.zeros(ROWS, heads, places, HEAD_DIM)
                caches = (
                    torch.zeros(ROWS, kept, PLACES, HEAD_DIM, dtype=kept_as),
                    torch.zeros(ROWS, kept, PLACES, HEAD_DIM, dtype=kept_as),
                )
                place(fused, queries, caches, rows=rows, positions=positions, turn=turn())
                results.append((queries, *caches))
            for what, found, expected in zip(("queries", "keys", "values"), *results, strict=True):
                if kept_as is FP8 and what != "queries":
                    yield f"place {name}: {what} as fp8", steps_apart(found, expected)
                elif kept_as is not FP8:
                    yield f"place {name}: {what}", apart(found, expected)


def narrowing() -> Measured:
    """All numbers of 16 bits as values of fp8: which are kept otherwise than by plain torch."""
    heads, tokens = 32, 64
    numbers = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16).view(torch.float16)
    fused = torch.zeros(tokens, 3, heads, HEAD_DIM, dtype=torch.float16)
    fused[:, 2] = numbers.view(tokens, heads, HEAD_DIM)
    caches = [torch.zeros(tokens, heads, PLACES, HEAD_DIM, dtype=FP8) for _ in range(2)]
    fast_triton.place(
        fused.view(tokens, -1),
        torch.zeros(tokens, heads, 1, HEAD_DIM, dtype=torch.float16),
        (caches[0], caches[1]),
        rows=torch.arange(tokens),
        positions=torch.zeros(tokens, dtype=torch.int64),
        turn=turn(),
    )
    found, expected = caches[1][:, :, 0].flatten(), narrow(numbers, FP8)
    real = numbers.isfinite()
    wrong = (found.view(torch.uint8) != expected.view(torch.uint8))[real]
    yield "fp8: numbers kept otherwise", float(wrong.sum())
    yield "fp8: no numbers that became some", float((~found.float().isnan())[~real].sum())


def sampling() -> Measured:
    """The nucleus, by enough draws to see a wrong one; a vocabulary at once, and in parts."""
    yield from _drawing(kernels_sampling.choose, 32, "")
    # Three parts, of which the last is not whole, and the second has tokens of both ranks.
    yield from _drawing(kernels_sampling.choose_in_parts, 8, " in parts")


def _drawing(kernel: Any, block: int, how: str) -> Measured:
    vocab, draws, few, temperature, top_p = 20, 200, 10, 0.8, 0.9
    # Two ranks' slices, and rows that are all alike: each row is a draw of its own.
    row = 2 * torch.randn(vocab)
    row[4:8] = row[12]
    logits = row.view(2, 1, vocab // 2).expand(2, draws, vocab // 2).contiguous()
    chosen = torch.zeros(draws, dtype=torch.int64)
    seed, step = torch.tensor([7]), torch.zeros(1, dtype=torch.int32)

    def choose(programs: int, *, greedy: bool = False) -> None:
        kernel[(programs,)](
            logits, chosen, seed, step, 1 / temperature, top_p, draws, vocab, vocab // 2, block,
            greedy, False,
        )  # fmt: skip

    choose(draws)
    chances = torch.softmax(row.double() / temperature, 0)
    falling, order = chances.sort(descending=True, stable=True)
    kept = falling * ((falling.cumsum(0) - falling) < top_p)
    wanted = torch.zeros_like(chances).scatter(0, order, kept / kept.sum())
    counts = chosen.bincount(minlength=vocab).double()
    yield f"drawn outside the nucleus{how}", float(counts[wanted == 0].sum())
    there = wanted > 0
    expected = wanted[there] * draws
    freedom = int(there.sum()) - 1
    chi_square = float(((counts[there] - expected) ** 2 / expected).sum())
    # Wilson and Hilferty's cube root makes it nearly a standard normal number.
    spread = 2 / (9 * freedom)
    yield (
        f"draws' standard score{how}",
        ((chi_square / freedom) ** (1 / 3) - 1 + spread) / spread**0.5,
    )
    first = chosen.clone()
    choose(few)
    yield f"one seed's draws that differ{how}", float((chosen != first).sum())
    step += 1
    choose(few)
    yield f"next step's draws that differ{how}", float((chosen != first).sum())
    choose(few, greedy=True)
    yield f"greedy's wrong choices{how}", float((chosen[:few] != row.argmax()).sum())
    for name, odd in (("NaN", math.nan), ("inf", math.inf), ("-inf", -math.inf)):
        logits[1, 2, 3] = odd
        for greedy in (False, True):
            choose(few, greedy=greedy)
            seen = (chosen[:few] < 0).nonzero().flatten().tolist()
            yield (
                f"{name}, {'greedy' if greedy else 'drawn'}: refused rows{how}",
                float(seen != [2]),
            )


def advancing() -> Measured:
    """Chosen tokens are written, rows that go on move, and those that ended stay."""
    for ignore_eos in (False, True):
        eos, last = 2, 9
        chosen = torch.tensor([5, eos, 7, 8, 6])
        tokens = torch.zeros(ROWS, dtype=torch.int64)
        positions = torch.tensor([0, 4, 9, 3, 1], dtype=torch.int32)
        done = torch.tensor([0, 0, 0, 1, 0], dtype=torch.int32)
        written = torch.zeros(3, ROWS, dtype=torch.int64)
        step, alive = torch.ones(1, dtype=torch.int32), torch.zeros(1, dtype=torch.int32)
        kernels_sampling.advance[(1,)](
            chosen, BatchState(tokens, positions, done, written, step, alive), eos, ROWS, last,
            ignore_eos, 16, False,
        )  # fmt: skip
        now_done = [0, 0, 0, 1, 0] if ignore_eos else [0, 1, 0, 1, 0]
        now_at = [1, 5, 9, 3, 2] if ignore_eos else [1, 4, 9, 3, 2]
        wrong = [
            tokens.tolist() != chosen.tolist(),
            written.tolist() != [[0] * ROWS, chosen.tolist(), [0] * ROWS],
            done.tolist() != now_done,
            positions.tolist() != now_at,
            (step.item(), alive.item()) != (2, ROWS - sum(now_done)),
        ]
        yield f"advance, {'ignoring' if ignore_eos else 'heeding'} the end", float(sum(wrong))
        # A row without a token is told by the first step that had one, for good, and feeds token 0.
        state = BatchState(tokens, positions, done, written, step, alive)
        told: list[tuple[float, float]] = []
        for tokens_chosen in ([5, -1, 7, 8, 6], [5, 5, 7, 8, -1]):
            step.fill_(len(told))
            kernels_sampling.advance[(1,)](
                torch.tensor(tokens_chosen), state, eos, ROWS, last, ignore_eos, 16, False
            )
            told.append((alive.item(), tokens.min().item()))
        wrong = [
            told != [(-1, 0), (-1, 0)],
            (written[0, 1].item(), written[1, 4].item()) != (-1, -1),
        ]
        yield f"odd, {'ignoring' if ignore_eos else 'heeding'} the end", float(sum(wrong))


def small_model(
    shape: LlamaShape, quantization: str, rows: int, kept_as: torch.dtype | None
) -> FastModel:
    """Random weights in fp16 for a batch of so many rows."""
    model = load_model(
        shape,
        RandomWeights(shape, 1, rank=0, degree=1),
        dtype="fp16",
        device=CPU,
        max_batch=0,
        max_len=16,
        prepare=Fuser(quantization, tied=shape.tied),
    )
    assert isinstance(model, Llama)
    fused = take_fused(model)
    return FastModel(shape, fused, model.turns, max_batch=rows, max_len=16, kept_as=kept_as)


def whole_steps() -> Measured:
    """A step of a whole small model by the fused kernels, beside plain torch on the same caches."""
    prompts = [[3, 1, 4], [1, 5, 9, 2, 6], [5]]
    cases = (
        *((TINY, 1, "int4", None), (TINY, 3, "none", None), (TINY, 3, "int8", None)),
        *((SHARED, 1, "none", None), (SHARED, 3, "int4", None)),
        *((TINY, 3, "none", FP8), (SHARED, 3, "none", FP8)),
        *((TINY, 1, "fp8", None), (TINY, 3, "fp8", None), (SHARED, 3, "fp8", None)),
    )
    for shape, rows, quantization, kept_as in cases:
        fast = small_model(shape, quantization, rows, kept_as)
        fused = fast.weights
        plain = fast.prefill(prompts[:rows])
        said = "" if shape is TINY else ", shared"
        said += "" if kept_as is None else ", fp8 keys"
        if quantization == "none" and rows > 1:
            fast.math = fast_triton
            yield f"prefill: {rows} rows{said}", apart(fast.prefill(prompts[:rows]), plain)
            fast.math = fast_plain
        fault = fast_fused.unfit(fused)
        assert fault is None, fault
        decoder = fast_fused.FusedDecoder(
            shape,
            fused,
            caches=fast.caches,
            turn=fast.turn,
            rank_sum=LibrarySum(rows, shape.dim, torch.float16, CPU),
            rows=rows,
        )
        tokens = torch.tensor([8, 100, 127])[:rows]
        positions = torch.tensor([len(prompt) for prompt in prompts[:rows]], dtype=torch.int32)
        found = decoder.logits(tokens, positions).clone()
        again = decoder.logits(tokens, positions)
        label = f"{rows} rows, {quantization}{said}"
        expected = SeparateDecoder(fast, rows).logits(tokens, positions)
        yield f"step: {label}", apart(found, expected)
        yield f"step's rms: {label}", float((found - expected).norm() / expected.norm())
        yield f"step again: {label}", float((again != found).sum())
        if quantization == "fp8":
            whole = small_model(shape, "none", rows, None)
            whole.prefill(prompts[:rows])
            truth = SeparateDecoder(whole, rows).logits(tokens, positions)
            yield f"fp8's own error: {label}", float((expected - truth).norm() / truth.norm())


def measure() -> Measured:
    """All of it."""
    for quantization in ("none", "int8", "fp8", "int4"):
        yield from products(1, 1, quantization, torch.float32)
        yield from products(ROWS, 3, quantization, torch.float32)
    yield from products(ROWS, 1, "none", torch.float32)
    yield from products(ROWS, 3, "none", torch.float32, left=True)
    yield from products(ROWS, 1, "none", torch.float16, left=True)
    yield from products(ROWS, 3, "fp8", torch.float16, left=True)
    for quantization in ("int8", "int4"):
        # Widened by other means than in fp32. Not bf16, in which the interpreter has no numbers.
        yield from products(ROWS, 1, quantization, torch.float16)
    yield from kept_products(1, 1, "none", torch.float32, kept=KEPT)
    yield from kept_products(ROWS, 3, "int4", torch.float32, kept=KEPT)
    yield from kept_products(1, 1, "none", torch.float16, kept_as=FP8)
    yield from kept_products(ROWS, 3, "none", torch.float16, kept=KEPT, kept_as=FP8)
    yield from narrowing()
    for part in (
        rounding,
        uneven_inputs,
        groups,
        many_rows,
        attention,
        rows_between,
        placing,
        sampling,
        advancing,
        whole_steps,
    ):
        # What one part draws hangs on no other's.
        torch.manual_seed(0)
        yield from part()


def main() -> None:
    """Print what was measured."""
    if os.environ.get("TRITON_INTERPRET") != "1":
        raise RuntimeError("`TRITON_INTERPRET` must be 1 before Triton is imported, but is not")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with (
        tempfile.TemporaryDirectory() as folder,
        open_rendezvous(make_rank(0, 1), Path(folder) / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=1, device=CPU),
        torch.inference_mode(),
    ):
        json.dump(dict(measure()), sys.stdout)


if __name__ == "__main__":
    main()
