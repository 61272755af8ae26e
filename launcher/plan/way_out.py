"""Way out: what of a point that this machine has no room for would run on it."""

import dataclasses
from collections.abc import Sequence
from typing import Final

from launcher.plan.grid import PlannedPoint, Verdict
from launcher.plan.limits import too_large, too_long
from telemetry.record.spec import RunSpec
from workers.planning.engine_facts import ENGINE_FACTS, engine_facts
from workers.planning.families import find_shape, known_models
from workers.planning.memory import estimate
from workers.planning.own_configs import shape_of
from workers.planning.weight_formats import WEIGHT_ONLY

_NO_ROOM: Final = (Verdict.TOO_LARGE, Verdict.TOO_LONG)


def way_out(point: PlannedPoint) -> dict[str, str] | None:
    """The words of the command line that make a point fit: fewer bits, else a smaller model.

    None where it is not room that it lacks, where it is for a batch system, or where nothing fits.
    """
    if point.verdict not in _NO_ROOM or point.cluster.executor != "local":
        return None
    spec = point.spec
    for bits in WEIGHT_ONLY:
        for engine in dict.fromkeys((spec.engine, *ENGINE_FACTS)):
            if point.cluster.device == "cuda" and _fits(
                point, dataclasses.replace(spec, engine=engine, quantization=bits)
            ):
                return {"engine": engine, "quantization": bits}
    size = shape_of(spec).params
    smaller = [name for name in known_models() if find_shape(name).params < size]
    for name in sorted(smaller, key=lambda name: -find_shape(name).params):
        if _fits(point, dataclasses.replace(spec, model=name, model_config=None)):
            return {"model": name}
    return None


def way_out_notes(points: Sequence[PlannedPoint]) -> tuple[str, ...]:
    """Of points without room beside others that run: with how many bits they would."""
    notes: dict[str, None] = {}
    if any(point.verdict is Verdict.RUN for point in points):
        for point in points:
            words = way_out(point) or {}
            if "quantization" in words:
                said = " ".join(f"{key}={value}" for key, value in words.items())
                notes[f"{point.spec.model} has room with {said}"] = None
    return tuple(notes)


def _fits(point: PlannedPoint, spec: RunSpec) -> bool:
    if shape_of(spec).parallel_fault(spec.gpus) or engine_facts(spec.engine).fault(spec):
        return False
    no_room = too_large(spec, point.cluster, estimate(spec)) or too_long(spec, point.cluster)
    return no_room is None
