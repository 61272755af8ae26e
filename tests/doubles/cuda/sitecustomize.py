"""CUDA for machines without a GPU: ranks whose GPUs are the simulated library's compute on CPU.

Python runs this before anything else where its folder is on PYTHONPATH. All of a rank is real but
its device: which of the node's boards is its own it is told by its place, as ranks on CPU are, and
at the edges of its spans it reads that board's counter, as ranks on CUDA do.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any

# Whoever starts has not put its own folder there yet, and others have a `tests` too.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from tests.doubles.changed import Changed

del sys.path[0]


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


sys.meta_path.insert(
    0,
    Changed(
        {
            "workers.session.placement": _compute_on_cpu,
            "workers.session.lifecycle": _read_the_board_s_counter,
        }
    ),
)
