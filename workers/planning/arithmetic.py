"""Arithmetic of a spec: what its answers cost at least, as its model's own shape says."""

import functools

from telemetry.record.arithmetic import Arithmetic
from telemetry.record.spec import ITEM_BYTES, RunSpec
from workers.planning.own_configs import shape_of
from workers.planning.weight_formats import matrix_bytes


def arithmetic_of(spec: RunSpec) -> Arithmetic:
    """Operations and bytes of a spec's model in its number formats, over all its GPUs.

    Raises:
        ValueError: the model or the quantization is unknown.
    """
    item_bytes = ITEM_BYTES[spec.dtype]
    lies = functools.partial(matrix_bytes, quantization=spec.quantization, item_bytes=item_bytes)
    return shape_of(spec).arithmetic(degree=spec.gpus, item_bytes=item_bytes, matrix_bytes=lies)
