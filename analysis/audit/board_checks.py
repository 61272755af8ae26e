"""Board checks: are the GPUs those asked for, whole, and each what its node says?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc

from analysis.audit.check import Case, Check, Finding, Severity, judged, skipped, unseen
from analysis.performance.model_record import ModelFacts
from telemetry.boards.agreement import boards_fault
from telemetry.boards.table import board_of
from telemetry.power.wish import Wish, switches
from telemetry.record.spec import RunSpec

# Torch's total is less than NVML's by what the driver keeps: 0.4 % on an H200.
_MEMORY_TOLERANCE: Final = 0.06
# NVIDIA's clocks come in steps of 15 MHz and are rounded to one.
_CLOCK_STEP_MHZ: Final = 15.0
# Clocks event reasons of NVML (nvml.h) that hold no clock down: idle, and a clock as asked for.
_NOT_HELD_DOWN: Final = 0x1 | 0x2
# Drivers round a limit to whole watts.
_LIMIT_STEP_W: Final = 1.0
_CPU: Final = "cpu"
_ON_CPU: Final = "the work was done on CPU"
# Partners sell boards that are clocked a few percent higher than the row says.
_ROW_TOLERANCE: Final = 0.1
# Keys of a source that only a power model has.
_MODEL_KEYS: Final = ("constants", "model", "not_modelled", "power_model")


def boards_as_asked(case: Case) -> Finding:
    """Every GPU that a rank worked on is of the kind that the spec names, by its driver's name."""
    spec = case.run.spec
    if spec.gpu == _CPU:
        return skipped("no GPU was asked for")
    worked = {rank.gpu_uuid for rank in case.run_energy.ranks}
    gpus = [gpu for _, gpu in _gpus(case) if gpu.get("uuid") in worked]
    if not gpus:
        return unseen("no host's inventory names a GPU that a rank worked on")
    fault = boards_fault(spec.gpu, gpus)
    names = sorted({str(gpu.get("name")) for gpu in gpus})
    return judged(
        [*([fault] if fault else []), *_total_faults(case, worked), *_row_faults(case, gpus)],
        f"{spec.gpu} asked for, there are {', '.join(names)}",
    )


def _total_faults(case: Case, worked: set[str | None]) -> list[str]:
    """Where the memory that torch saw is not that of the inventory's boards."""
    total = ModelFacts(case.run).number("memory", "device_total_bytes")
    if total is None:
        return []
    return [
        f"{gpu['uuid']} has {gpu['memory_bytes']} bytes of memory, torch saw {total:.0f}"
        for _, gpu in _gpus(case)
        if gpu.get("uuid") in worked
        and gpu.get("memory_bytes")
        and abs(total / float(gpu["memory_bytes"]) - 1.0) > _MEMORY_TOLERANCE
    ]


def _row_faults(case: Case, gpus: Sequence[Mapping[str, Any]]) -> list[str]:
    """Limits and clocks that no board of the name has."""
    faults = []
    clocks = case.run.series(["sm_clock_mhz", "memory_clock_mhz"])
    highest = {
        (device, field): float(series.value.max())
        for (_, device, field), series in clocks.items()
        if len(series.value)
    }
    for gpu in gpus:
        board = None if gpu.get("simulated") else board_of(str(gpu.get("name")))
        if board is None:
            continue
        uuid = str(gpu.get("uuid"))
        for what, read, most in (
            ("a default limit in W", gpu.get("power_limit_default_w"), board.max_power_limit_w),
            ("a highest limit in W", gpu.get("power_limit_max_w"), board.max_power_limit_w),
            ("an SM clock in MHz", highest.get((uuid, "sm_clock_mhz")), board.max_sm_clock_mhz),
            (
                "a memory clock in MHz",
                highest.get((uuid, "memory_clock_mhz")),
                board.max_memory_clock_mhz,
            ),
        ):
            if read is not None and most is not None and read > most * (1 + _ROW_TOLERANCE):
                faults.append(f"{uuid} has {what} of {read:g}, {gpu.get('name')} at most {most:g}")
    return faults


def inventory_sound(case: Case) -> Finding:
    """A node's GPUs are whole and distinct, under one driver, and every shard names the same."""
    spec = case.run.spec
    gpus = list(_gpus(case))
    if not gpus:
        return (
            skipped("no GPU was asked for") if spec.gpu == _CPU else unseen("no GPU is on record")
        )
    faults = []
    for host, ready in sorted(case.run.hosts.items()):
        own = [gpu for name, gpu in gpus if name == host]
        drivers = {str(gpu.get("driver")) for gpu in own}
        if len(drivers) > 1:
            faults.append(f"{host}: one node has one driver, but here are {_listed(drivers)}")
        for key in ("uuid", "pci_bus_id", "serial", "index"):
            values = [gpu.get(key) for gpu in own if gpu.get(key) is not None]
            if len(set(values)) < len(values):
                faults.append(f"{host}: two of its GPUs have the same {key}")
        names = {str(gpu.get("name")) for gpu in own}
        if len(names) > 1:
            faults.append(f"{host}: a run is of one kind of GPU, but here are {_listed(names)}")
        faults += _source_faults(spec, host, ready)
        faults += _driver_faults(host, ready, own)
        faults += [f"{host}: {fault}" for gpu in own for fault in _limit_faults(case, host, gpu)]
        period = case.run.launch.get("period_ms")
        if "period_ms" in ready and period is not None and ready["period_ms"] != period:
            faults.append(f"{host}: polled every {ready['period_ms']} ms, asked for were {period}")
    for host, gpu in gpus:
        where = f"{gpu.get('uuid')} on {host}"
        if gpu.get("mig"):
            faults.append(f"{where}: MIG is on, so that its energy is not its rank's alone")
        mark = "SIM-" if spec.simulated else "GPU-"
        if not str(gpu.get("uuid")).startswith(mark):
            faults.append(f"{where}: a {'modelled' if spec.simulated else 'real'} GPU is {mark}…")
    faults += _shard_faults(case, {str(gpu.get("uuid")): gpu for _, gpu in gpus})
    faults += _reason_faults(case)
    firmware = {str(gpu.get("vbios")) for _, gpu in gpus if gpu.get("vbios")}
    told = f", of {len(firmware)} VBIOS: {_listed(firmware)}" if len(firmware) > 1 else ""
    return judged(
        faults,
        f"{len(gpus)} whole GPUs of {len(case.run.hosts)} nodes{told}",
        strain=float(len(firmware)),
    )


def _source_faults(spec: RunSpec, host: str, ready: Mapping[str, Any]) -> list[str]:
    source = ready.get("source")
    source = source if isinstance(source, dict) else {}
    modelled = source.get("name") == "simulated" or any(key in source for key in _MODEL_KEYS)
    if modelled is spec.simulated:
        return []
    what = "a power model" if modelled else "sensors"
    return [f"{host}: `gpu` is {spec.gpu}, but {what} gave the readings"]


def _driver_faults(
    host: str, ready: Mapping[str, Any], gpus: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Where a GPU's entry names another driver or library than its source does."""
    source = ready.get("source")
    parts = [source, *source.values()] if isinstance(source, dict) else []
    for key in ("driver", "nvml"):
        told = {
            part[key] for part in parts if isinstance(part, dict) and isinstance(part.get(key), str)
        }
        for gpu in gpus:
            if told and isinstance(gpu.get(key), str) and gpu[key] not in told:
                yield f"{host}: {gpu.get('uuid')} has {key} {gpu[key]}, its source {_listed(told)}"


def _limit_faults(case: Case, host: str, gpu: Mapping[str, Any]) -> Iterator[str]:
    """Where a GPU's power limits contradict each other, or none of the limits read is its own."""
    uuid = str(gpu.get("uuid"))
    least, limit, most = (gpu.get(f"power_limit_{name}") for name in ("min_w", "w", "max_w"))
    known = [one for one in (least, limit, most) if isinstance(one, int | float)]
    if known != sorted(known):
        yield f"{uuid} has a power limit of {limit:g} W between {least:g} and {most:g} W"
    readings = case.run_energy.series(host, uuid, "power_limit_w").value
    if isinstance(limit, int | float) and len(readings):
        nearest = float(readings[np.argmin(np.abs(readings - limit))])
        if abs(nearest - limit) > _LIMIT_STEP_W:
            yield f"{uuid} has a power limit of {limit:g} W, but {nearest:g} W were read"


def _shard_faults(case: Case, inventory: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Where a shard's writer saw another GPU than its node's inventory tells."""
    faults = []
    for name, metadata in case.shard_metadata():
        for gpu in metadata.get("gpus") or []:
            known = inventory.get(str(gpu.get("uuid")))
            if known is None:
                faults.append(f"{name} names {gpu.get('uuid')}, which no host has")
                continue
            faults += [
                f"{name} says {key} {gpu[key]!r} of {gpu['uuid']}, its host {known.get(key)!r}"
                for key in ("name", "driver", "vbios", "mig", "simulated", "memory_bytes")
                if key in gpu and gpu[key] != known.get(key)
            ]
    return faults


def _reason_faults(case: Case) -> list[str]:
    """Readings of a real GPU that are missing for a reason that only a model gives."""
    if case.run.spec.simulated:
        return []
    on_cpu = [reason for reason in case.run.spans["energy_reason"].to_pylist() if reason == _ON_CPU]
    if on_cpu and case.run.spec.gpu != _CPU:
        return [f"{len(on_cpu)} spans say that {_ON_CPU}"]
    samples = case.run.table("samples", ["reason"])
    modelled = pc.starts_with(pc.fill_null(samples["reason"], ""), pattern="simulated GPU")
    count = pc.sum(modelled).as_py() or 0
    return [f"{count} readings are missing as of a simulated GPU"] if count else []


def clock_in_force(case: Case) -> Finding:
    """The SM clock that was asked for is the one that was read at work."""
    if switches(case.run.spec):
        return skipped("phases have settings of their own: `cap-kept` holds each one's samples")
    asked = Wish.of(case.run.spec).sm_clock_mhz
    if asked is None:
        return skipped("no clock was asked for")
    faults = []
    seen = []
    window_us = case.run_energy.window_us
    for gpu in case.run_energy.gpus:
        clocks = case.run_energy.series(gpu.host, gpu.uuid, "sm_clock_mhz").between(*window_us)
        held = case.run_energy.series(gpu.host, gpu.uuid, "throttle_reasons").between(*window_us)
        if not len(clocks.value):
            continue
        highest = float(clocks.value.max())
        seen.append(highest)
        free = len(held.value) > 0 and not any(int(one) & ~_NOT_HELD_DOWN for one in held.value)
        if highest > asked + _CLOCK_STEP_MHZ:
            faults.append(f"{gpu.uuid}: {asked} MHz asked for, {highest:g} MHz read")
        elif highest < asked - _CLOCK_STEP_MHZ and free:
            faults.append(
                f"{gpu.uuid}: {asked} MHz asked for, {highest:g} MHz at most, held by none"
            )
    if not seen:
        return unseen("no SM clock was read in the window")
    return judged(faults, f"{asked} MHz asked for, {min(seen):g} to {max(seen):g} MHz read at most")


def _gpus(case: Case) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every GPU of every host's inventory."""
    for host, ready in sorted(case.run.hosts.items()):
        for gpu in ready.get("gpus", []):
            yield host, gpu


def _listed(words: set[str]) -> str:
    return ", ".join(sorted(words))


BOARD_CHECKS: Final = (
    Check(
        name="board",
        claim="the GPUs are those asked for",
        severity=Severity.WRONG,
        rule=(
            "the driver's name of every GPU that worked is one of the kind asked "
            "for, and its memory, limits and clocks are such a board's"
        ),
        tolerance=(f"{_MEMORY_TOLERANCE:.0%} of memory, {_ROW_TOLERANCE:.0%} of limits and clocks"),
        reason=(
            "torch sees 0.4 % less memory than the driver on an H200; partners sell"
            " boards clocked some percent higher"
        ),
        rules_out=(
            "work on another board than the one that is told, and readings that no such board gives"
        ),
        look=boards_as_asked,
    ),
    Check(
        name="inventory",
        claim="nodes and shards name the same whole GPUs",
        severity=Severity.WRONG,
        rule=(
            "a node's GPUs have one driver, one kind and UUIDs of their own, no "
            "MIG, and every shard and source says the same of them"
        ),
        tolerance=f"{_LIMIT_STEP_W:g} W of a power limit",
        reason="drivers round a limit to whole watts",
        rules_out=(
            "boards that are made up, shared with others by MIG, or modelled and told as real"
        ),
        look=inventory_sound,
    ),
    Check(
        name="sm-clock",
        claim="the clock asked for was in force",
        severity=Severity.WRONG,
        rule=(
            "the highest SM clock read in the window is the one asked for, or "
            "something held it down"
        ),
        tolerance=f"{_CLOCK_STEP_MHZ:g} MHz",
        reason="NVIDIA's clocks come in steps of 15 MHz",
        rules_out="a clock that was asked for, told, and not in force",
        look=clock_in_force,
    ),
)
"""Checks of the boards, in the audit's order."""
