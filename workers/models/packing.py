"""Packing: how rounded weights lie in memory, as the matrix unit's left operand wants them.

A block is 64 words of 16 bits, whose inputs stand 64 apart: word j of a block that begins at input
k holds the numbers of inputs k + j, k + 64 + j and so on from its lowest bits up, two of 8 bits or
four of 4. Two neighbouring words are 32 bits, in which a shift and an "and" leave two neighbouring
inputs, ready to become 16 bits each (`workers.engines.fast.kernels.widening`). A row ends with a
whole block, whose numbers beyond the last input are 0.

Scales of groups lie in pairs, [pairs, outputs, 2], so that a block's are read in order too.
"""

from typing import Final

import torch
import torch.nn.functional as nnf
from torch import Tensor

from workers.planning.weight_formats import BLOCK_WORDS, INT4_BITS, block_inputs, scale_pairs

# 4 bits hold -8 to 7 as 0 to 15.
_FOUR_BITS_ZERO: Final = 8


def pack(steps: Tensor, bits: int) -> Tensor:
    """int16 words [outputs, words] of whole numbers [outputs, inputs] that `bits` can hold."""
    outputs, inputs = steps.shape
    block = block_inputs(bits)
    padded = nnf.pad(steps.to(torch.int32), (0, -inputs % block))
    if bits == INT4_BITS:
        padded += _FOUR_BITS_ZERO
    planes = padded.view(outputs, -1, block // BLOCK_WORDS, BLOCK_WORDS) & ((1 << bits) - 1)
    packed = planes[:, :, 0].clone()
    for plane in range(1, block // BLOCK_WORDS):
        packed |= planes[:, :, plane] << plane * bits
    return packed.view(outputs, -1).to(torch.int16)


def unpack(packed: Tensor, bits: int, inputs: int) -> Tensor:
    """The whole numbers, int8 [outputs, inputs], that `pack` took."""
    outputs = packed.shape[0]
    blocks = packed.view(outputs, -1, 1, BLOCK_WORDS)
    if bits == INT4_BITS:
        planes = [((blocks >> at) & 15).to(torch.int8) - _FOUR_BITS_ZERO for at in (0, 4, 8, 12)]
    else:
        planes = [(blocks << 8 >> 8).to(torch.int8), (blocks >> 8).to(torch.int8)]
    return torch.cat(planes, dim=2).view(outputs, -1)[:, :inputs].contiguous()


def pair_scales(scale: Tensor, inputs: int) -> Tensor:
    """[pairs, outputs, 2] of scales [outputs, groups]; 1 beyond the last group."""
    outputs, groups = scale.shape
    missing = 2 * scale_pairs(inputs, inputs // groups) - groups
    return nnf.pad(scale, (0, missing), value=1.0).view(outputs, -1, 2).transpose(0, 1).contiguous()


def unpair_scales(paired: Tensor, groups: int) -> Tensor:
    """The scales [outputs, groups] that `pair_scales` took."""
    return paired.transpose(0, 1).reshape(paired.shape[1], -1)[:, :groups]
