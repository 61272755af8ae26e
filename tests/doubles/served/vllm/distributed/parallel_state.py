"""Groups of ranks, of which the double makes none."""

from typing import Any

import torch.distributed as dist

_WORLD: Any = None
_NODE_COUNT: int | None = None


def destroy_distributed_environment() -> None:
    """End the group of all ranks, and torch's with it, whoever opened that."""
    if dist.is_initialized():
        dist.destroy_process_group()


def destroy_model_parallel() -> None:
    """Let go of them."""
