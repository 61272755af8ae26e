"""What DCGM hands out, as numbers in SI units or as an absence with its reason.

DCGM has no null: a value that could not be had comes with status 0 and a sentinel far outside any
sensor's range (dcgmvalue.py of github.com/NVIDIA/DCGM). A row with time 0 is a placeholder for
"nothing new" and no reading.
"""

import ctypes
import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from telemetry.record.fields import Field, Kind

Raw = tuple[int, int, int, int, int, float]
"""Field id, type's letter as a number, status, wall time in us, value as integer, as real."""

# dcgmvalue.py: the first of each kind is "no value", the next three say why.
_INT32_BLANK: Final = 0x7FFFFFF0
_INT64_BLANK: Final = 0x7FFFFFFFFFFFFFF0
_FP64_BLANK: Final = 140_737_488_355_328.0
_SENTINELS: Final = (
    "DCGM has no value: the GPU did not answer, is lost, or was not read yet",
    "DCGM says not found",
    "DCGM says not supported by this GPU or driver",
    "DCGM says no permission",
)
# All blanks of a kind lie in the sixteen numbers from the first on.
_BLANKS: Final = 16
# dcgm_fields.h: one letter per type; a time is an integer too.
_REAL: Final = ord("d")
_INTEGERS: Final = (ord("i"), ord("t"))
# DCGM_FE_GPU of dcgm_fields.h: other entities are parts of a GPU, switches and CPUs.
_GPU_ENTITY: Final = 1


class Collector:
    """Takes what DCGM's drain calls back with; its memory is gone when the call returns."""

    def __init__(self, structs: Any) -> None:
        struct = structs.c_dcgmFieldValue_v1
        value = struct.value.offset
        # 4120 bytes a value, nearly all of it room for text: a view picks the numbers out.
        self._layout = np.dtype(
            {
                "names": ["field", "type", "status", "t_us", "integer", "real"],
                "formats": ["u2", "i2", "i4", "i8", "i8", "f8"],
                "offsets": [
                    struct.fieldId.offset,
                    struct.fieldType.offset,
                    struct.status.offset,
                    struct.ts.offset,
                    value,
                    value,
                ],
                "itemsize": ctypes.sizeof(struct),
            }
        )
        self._blocks: list[tuple[int, list[list[Any]]]] = []

    def take(self, entity_group: int, entity: int, values: Any, count: int, user_data: Any) -> int:
        """The callback of dcgmGetValuesSince_v2; 0 asks for the next values."""
        del user_data
        if entity_group == _GPU_ENTITY and count > 0:
            size = count * self._layout.itemsize
            memory = (ctypes.c_char * size).from_address(ctypes.addressof(values.contents))
            block = np.frombuffer(memoryview(memory), dtype=self._layout)
            assert self._layout.names is not None
            columns = [block[name].tolist() for name in self._layout.names]
            self._blocks.append((entity, columns))
        return 0

    def taken(self) -> Iterator[tuple[int, Iterator[Raw]]]:
        """The engine's number of a GPU with its values, as they came; empties the collector."""
        blocks, self._blocks = self._blocks, []
        for gpu, columns in blocks:
            yield gpu, zip(*columns, strict=True)


def decode(raw: Raw, field: Field) -> tuple[float | None, str | None]:
    """The value in the field's unit, or None and why there is none."""
    _, kind, status, _, integer, real = raw
    if status != 0:
        return None, f"DCGM gave status {status} with the value"
    if kind == _REAL:
        if not math.isfinite(real):
            return None, f"DCGM gave {real}, which is no number"
        if 0 <= real - _FP64_BLANK < _BLANKS:
            return None, _sentinel(int(real - _FP64_BLANK))
        value = real * field.dcgm_factor
    elif kind in _INTEGERS:
        for blank in (_INT64_BLANK, _wide(field), int(_FP64_BLANK)):
            if blank is not None and 0 <= integer - blank < _BLANKS:
                return None, _sentinel(integer - blank)
        value = integer * field.dcgm_factor
    else:
        return None, "DCGM gave a value that is no number"
    why = _outside(value, field)
    return (value, None) if why is None else (None, why)


def _outside(value: float, field: Field) -> str | None:
    """Why `value` is no reading of the field; None when it can be one."""
    least = 0.0 if field.least is None else field.least
    # DCGM's own sign for no value bounds what no field bounds.
    most = _FP64_BLANK if field.most is None else field.most
    if value < least:
        return f"DCGM gave a value below {least:g}, which cannot be"
    return f"DCGM gave a value above {most:g}, which cannot be" if value > most else None


def _wide(field: Field) -> int | None:
    """A blank that was 32 bits wide below DCGM; a running total may pass that number honestly."""
    return _INT32_BLANK if field.kind is Kind.GAUGE else None


def _sentinel(offset: int) -> str:
    return _SENTINELS[offset] if 0 <= offset < len(_SENTINELS) else _SENTINELS[0]
