"""Told alike: falsifications in step wherever the record speaks of it, and possible all the same.

Nothing in the folder contradicts them: who owns it and has the code can make them. A signature by
somebody else's key, a root that was lodged before, or a meter outside rules them out.
"""

from typing import Any

from telemetry.record.paths import RunPaths
from tests.analysis.audit.corpus.energies import all_times, falsified
from tests.analysis.audit.forging import (
    Columns,
    Forge,
    Json,
    close,
    edit_inventory,
    saying,
    with_columns,
    with_gpus,
)


def _changed(field: str, change: float, *, factor: float = 1.0) -> Forge:
    """Every reading of a field otherwise, a null left null."""

    def edit(columns: Columns) -> None:
        for at, name in enumerate(columns["field"]):
            value = columns["value"][at]
            if name == field and value is not None:
                columns["value"][at] = factor * value + change

    return with_columns("samples", edit)


def _exchanged(columns: Columns) -> None:
    """Each prompt has the answer to the one before it."""
    for name in ("generated_ids", "text", "words", "generated_tokens"):
        values: list[Any] = columns[name]
        columns[name] = [values[-1], *values[:-1]]


def _by(user: str) -> Forge:
    def change(provenance: Json) -> None:
        provenance.update(user=user)

    return saying("provenance.json", change)


def _serials(run: RunPaths) -> RunPaths:
    edit_inventory(run, lambda gpu: gpu.update(serial=f"165492301{gpu['index']}"))
    return close(run)


TOLD_ALIKE: dict[str, Forge] = {
    "every reading of power and energy x 0.8, rounded": falsified(*all_times(0.8)),
    "another user": _by("eve"),
    "ten degrees more": _changed("gpu_temperature_c", 10.0),
    "a tenth less traffic of memory": _changed("dram_active", 0.0, factor=0.9),
    "answers of one prompt told of another": with_columns("responses", _exchanged),
    "another VBIOS on all": with_gpus(lambda gpu: gpu.update(vbios="97.00.01.02.03")),
    "other serial numbers": _serials,
}
"""Each by what it claims."""
