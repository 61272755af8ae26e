"""Cached numbers: the formats that keys and values are kept in, and how they are rounded to them.

fp8 is e4m3 without a scale: a position and head with one of its own would keep its 128 numbers no
nearer, as a factor moves no digits. A scale saves those that lie beside the format's range, 2^-6 to
448 with all its digits, and of keys and values, which follow a norm, hardly any do
(tests/workers/engines/fast/test_cached_numbers.py has both errors). It would cost 4 bytes of 132.
"""

from typing import Final

import torch
from torch import Tensor

from workers.models.base.torch_dtypes import TORCH_DTYPES

KINDS: Final = {**TORCH_DTYPES, "fp8": torch.float8_e4m3fn}
"""What torch calls each of `telemetry.record.spec.KV_DTYPES`."""
# torch.finfo(torch.float8_e4m3fn).max
_MOST_E4M3: Final = 448.0


def narrow(x: Tensor, kind: torch.dtype) -> Tensor:
    """Numbers as a cache of that kind keeps them.

    To fp8 by rounding to the nearest, ties to even; beyond 448 is 448. Infinity and what is no
    number become no number, so that logits tell of them.
    """
    if kind != torch.float8_e4m3fn:
        return x.to(kind)
    # Torch's own cast takes infinity for 448 in some releases.
    kept = torch.where(x.isfinite(), x, torch.nan).float().clamp(-_MOST_E4M3, _MOST_E4M3)
    return kept.to(kind)
