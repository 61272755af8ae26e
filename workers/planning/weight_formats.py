"""Weight formats: how quantized weights lie in memory, told without torch.

`int8`: one byte a weight, -127 to 127, and one fp32 scale a row (an output). `fp8`: one byte a
weight, e4m3, and one fp32 scale a row. `int4`: two weights a byte and one scale in the run's number
format for each group of neighbours in a row. A row of `int8` and `int4` is whole blocks of 64 words
of 16 bits (`workers.models.packing`), and int4's scales those of whole blocks.
"""

from typing import Final

QUANTIZATIONS: Final = ("none", "int8", "fp8", "int4")
"""By `RunSpec.quantization`, in the order of their errors."""
FP8: Final = "fp8"
"""The one that rounds what the weights are multiplied by too, and so needs units of its own."""
WEIGHT_ONLY: Final = ("none", "int8", "int4")
"""Those that leave activations as they are, which any board can multiply by."""

# GPTQ (arXiv 2210.17323) and AWQ (arXiv 2306.00978) give their 4-bit results for groups of 128:
# 0.125 bits of scale a weight; smaller groups err less and weigh more.
_MAX_GROUP: Final = 128
_ROW_SCALE_BYTES: Final = 4
BLOCK_WORDS: Final = 64
"""16-bit words of a block: what a row is a multiple of."""
_WORD_BYTES: Final = 2
INT8_BITS: Final = 8
"""Of a weight of `int8` and of `fp8`."""
INT4_BITS: Final = 4
"""Of a weight of `int4`."""


def group_size(inputs: int) -> int:
    """Weights of a row that share one int4 scale: the largest power of two that fits, at most 128.

    `inputs` are those that this rank holds, so a matrix that ranks share by its inputs may have
    smaller groups at a higher degree: 7B's w2 has 11008 = 43 x 256 and 128 a group alone, but
    1376 = 43 x 32 and 32 a group on each of 8 ranks.

    Raises:
        ValueError: the inputs are no even number, so two of them do not fill a byte.
    """
    if inputs < 1 or inputs % 2:
        raise ValueError(f"`inputs` must be an even number for int4, but is {inputs} instead")
    # The lowest set bit is the largest power of two that divides a number.
    return min(inputs & -inputs, _MAX_GROUP)


def block_inputs(bits: int) -> int:
    """Inputs that a block of words holds."""
    return BLOCK_WORDS * _WORD_BYTES * 8 // bits


def row_words(inputs: int, bits: int) -> int:
    """Words of a row."""
    return -(-inputs // block_inputs(bits)) * BLOCK_WORDS


def scale_pairs(inputs: int, group: int) -> int:
    """Pairs of groups of a row of 4 bits, those of its last block counted whole."""
    whole = -(-inputs // block_inputs(INT4_BITS)) * block_inputs(INT4_BITS)
    return -(-whole // (2 * group))


def matrix_bytes(outputs: int, inputs: int, quantization: str, item_bytes: int) -> int:
    """Bytes that one rank's [outputs, inputs] slice and its scales are; in memory `held_bytes`.

    `item_bytes` are those of a number of the run's format, in which int4 keeps its scales.

    Raises:
        ValueError: there is no such quantization, or it cannot hold such a matrix.
    """
    match quantization:
        case "none":
            return outputs * inputs * item_bytes
        case "int8" | "fp8":
            return outputs * (inputs + _ROW_SCALE_BYTES)
        case "int4":
            return outputs * (inputs // 2 + inputs // group_size(inputs) * item_bytes)
        case _:
            raise ValueError(
                f"`quantization` must be one of {', '.join(QUANTIZATIONS)}, "
                f"but is {quantization!r} instead"
            )


def held_bytes(outputs: int, inputs: int, quantization: str, item_bytes: int) -> int:
    """As `matrix_bytes`, with what fills each row's last block.

    7B's down has 2752 = 10.75 x 256 inputs on 4 ranks, of which int4 takes 2.3 % more.
    """
    match quantization:
        case "int8":
            return outputs * (row_words(inputs, INT8_BITS) * _WORD_BYTES + _ROW_SCALE_BYTES)
        case "int4":
            scales = 2 * scale_pairs(inputs, group_size(inputs))
            return outputs * (row_words(inputs, INT4_BITS) * _WORD_BYTES + scales * item_bytes)
        case _:
            return matrix_bytes(outputs, inputs, quantization, item_bytes)
