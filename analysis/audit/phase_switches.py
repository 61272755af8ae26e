"""Phase switches: did the settings of each phase stand in it, by the record and by the samples?

The record of a switch was written by who made it; the samples were read by another, so they are
held against it from the measured delay on. A switch that is told and that no sample shows is a lie.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from analysis.audit.check import Case, Finding, judged, unseen
from analysis.audit.switch_rules import (
    asked_faults,
    changing,
    delay_faults,
    measured_faults,
    order_faults,
)
from analysis.energy.gpu_state import HOLDS, THROTTLE
from analysis.energy.phase_spans import OwnPhase, own_phases
from analysis.runs.rank_spans import rank_spans
from telemetry.power.phases import PHASES, GpuSwitch, Switch
from telemetry.power.record import NodePower
from telemetry.power.wish import Wish

_LIMIT: Final = "power_limit_w"
_CLOCK: Final = "sm_clock_mhz"
_APPLICATION: Final = "application_sm_clock_mhz"
# Drivers round limits to whole watts, and clocks come in steps of 15 MHz.
_LIMIT_W: Final = 1.0
_CLOCK_MHZ: Final = 15.0
# A board holds its limit on average and sensors err by 5 % (arXiv 2312.02741).
_OVER_CAP: Final = 0.05
# The middle reading tells: single ones at a phase's edge may be of what the sensor saw before.
_SHARE: Final = 0.5


def switched_as_asked(
    case: Case, records: Mapping[str, NodePower], known: Sequence[str] = ()
) -> Finding:
    """At each phase's edge all GPUs of its node were set as it asks and read back.

    `known` is what is wrong with the records as a whole.
    """
    faults = list(known)
    read = blind = 0
    for host in sorted(case.run.hosts):
        phases = None if host not in records else records[host].phases
        if phases is None:
            faults.append(f"{host}: nothing is on record of its switches between phases")
            continue
        edges = _edges(case, host)
        by_edge = {(one.phase, one.batch): one for one in phases.switches}
        uuids = {str(gpu["uuid"]) for gpu in case.run.hosts[host].get("gpus", [])}
        spec = case.run.spec
        rules = (
            measured_faults(phases, edges),
            asked_faults(spec, records[host], phases),
            delay_faults(spec, phases, uuids),
        )
        faults += [f"{host}: {line}" for rule in rules for line in rule]
        for (phase, batch), (start_us, end_us) in sorted(edges.items(), key=lambda one: one[1]):
            one = by_edge.get((phase, batch))
            if one is None:
                faults.append(f"{host}: {phase} of batch {batch} was never switched to")
                continue
            if not start_us <= one.asked_us <= end_us:
                faults.append(f"{host}: {phase} of batch {batch} was asked for outside of it")
            wish = Wish.of(case.run.spec, phase)
            told = _told(one, wish, uuids, changing=changing(spec, phases), end_us=end_us)
            faults += [f"{host}: {phase} of batch {batch}: {line}" for line in told]
            read += sum(gpu.read_us is not None for gpu in one.gpus)
            blind += sum(gpu.read_us is None for gpu in one.gpus)
        for phase, batch in sorted(set(by_edge) - set(edges)):
            faults.append(f"{host}: {phase} of batch {batch} was switched to, and never was")
        faults += [f"{host}: {line}" for line in order_faults(phases)]
    if blind and not faults:
        return unseen(
            f"{read} switches read back as asked, {blind} clock locks set that no driver tells of: "
            "`cap-kept` and `clock not held` hold the samples of each phase against them"
        )
    return judged(faults, f"{read} switches read back as asked")


def held_in_phases(case: Case) -> Finding:
    """In each phase, from the delay on, the samples are of its own limit, power and clock."""
    run_energy = case.run_energy
    if not run_energy.gpus:
        return unseen("no working GPU is on record")
    faults, blind = [], []
    looked = 0
    for gpu in run_energy.gpus:
        phases = own_phases(run_energy, gpu)
        if phases is None:
            blind.append(f"{gpu.uuid} has no measured delay")
            continue
        for one in phases:
            known, wrong = _sampled(case, gpu, one)
            faults += [f"{gpu.uuid}, {one.phase}: {line}" for line in wrong]
            looked += known
            if not known:
                blind.append(f"{gpu.uuid}, {one.phase}: no sample lies in it")
    if blind and not faults:
        return unseen(blind[0])
    return judged(
        faults, f"{looked} kinds of samples are of their phase's own settings, from the delay on"
    )


def _edges(case: Case, host: str) -> dict[tuple[str, int], tuple[int, int]]:
    """Begin and end of each measured phase of each batch on a host, by its first rank."""
    for rank in rank_spans(case.run):
        if rank.host != host:
            continue
        return {
            (phase, batch): (start_us, end_us)
            for phase in PHASES
            for batch, start_us, end_us in rank.setting_spans(phase)
        }
    return {}


def _told(
    one: Switch, wish: Wish, uuids: set[str], *, changing: set[str], end_us: int
) -> list[str]:
    """What is wrong with what a switch tells of itself."""
    found: list[str] = []
    asked = {name.value: value for name, value in wish.by_quantity.items()}
    if _CLOCK in asked:
        asked[_APPLICATION] = asked[_CLOCK]
    there: dict[tuple[str, str], GpuSwitch] = {(gpu.uuid, gpu.quantity): gpu for gpu in one.gpus}
    found += _strange(one, uuids)
    for uuid in sorted(uuids):
        for quantity in sorted(changing):
            gpu = there.get((uuid, quantity))
            if gpu is None:
                found.append(f"{uuid}: `{quantity}` was not set")
                continue
            if gpu.fault is not None:
                found.append(gpu.fault)
            value = asked.get(quantity, gpu.value)
            if value != gpu.value:
                found.append(f"{uuid}: `{quantity}` must be {value}, but was set to {gpu.value}")
            elif gpu.value is not None and gpu.stands is not None:
                if abs(gpu.stands - gpu.value) > _LIMIT_W:
                    found.append(
                        f"{uuid}: `{quantity}` must be {gpu.value:g}, but {gpu.stands:g} was read"
                    )
            elif gpu.stands is None and quantity == _LIMIT:
                found.append(f"{uuid}: `{quantity}` was never read back")
            found += [f"{uuid}: `{quantity}` {line}" for line in _mistimed(one, gpu, end_us)]
    return found


def _strange(one: Switch, uuids: set[str]) -> Iterator[str]:
    """What a switch tells twice, and of GPUs that are not the job's."""
    for (uuid, name), count in Counter((gpu.uuid, gpu.quantity) for gpu in one.gpus).items():
        if count > 1:
            yield f"{uuid}: `{name}` is told {count} times"
    for uuid in sorted({gpu.uuid for gpu in one.gpus} - uuids):
        yield f"{uuid} is none of the job's GPUs, and was set"


def _mistimed(one: Switch, gpu: GpuSwitch, end_us: int) -> Iterator[str]:
    """What a switch tells of its times that cannot be of the phase that ended at `end_us`."""
    if gpu.set_us < one.asked_us:
        yield "was set before it was asked for"
    if gpu.set_us > end_us:
        yield "was set after the phase had ended"
    if gpu.read_us is not None and gpu.read_us < gpu.set_us:
        yield "was read back before it was set"
    if gpu.read_us is not None and gpu.read_us > end_us:
        yield "was read back after the phase had ended"


def _sampled(case: Case, gpu: object, one: OwnPhase) -> tuple[int, list[str]]:
    """How many kinds of samples tell of a phase, and which are of other settings."""
    run_energy = case.run_energy
    working = next(each for each in run_energy.gpus if each is gpu)
    known, wrong = 0, []
    cap_w, clock_mhz = one.wish.power_cap_w, one.wish.sm_clock_mhz
    if cap_w is not None:
        limits_w = one.values(run_energy, working, _LIMIT)
        off = np.abs(limits_w - cap_w) > _LIMIT_W
        known += len(limits_w) > 0
        if off.any():
            wrong.append(
                f"{cap_w:g} W asked for, {limits_w[off][0]:g} W in force in "
                f"{int(off.sum())} of {len(off)} readings"
            )
        field, _ = run_energy.power_series(working.host, working.uuid)
        power_w = one.values(run_energy, working, field)
        known += len(power_w) > 0
        if len(power_w) and float(power_w.mean()) > (1.0 + _OVER_CAP) * cap_w:
            wrong.append(f"a cap of {cap_w:g} W, and {power_w.mean():.1f} W drawn on average")
    if clock_mhz is not None:
        read_mhz = one.values(run_energy, working, _CLOCK)
        known += len(read_mhz) > 0
        held = one.values(run_energy, working, THROTTLE).astype(np.int64)
        # Heat or a power limit may hold a clock below its lock; nothing lifts one above it.
        off = read_mhz > clock_mhz + _CLOCK_MHZ
        if len(held) and not (held & sum(HOLDS)).any():
            off |= read_mhz < clock_mhz - _CLOCK_MHZ
        if len(read_mhz) and float(off.mean()) > _SHARE:
            wrong.append(
                f"{clock_mhz} MHz asked for, {float(np.median(read_mhz)):g} MHz read in the middle"
            )
    if cap_w is None and clock_mhz is None:
        known += 1
    return known, wrong
