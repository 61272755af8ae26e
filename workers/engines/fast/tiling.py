"""Tiling: how a decode step's product is cut into programs, by rules measured on an H200.

The figures behind the rules stand in `tests/benchmarks/fast.md`.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

# What follows a product; the kernels compare with the numbers.
RESIDUAL: Final = 0
PLAIN: Final = 1
QKV: Final = 2
SWIGLU: Final = 3
LOGITS: Final = 4

# Programs that keep 132 multiprocessors busy: fewer, larger blocks read the inputs less often, and
# below this count too few bytes are in flight.
_ENOUGH_PROGRAMS: Final = 80
# Widening quantized weights takes time of its own, which more programs share.
_ENOUGH_WIDENING_PROGRAMS: Final = 240
_MOST_SPLITS: Final = 4
# Shared memory that a program's blocks in flight may take, of a multiprocessor's 227 KiB.
_IN_FLIGHT_BYTES: Final = 196_608
_LEAST_STAGES: Final = 2
_MOST_STAGES: Final = 8
# The matrix unit multiplies blocks of 16 rows at least, and a program's registers hold 64.
_LEAST_ROWS: Final = 16
_MOST_ROWS: Final = 64
_OUTPUTS: Final = (128, 64, 32)
_WIDENING_OUTPUTS: Final = 64
_INPUTS: Final = 128
# Half of them where two blocks of 128 outputs, gates and ups, fly together.
_TIGHT_INPUTS: Final = 64
# The matrix unit's left operand has 64 rows: weights fill it, where few rows of inputs would not
# (32 rows, 7B: a step of 5.18 ms becomes 4.84). At 64 rows both fill it, and gates with ups, two
# products of one input, lose 1 to 3 %.
_LEFT_OUTPUTS: Final = 64
_FEW_ROWS: Final = 32
_FEW_ROWS_STAGES: Final = 4
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
# One row: outputs, inputs (4 bits: bytes) and loads in flight, the quickest of some 40 each.
_VECTOR_BLOCKS: Final = {
    16: {
        QKV: (16, 256, 2),
        SWIGLU: (4, 512, 3),
        RESIDUAL: (4, 512, 3),
        PLAIN: (4, 512, 3),
        LOGITS: (8, 512, 2),
    },
    8: {QKV: (8, 512, 3), SWIGLU: (4, 512, 3), RESIDUAL: (8, 512, 3), PLAIN: (8, 512, 3)},
    4: {QKV: (8, 1024, 3), SWIGLU: (4, 512, 3), RESIDUAL: (4, 512, 3), PLAIN: (4, 512, 3)},
}


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
    """Inputs of a block; with one row of 4 bits a weight, bytes of two inputs each."""
    splits: int
    """Programs that share a block's inputs."""
    stages: int
    """Blocks in flight."""
    warps: int = 4
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
    if product.rows == 1:
        outputs, inputs, stages = _VECTOR_BLOCKS[product.bits][product.epilogue]
        return Tiling(rows=1, outputs=outputs, inputs=inputs, splits=1, stages=stages)
    rows = max(_LEAST_ROWS, min(_MOST_ROWS, power_of_two(product.rows)))
    if product.bits == 16:  # noqa: PLR2004
        return _plain(product, rows)
    inputs = product.group if product.bits == 4 else _INPUTS  # noqa: PLR2004
    inputs = LEAST_INPUTS if product.inputs % inputs else inputs
    blocks = -(-product.outputs // _WIDENING_OUTPUTS)
    splits = -(-_ENOUGH_WIDENING_PROGRAMS // blocks) - 1
    return Tiling(
        rows=rows,
        outputs=_WIDENING_OUTPUTS,
        inputs=inputs,
        splits=max(1, min(_MOST_SPLITS, product.inputs // inputs, splits)),
        stages=3,
    )


def _plain(product: Product, rows: int) -> Tiling:
    few = rows <= _FEW_ROWS
    outputs = _outputs(product, few=few)
    matrices = 2 if product.epilogue == SWIGLU else 1
    tight = matrices * outputs > _OUTPUTS[0]
    inputs = _TIGHT_INPUTS if tight else _INPUTS
    stage_bytes = 2 * inputs * (rows + matrices * outputs)
    left = outputs >= _LEFT_OUTPUTS and (matrices == 1 or (few and not tight))
    most = _FEW_ROWS_STAGES if few and left else _MOST_STAGES
    return Tiling(
        rows=rows,
        outputs=outputs,
        inputs=inputs,
        splits=max(1, min(_MOST_SPLITS, _ENOUGH_PROGRAMS // -(-product.outputs // outputs))),
        stages=max(_LEAST_STAGES, min(most, _IN_FLIGHT_BYTES // stage_bytes)),
        left=left,
    )


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
