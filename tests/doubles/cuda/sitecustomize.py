"""CUDA for machines without a GPU: ranks whose GPUs are the simulated library's compute on CPU.

Python runs this before anything else where its folder is on PYTHONPATH. All of a rank is real but
its device: which of the node's boards is its own it is told by its place, as ranks on CPU are, and
at the edges of its spans it reads that board's counter, as ranks on CUDA do.
"""

import dataclasses
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any


class Changed(importlib.abc.MetaPathFinder):
    """Finds the modules that know of devices, each changed once it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module where it lies, with what changes it."""
        if fullname not in _CHANGES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Loader(fullname, spec.origin)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        _CHANGES[module.__name__](module)


def _compute_on_cpu(placement: Any) -> None:
    import torch  # noqa: PLC0415

    placement.take_device = lambda *_: torch.device("cpu")


def _read_the_board_s_counter(lifecycle: Any) -> None:
    import torch  # noqa: PLC0415

    open_spans = lifecycle._open_spans
    torch.cuda.synchronize = lambda *_: None

    def open_as_on_cuda(session: Any, *more: Any) -> Any:
        on_cuda = dataclasses.replace(session.placement, device=torch.device("cuda"))
        return open_spans(dataclasses.replace(session, placement=on_cuda), *more)

    lifecycle._open_spans = open_as_on_cuda


_CHANGES: dict[str, Callable[[ModuleType], None]] = {
    "workers.session.placement": _compute_on_cpu,
    "workers.session.lifecycle": _read_the_board_s_counter,
}
sys.meta_path.insert(0, Changed())
