"""Node address: where ranks of other nodes reach this one, for libraries that open own sockets."""

import socket
from typing import Any, Final

import torch.distributed as dist

from workers.distributed.rank import Rank

_ALONE: Final = "127.0.0.1"
# No packet is sent: connecting a datagram's socket asks for the way alone. Any port but 0 does.
_PORT: Final = 9


def node_address(rank: Rank, variable: str) -> str:
    """The address of this node on its way to another; of a node alone the loopback's.

    Every rank must call. `variable` is what the address can be given by instead.

    Raises:
        RuntimeError: the name of the other node has no address here, or there is no way to it.
    """
    if rank.nodes == 1:
        return _ALONE
    told: list[Any] = [None] * rank.world
    # The ranks' own group may move tensors of GPUs alone.
    group = dist.new_group(backend="gloo")
    try:
        dist.all_gather_object(told, (rank.node, rank.host), group=group)
    finally:
        dist.destroy_process_group(group)
    other = next(host for node, host in told if node != rank.node)
    try:
        (family, _, _, _, place), *_ = socket.getaddrinfo(other, _PORT, type=socket.SOCK_DGRAM)
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect(place)
            return str(asked.getsockname()[0])
    except OSError as error:
        raise RuntimeError(
            f"{rank.host} must have a way to {other}, but: {error}; where names of nodes are not "
            f"their addresses, set {variable} on each"
        ) from error
