"""Fused weights: what the `fast` engine makes of each part of a model while it loads.

Queries, keys and values become one matrix, gates and ups another, and a norm's weights are
multiplied into the matrix behind it: what is left of the norm is one number a row. The embedding is
whole on every rank, as a gather a step costs more than the memory (65B: 0.5 GB). The parts lose
their own weights, so that nothing is held twice but a tied embedding, whose other copy has the last
norm in it (Llama-3.2-3B: 0.8 GB).
"""

from dataclasses import dataclass
from typing import Any, Final, cast

import torch
from fairscale.nn.model_parallel.initialize import (
    get_model_parallel_group,
    get_model_parallel_world_size,
)
from torch import Tensor, nn
from torch import distributed as dist

from workers.models.base.room import make_room
from workers.models.llama.model import Block, Llama, RootMeanSquareNorm
from workers.models.quantization import Quantized, quantize

Matrix = Tensor | Quantized
"""[outputs, inputs] of one rank."""

_ATTRIBUTE: Final = "fused"
# Rows that are widened to fp32 at a time: 134 MB at 8192 inputs.
_STRIP_ROWS: Final = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class FusedLayer:
    """One rank's matrices of a layer; the norms before them are multiplied in."""

    qkv: Matrix
    """[this rank's (heads + 2 x heads of keys) x head_dim, dim]: queries, keys, then values."""
    wo: Matrix
    """[dim, this rank's heads x head_dim]"""
    gate_up: Matrix
    """[2 x this rank's ffn, dim]: gates above ups."""
    down: Matrix
    """[dim, this rank's ffn]"""


@dataclass(frozen=True, kw_only=True, eq=False)
class FusedWeights:
    """One rank's whole model."""

    table: Tensor
    """The embedding, [vocab, dim], whole."""
    layers: list[FusedLayer]
    """Each layer's matrices, from the first layer to the last."""
    head: Tensor
    """[this rank's vocab, dim], with the last norm multiplied in; never quantized."""

    @property
    def step_bytes(self) -> int:
        """Bytes of weights that one step of decoding reads on this rank.

        Of quantized ones those of the numbers themselves, as `workers.planning.arithmetic` has it.
        """
        matrices = [
            matrix
            for layer in self.layers
            for matrix in (layer.qkv, layer.wo, layer.gate_up, layer.down)
        ]
        return self.head.nbytes + sum(
            matrix.number_bytes if isinstance(matrix, Quantized) else matrix.nbytes
            for matrix in matrices
        )


class Fuser:
    """Called by `load_model` with each part once it is filled; see `FusedWeights`."""

    def __init__(self, quantization: str, *, tied: bool = False) -> None:
        """`tied`: the output matrix is the embedding, of which the head is then a copy."""
        self._quantization, self._tied = quantization, tied
        self._norm: Tensor | None = None
        self._head: Tensor | None = None

    def __call__(self, name: str, module: nn.Module) -> None:
        """Fuse a part and leave it without weights of its own."""
        fused: Any
        match name:
            case "tok_embeddings":
                weight = cast(Any, module).weight.data
                if self._tied:
                    # Of the last norm, which comes at the end, nothing may get into the table.
                    self._head = weight.clone()
                fused = _whole_table(weight, rows=self._tied)
            case "norm":
                # The head comes next and takes it up; the model's number format stays readable.
                self._norm = cast(RootMeanSquareNorm, module).weight.data
                if self._head is not None:
                    setattr(module, _ATTRIBUTE, _fold(self._head, self._norm))
                    self._head = None
                return
            case "output":
                assert self._norm is not None
                fused = _fold(cast(Any, module).weight.data, self._norm)
            case _:
                fused = self._fuse_layer(cast(Block, module))
        make_room(module, "meta")
        # Found by `take_fused`: the loader hands on the model alone.
        setattr(module, _ATTRIBUTE, fused)

    def _fuse_layer(self, block: Block) -> FusedLayer:
        attention = block.attention
        inner = block.feed_forward
        queries = _taken(attention.wq, attention.wk, attention.wv)
        qkv = self._matrix(_fold(queries, block.attention_norm.weight.data))
        del queries
        wo = self._matrix(_taken(attention.wo))
        gates = _taken(inner.w1, inner.w3)
        gate_up = self._matrix(_fold(gates, block.ffn_norm.weight.data))
        del gates
        return FusedLayer(qkv=qkv, wo=wo, gate_up=gate_up, down=self._matrix(_taken(inner.w2)))

    def _matrix(self, weight: Tensor) -> Matrix:
        if self._quantization == "none":
            return weight
        return quantize(weight, self._quantization)


def take_fused(model: Llama) -> FusedWeights:
    """The fused weights of a model that a `Fuser` prepared; they are handed out once."""
    return FusedWeights(
        table=_take(model.tok_embeddings),
        layers=[_take(block) for block in model.layers],
        head=_take(model.norm if model.output is None else model.output),
    )


def _take(module: nn.Module) -> Any:
    fused = getattr(module, _ATTRIBUTE)
    delattr(module, _ATTRIBUTE)
    return fused


def _taken(*linears: Any) -> Tensor:
    """The weights of one or more matrices above one another, which lose them."""
    weights = [linear.weight.data for linear in linears]
    joined = weights[0] if len(weights) == 1 else torch.cat(weights)
    for linear in linears:
        make_room(linear, "meta")
    return joined


def _fold(matrix: Tensor, norm: Tensor) -> Tensor:
    """Multiply each input's column by its norm weight, in place, rounded once."""
    for strip in torch.split(matrix, _STRIP_ROWS):
        strip.copy_(strip.float() * norm.float())
    return matrix


def _whole_table(slices: Tensor, *, rows: bool) -> Tensor:
    """The embedding of all ranks, each of which holds some columns, or some `rows`."""
    degree = get_model_parallel_world_size()
    if degree == 1:
        return slices
    vocab, width = slices.shape
    gathered = torch.empty(degree * vocab, width, dtype=slices.dtype, device=slices.device)
    dist.all_gather_into_tensor(gathered, slices.contiguous(), group=get_model_parallel_group())
    if rows:
        return gathered
    return gathered.view(degree, vocab, width).transpose(0, 1).reshape(vocab, degree * width)
