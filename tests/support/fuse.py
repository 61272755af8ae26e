"""What an engine does to a model while it is loaded: matrices become one, and their parts go."""

import torch
from torch import nn

from workers.models.llama.model import Attention


def fuse_attention(name: str, module: nn.Module) -> None:
    """Join a layer's three matrices of attention in a buffer `fused`; other modules stay."""
    if not name.startswith("layers."):
        return
    attention = module.get_submodule("attention")
    assert isinstance(attention, Attention)
    fused = torch.cat([attention.wq.weight, attention.wk.weight, attention.wv.weight])
    attention.register_buffer("fused", fused)
    attention.wq = attention.wk = attention.wv = None
