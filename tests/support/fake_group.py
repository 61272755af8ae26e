"""Pretended peers: this process as one rank of a group whose others are not there."""

import contextlib
import sys
from collections.abc import Iterator

import torch.distributed as dist
from fairscale.nn.model_parallel import initialize as fairscale_groups
from torch.testing._internal.distributed.fake_pg import FakeStore


@contextlib.contextmanager
def pretended_peers(degree: int) -> Iterator[None]:
    """Within it this is rank 0 of `degree`; what ranks would tell each other is not moved."""
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=degree)
    with contextlib.redirect_stdout(sys.stderr):
        fairscale_groups.initialize_model_parallel(degree)
    try:
        yield
    finally:
        fairscale_groups.destroy_model_parallel()
        dist.destroy_process_group()
