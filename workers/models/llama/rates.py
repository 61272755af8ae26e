"""Rates: how far each pair of a head turns from one position to the next."""

import math

import torch
from torch import Tensor

from workers.models.llama.shape import LlamaShape, RopeScaling


def turning_rates(shape: LlamaShape) -> Tensor:
    """Radians a position, fp64 [head_dim / 2], of the fastest pair first (arXiv 2104.09864)."""
    exponents = torch.arange(0, shape.head_dim, 2, dtype=torch.float64)
    rates = shape.rope_theta ** -(exponents / shape.head_dim)
    return rates if shape.rope_scaling is None else _slowed(rates, shape.rope_scaling)


def _slowed(rates: Tensor, scaling: RopeScaling) -> Tensor:
    """Rates of long waves divided by the factor, of short ones kept, between them part of both.

    How many waves fit into the positions first trained on decides which it is.
    """
    waves = scaling.original_positions * rates / (2 * math.pi)
    kept = (waves - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    kept = kept.clamp(0.0, 1.0)
    return kept * rates + (1.0 - kept) * rates / scaling.factor
