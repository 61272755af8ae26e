"""Torch dtypes: torch's number formats by the names that specs use."""

from typing import Final

import torch

TORCH_DTYPES: Final = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
"""Torch's number formats by `RunSpec.dtype`."""
_NAMES: Final = {dtype: name for name, dtype in TORCH_DTYPES.items()}


def format_name(dtype: torch.dtype) -> str:
    """The format as `RunSpec.dtype` calls it, else as torch does."""
    return _NAMES.get(dtype, str(dtype).removeprefix("torch."))
