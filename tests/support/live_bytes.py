"""LiveBytes: how much memory tensors hold while code runs, on any device, `meta` included.

On `meta` tensors have sizes and no memory, so a 7B's pass is followed on a laptop. Kernels' own
scratch, which torch's operators do not show, is not seen.
"""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, storages are counted from the operator that made them until nobody holds them.

    Not under `inference_mode`, which hides what an operator is made of.
    """

    def __init__(self, known: Iterable[torch.Tensor]) -> None:
        """`known` is there already and not counted."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.live: int = 0
        self.peak: int = 0
        self._known = {tensor.untyped_storage()._cdata for tensor in known}
        self._held: dict[int, int] = {}

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in _pytree.tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self._count(leaf.untyped_storage())
        return out

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known or key in self._held:
            return
        self._held[key] = storage.nbytes()
        self.live += self._held[key]
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.live -= self._held.pop(key)
