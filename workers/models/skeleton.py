"""Skeleton: a rank's model of any family before it has memory."""

import importlib
from typing import cast

from workers.models.base.layers import unfilled
from workers.models.base.model import DecoderModel
from workers.models.base.shape import ModelShape
from workers.models.base.torch_dtypes import TORCH_DTYPES
from workers.planning.families import family_of


def skeleton(shape: ModelShape, dtype: str) -> DecoderModel:
    """A rank's model whose parameters have size and format, but no memory yet: device `meta`.

    Raises:
        ValueError: a size that ranks share does not divide by the degree of model parallelism, or
            the family has no layers of ours.
    """
    said = family_of(shape).model
    if said is None:
        raise ValueError(f"`model` must have layers of ours, but {shape.name} has none")
    module, _, name = said.partition(":")
    make = getattr(importlib.import_module(module), name)
    with unfilled(TORCH_DTYPES[dtype]):
        model = cast(DecoderModel, make(shape))
    # FairScale builds on CPU whatever the device context says; memory never touched is never taken.
    return model.to_empty(device="meta").requires_grad_(False).eval()
