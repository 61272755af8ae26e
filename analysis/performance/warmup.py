"""Warm-up: what was spent before the window on getting ready, and of it on compiling."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.energy.run_energy import RunEnergy
from analysis.energy.uncertain import Uncertain, total
from analysis.performance.model_record import MODEL_NOT_RECORDED, ModelFacts
from analysis.runs.series import IntArray
from telemetry.clock import US_PER_S
from telemetry.record.schema import Phase


def warmup_seconds(run_energy: RunEnergy) -> Uncertain:
    """Seconds in spans of warm-up, the mean over ranks; unknown where none was asked for."""
    spent = [float(rank.seconds(rank.of(Phase.WARMUP)).sum()) for rank in run_energy.ranks]
    if not any(spent):
        return Uncertain.unknown("no batch was answered to warm up")
    return Uncertain.of(sum(spent) / len(spent))


def warmup_energy(run_energy: RunEnergy) -> Uncertain:
    """Gross joules of all working GPUs in spans of warm-up, compiling included."""
    if (spent := warmup_seconds(run_energy)).value is None:
        return spent
    amounts = [
        run_energy.attribution.energy(rank, run_energy.gpu_of(rank), rank.of(Phase.WARMUP))
        for rank in run_energy.ranks
        if rank.gpu_uuid is not None
    ]
    return total(amounts, nothing="no rank has a GPU")


def compile_seconds(model: ModelFacts) -> Uncertain:
    """Seconds of the steps that compiled; unknown of an engine that compiles nothing."""
    found = _compilations(model)
    if isinstance(found, str):
        return Uncertain.unknown(found)
    return Uncertain.of(float((found[1] - found[0]).sum()) / US_PER_S)


def compile_energy(run_energy: RunEnergy, model: ModelFacts) -> Uncertain:
    """Gross joules of all working GPUs in the steps that compiled, by the phases' method.

    On a GPU what a CUDA graph takes to be captured, in the steps after, is of warm-up alone.
    """
    found = _compilations(model)
    if isinstance(found, str):
        return Uncertain.unknown(found)
    began_us, ended_us = found
    attribution = run_energy.attribution
    if attribution.method is None:
        return Uncertain.unknown(attribution.reason)
    amounts = []
    for gpu in run_energy.gpus:
        seconds = (ended_us - began_us) / US_PER_S
        curve = gpu.curve(attribution.method)
        if isinstance(curve, str):
            amounts.append(Uncertain.unknown(f"{gpu.uuid}: {curve}"))
        elif not gpu.attributable(attribution.method, seconds):
            amounts.append(Uncertain.unknown(gpu.shortness(attribution.method, seconds)))
        else:
            amounts.append(curve.summed(began_us, ended_us))
    return total(amounts, nothing="no rank has a GPU")


def _compilations(model: ModelFacts) -> tuple[IntArray, IntArray] | str:
    """When each compilation began and ended, by the spans' clock, or why that is not known."""
    if not model.there:
        return MODEL_NOT_RECORDED
    engine = model.part("engine")
    told = engine.get("compile")
    if not isinstance(told, Mapping):
        return f"engine {engine.get('name', 'of this run')} compiles no steps"
    found = told.get("compilations")
    if not isinstance(found, Sequence) or not found:
        return "model.json has no compilation"
    if not all(_is_timed(one) for one in found):
        return "model.json does not say when the steps were compiled"
    return (
        np.array([one["began_us"] for one in found], dtype=np.int64),
        np.array([one["ended_us"] for one in found], dtype=np.int64),
    )


def _is_timed(one: Any) -> bool:
    if not isinstance(one, Mapping):
        return False
    began_us, ended_us = one.get("began_us"), one.get("ended_us")
    return type(began_us) is int and type(ended_us) is int and began_us <= ended_us
