"""Torch dtypes: torch's number formats by the names that specs use."""

from typing import Final

import torch

TORCH_DTYPES: Final = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
"""Torch's number formats by `RunSpec.dtype`."""
