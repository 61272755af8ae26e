"""Tiling: how a decode step's product is cut into programs, by rules measured on an H200.

The figures behind the rules stand in `tests/benchmarks/fast.md`.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

from workers.planning.weight_formats import block_inputs

# What follows a product; the kernels compare with the numbers.
RESIDUAL: Final = 0
PLAIN: Final = 1
QKV: Final = 2
SWIGLU: Final = 3
LOGITS: Final = 4

# Programs that keep 132 multiprocessors busy: fewer, larger blocks read the inputs less often, and
# below this count too few bytes are in flight.
_ENOUGH_PROGRAMS: Final = 80
_MOST_SPLITS: Final = 4
# Shared memory that a program's blocks in flight may take, of a multiprocessor's 227 KiB.
_IN_FLIGHT_BYTES: Final = 196_608
_LEAST_STAGES: Final = 2
_MOST_STAGES: Final = 8
# The matrix unit multiplies blocks of 16 rows at least, and a program's registers hold 64.
_LEAST_ROWS: Final = 16
_MOST_ROWS: Final = 64
_OUTPUTS: Final = (128, 64, 32)
_INPUTS: Final = 128
_PLAIN_BITS: Final = 16
# Half of them where two blocks of 128 outputs, gates and ups, fly together.
_TIGHT_INPUTS: Final = 64
# The matrix unit's left operand has 64 rows: weights fill it, where few rows of inputs would not
# (32 rows, 7B: a step of 5.18 ms becomes 4.84). At 64 rows both fill it, and gates with ups, two
# products of one input, lose 1 to 3 %.
_LEFT_OUTPUTS: Final = 64
_FEW_ROWS: Final = 32
_FEW_ROWS_STAGES: Final = 4
_WARPS: Final = 4
# Measured on an H200 with 7B's queries in fp8 at 64 rows, rounding of the inputs included: four
# warps 23.9 us, eight 21.4. Of gates and ups 31.4 and 31.5, of the others no better than noise.
_FP8_QUERIES_WARPS: Final = 8
# Of so short a sum, 64 programs in place of 128 read the inputs half as often and leave
# multiprocessors to the next kernel: 7B's output matrix, a step of 5.54 ms becomes 5.50; with
# its down, 5.63.
_SHORT_INPUTS: Final = 4096
_ENOUGH_LEFT_PROGRAMS: Final = 64
WHOLE_OUTPUTS: Final = 64
"""What queries and keys of a rank must be a multiple of, so that a block of any rule fits them."""
# Least inputs that a program of any rule takes: what every matrix must be a multiple of.
LEAST_INPUTS: Final = 64
# The matrix unit multiplies 16 inputs at least, and a nibble's half of a group is one product.
LEAST_GROUP: Final = 32
# One row: outputs, inputs and loads in flight, the quickest of some 40 each.
_VECTOR_BLOCKS: Final = {
    QKV: (16, 256, 2),
    SWIGLU: (4, 512, 3),
    RESIDUAL: (4, 512, 3),
    PLAIN: (4, 512, 3),
    LOGITS: (8, 512, 2),
}
# Those of int8 when it was read as it lies, a byte a weight; not measured of fp8. The head is never
# quantized.
_FP8_VECTOR_BLOCKS: Final = {
    QKV: (8, 512, 3),
    SWIGLU: (4, 512, 3),
    RESIDUAL: (8, 512, 3),
    PLAIN: (8, 512, 3),
}
# Of weights to be widened, which are always the left operand: 64 outputs (gates and as many ups) of
# four warps, and two programs a multiprocessor. At 64 rows and 4 bits 128 of eight warps, one
# program a multiprocessor with more blocks in flight, are 10 to 20 % quicker in three of four.
_WIDENING_BLOCK: Final = (64, 4)
_WIDE_WIDENING_BLOCK: Final = (128, 8)
_WIDENING_ROWS: Final = 128
_MULTIPROCESSORS: Final = 132
_MOST_BESIDE: Final = 3
_MOST_WIDENING_STAGES: Final = 6
_MULTIPROCESSOR_BYTES: Final = 227_000


@dataclass(frozen=True, kw_only=True)
class Product:
    """What is to be multiplied."""

    rows: int
    """Rows of inputs: one a prompt of the batch."""
    outputs: int
    """Of SWIGLU: gates, as many as ups."""
    inputs: int
    """Width of a row, and of the matrix."""
    epilogue: int
    """What follows: RESIDUAL, PLAIN, QKV, SWIGLU or LOGITS."""
    bits: int
    """16, 8 or 4 a weight."""
    group: int
    """Inputs that share a scale, of 4 bits."""
    rounds_inputs: bool = False
    """True of fp8: 8 bits that are multiplied as they lie, by inputs of 8 bits."""
    queries: int = 0
    """Of QKV: outputs that are queries; as many of the rest are keys as values."""

    @property
    def whole(self) -> int:
        """A block must not straddle a multiple of so many outputs; 0 where it may any."""
        if self.epilogue != QKV:
            return 0
        return math.gcd(self.queries, (self.outputs - self.queries) // 2)


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """A program's block, and how many work on one."""

    rows: int
    """Rows of a block."""
    outputs: int
    """Outputs of a block; of SWIGLU so many gates and so many ups."""
    inputs: int
    """Inputs of a block."""
    splits: int
    """Programs that share a block's inputs."""
    stages: int
    """Blocks in flight."""
    warps: int = _WARPS
    """Warps that carry out one program."""
    left: bool = False
    """Weights are the matrix unit's left operand; those that are widened always are."""

    def programs(self, product: Product) -> tuple[int, int]:
        """Blocks of outputs, and of rows."""
        return -(-product.outputs // self.outputs), -(-product.rows // self.rows)


def power_of_two(number: int) -> int:
    """The least power of two that is not below a number: what a program's block can hold."""
    return 1 << (number - 1).bit_length()


def launch(*, early: bool) -> dict[str, Any]:
    """Launch options: `early` overlaps a kernel's start with the end of the one before it."""
    return {"launch_pdl": True} if early else {}


def tiling(product: Product) -> Tiling:
    """The blocks for a product."""
    if product.bits < _PLAIN_BITS and not product.rounds_inputs:
        return _widening(product)
    if product.rows == 1:
        blocks = _FP8_VECTOR_BLOCKS if product.rounds_inputs else _VECTOR_BLOCKS
        outputs, inputs, stages = blocks[product.epilogue]
        return Tiling(rows=1, outputs=outputs, inputs=inputs, splits=1, stages=stages)
    rows = max(_LEAST_ROWS, min(_MOST_ROWS, power_of_two(product.rows)))
    return _plain(product, rows)


def _widening(product: Product) -> Tiling:
    """So many programs that all multiprocessors are busy, as deep as there is room for."""
    matrices = 2 if product.epilogue == SWIGLU else 1
    rows = max(_LEAST_ROWS, min(_WIDENING_ROWS, power_of_two(product.rows)))
    wide = product.bits == 4 and rows == _MOST_ROWS  # noqa: PLR2004
    wide = wide and product.whole % _WIDE_WIDENING_BLOCK[0] == 0
    outputs, warps = _WIDE_WIDENING_BLOCK if wide else _WIDENING_BLOCK
    inputs = block_inputs(product.bits)
    programs = -(-product.outputs // outputs) * -(-product.rows // rows)
    if product.epilogue == SWIGLU or rows > _MOST_ROWS:
        splits = 1
    elif wide:
        splits = _MULTIPROCESSORS // programs
    else:
        splits = -(-2 * _MULTIPROCESSORS // programs)
    splits = max(1, min(_MOST_SPLITS, -(-product.inputs // inputs), splits))
    beside = min(_MOST_BESIDE, -(-programs * splits // _MULTIPROCESSORS))
    if wide or rows > _MOST_ROWS:
        beside = 1
    stage_bytes = matrices * outputs * inputs * product.bits // 8 + 2 * rows * inputs
    stages = _MULTIPROCESSOR_BYTES // (beside * stage_bytes)
    return Tiling(
        rows=rows,
        outputs=outputs,
        inputs=inputs,
        splits=splits,
        stages=max(_LEAST_STAGES, min(_MOST_WIDENING_STAGES, stages)),
        warps=warps,
        left=True,
    )


def _plain(product: Product, rows: int) -> Tiling:
    few = rows <= _FEW_ROWS
    outputs = _outputs(product, few=few)
    matrices = 2 if product.epilogue == SWIGLU else 1
    tight = matrices * outputs > _OUTPUTS[0]
    # As many bytes of a row whatever a number of it takes.
    inputs = (_TIGHT_INPUTS if tight else _INPUTS) * _PLAIN_BITS // product.bits
    stage_bytes = inputs * product.bits // 8 * (rows + matrices * outputs)
    left = outputs >= _LEFT_OUTPUTS and (matrices == 1 or (few and not tight))
    most = _FEW_ROWS_STAGES if few and left else _MOST_STAGES
    return Tiling(
        rows=rows,
        outputs=outputs,
        inputs=inputs,
        splits=max(1, min(_MOST_SPLITS, _ENOUGH_PROGRAMS // -(-product.outputs // outputs))),
        stages=max(_LEAST_STAGES, min(most, _IN_FLIGHT_BYTES // stage_bytes)),
        warps=_warps(product, rows),
        left=left,
    )


def _warps(product: Product, rows: int) -> int:
    """Warps of a program that multiplies what it reads as it lies."""
    queries = product.rounds_inputs and product.epilogue == QKV
    return _FP8_QUERIES_WARPS if queries and rows > _FEW_ROWS else _WARPS


def _outputs(product: Product, *, few: bool) -> int:
    """Outputs of a program."""
    # A block must not straddle queries and keys, or keys and values.
    able = [size for size in _OUTPUTS if product.whole % size == 0]
    enough = [size for size in able if product.outputs // size >= _ENOUGH_PROGRAMS]
    outputs = (enough or able[-1:])[0]
    short = outputs < _LEFT_OUTPUTS and product.inputs <= _SHORT_INPUTS
    wide = few and outputs > _LEFT_OUTPUTS and product.epilogue != SWIGLU
    programs = product.outputs // _LEFT_OUTPUTS
    if _LEFT_OUTPUTS in able and programs >= _ENOUGH_LEFT_PROGRAMS and (short or wide):
        return _LEFT_OUTPUTS
    return outputs
