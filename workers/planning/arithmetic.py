"""Arithmetic of a spec: what its answers cost at least, as its model's own shape says."""

import dataclasses
import functools

from telemetry.record.arithmetic import Arithmetic
from telemetry.record.spec import ITEM_BYTES, KV_ITEM_BYTES, RunSpec
from workers.planning.own_configs import shape_of
from workers.planning.weight_formats import matrix_bytes


def arithmetic_of(spec: RunSpec) -> Arithmetic:
    """Operations and bytes of a spec's model in its number formats, over all its GPUs.

    Raises:
        ValueError: the model or the quantization is unknown.
    """
    item_bytes = ITEM_BYTES[spec.dtype]
    lies = functools.partial(matrix_bytes, quantization=spec.quantization, item_bytes=item_bytes)
    shape = shape_of(spec)
    whole = shape.arithmetic(degree=spec.gpus, item_bytes=item_bytes, matrix_bytes=lies)
    if spec.kv_dtype is None:
        return whole
    kept_bytes = shape.kv_numbers * KV_ITEM_BYTES[spec.kv_dtype]
    return dataclasses.replace(whole, kv_bytes_per_position=kept_bytes)
