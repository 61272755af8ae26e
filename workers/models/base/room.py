"""Room: a module's weights as memory without numbers, on a device that holds some or on `meta`."""

import torch
from torch import Tensor, nn


def make_room(module: nn.Module, device: torch.device | str) -> nn.Module:
    """Give every parameter and buffer memory of its shape on a device; the module itself.

    What `to_empty` does. That asks for a tensor like one on `meta`, for which torch loads a library
    of symbols: 0.35 s of every rank.
    """

    def empty(one: Tensor) -> Tensor:
        return torch.empty_strided(one.size(), one.stride(), dtype=one.dtype, device=device)

    # torch's own way to change all of a module's tensors, without types.
    made: nn.Module = module._apply(empty)  # type: ignore[no-untyped-call]
    return made
