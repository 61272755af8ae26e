"""Switch rules: what a record of phases must say to be that of this spec and of these spans.

What differs between phases is the spec's to say; how long the phases lasted, the spans'.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from telemetry.clock import US_PER_MS, US_PER_S
from telemetry.power.phases import LEAST_FACTOR, PHASES, NodePhases
from telemetry.power.record import Knob, NodePower
from telemetry.power.wish import Wish
from telemetry.record.spec import RunSpec

# Batches are not all as long as the warm-up's, by whose shortest it was decided: twice the share of
# a phase that may stand under the other's settings is no chance any more.
_MEASURED_FACTOR: Final = LEAST_FACTOR // 2
# Drivers round limits to whole watts.
_SAME: Final = 1.0
Edges = Mapping[tuple[str, int], tuple[int, int]]


def changing(spec: RunSpec, phases: NodePhases) -> set[str]:
    """Quantities that a switch must set: an application clock where no lock was to be had."""
    first, other = (Wish.of(spec, phase).by_quantity for phase in PHASES)
    return {_name(name, phases) for name in {*first, *other} if first.get(name) != other.get(name)}


def measured_faults(phases: NodePhases, edges: Edges) -> Iterator[str]:
    """What the phases' own measurement lacks for them to be switched, and what spans say of it."""
    if phases.phases_us is None or not phases.delays:
        yield "the delay was not measured before the measurement"
        return
    delay_us = phases.delay_us
    if delay_us is None:
        yield "the delay of a setting is not known"
        return
    if not phases.allowed:
        yield f"the record says that nothing may be switched: {phases.rule}"
    told = f"times the delay of {delay_us / US_PER_MS:.1f} ms"
    shortest_us = min(phases.phases_us.values(), default=0)
    if shortest_us < LEAST_FACTOR * delay_us:
        yield (
            f"a phase must last {LEAST_FACTOR} {told}, but lasted {shortest_us / US_PER_MS:.1f} ms"
        )
    lasted_us: dict[str, int] = defaultdict(int)
    took_us: dict[str, int] = defaultdict(int)
    by_edge = {(one.phase, one.batch): one for one in phases.switches}
    for edge, (start_us, end_us) in edges.items():
        lasted_us[edge[0]] += end_us - start_us
        took_us[edge[0]] += 0 if edge not in by_edge else by_edge[edge].took_us or 0
    measured_us = min((end_us - start_us for start_us, end_us in edges.values()), default=None)
    if measured_us is not None and measured_us < _MEASURED_FACTOR * delay_us:
        yield (
            f"a phase must last {_MEASURED_FACTOR} {told}, but one lasted "
            f"{measured_us / US_PER_MS:.1f} ms in the measurement"
        )
    for phase, own_us in sorted(lasted_us.items()):
        if own_us < _MEASURED_FACTOR * took_us[phase]:
            yield (
                f"{phase} lasted {own_us / US_PER_S:.3f} s in all, and its settings took "
                f"{took_us[phase] / US_PER_S:.3f} s of it to stand"
            )


def asked_faults(spec: RunSpec, record: NodePower, phases: NodePhases) -> Iterator[str]:
    """What is on record as asked in a phase and is not what the spec asks for, or what stood."""
    names = changing(spec, phases)
    for phase in PHASES:
        wish = {
            _name(knob, phases): value for knob, value in Wish.of(spec, phase).by_quantity.items()
        }
        told = phases.asked.get(phase, {})
        for name in sorted({*wish, *names}):
            value = told.get(name)
            if (asked := wish.get(name)) is not None:
                if value is None or abs(value - asked) > _SAME:
                    yield f"`{name}` must be {asked:g} in {phase}, but {_words(value)} is on record"
                continue
            stood = {
                one.before.value
                for gpu in record.gpus
                if (one := gpu.settings.get(Knob(name))) is not None
            } - {None}
            if stood and value not in stood:
                yield (
                    f"`{name}` must be in {phase} what stood before, "
                    f"{' or '.join(sorted(f'{one:g}' for one in stood if one is not None))}, but "
                    f"{_words(value)} is on record"
                )


def delay_faults(spec: RunSpec, phases: NodePhases, uuids: set[str]) -> Iterator[str]:
    """GPUs of which nobody measured how long their settings take."""
    known = {(one.uuid, one.quantity) for one in phases.delays}
    for uuid in sorted(uuids if phases.delays else ()):
        for name in sorted(changing(spec, phases)):
            if (uuid, name) not in known:
                yield f"{uuid}: the delay of its `{name}` was not measured"


def order_faults(phases: NodePhases) -> Iterator[str]:
    """Switches that are told twice, or not in the order in which they are said to have been."""
    times = Counter((one.phase, one.batch) for one in phases.switches)
    for (phase, batch), count in sorted(times.items()):
        if count > 1:
            told = "twice" if count == 2 else f"{count} times"  # noqa: PLR2004
            yield f"{phase} of batch {batch} was switched to {told}"
    for one, other in pairwise(phases.switches):
        if other.asked_us < one.asked_us:
            yield (
                f"{other.phase} of batch {other.batch} was asked for before the switch that is "
                f"told before it, {one.phase} of batch {one.batch}"
            )


def _name(knob: Knob, phases: NodePhases) -> str:
    """What a switch sets for a quantity: application clocks stand in for a lock, on record."""
    application = Knob.APPLICATION_SM_CLOCK
    stands_in = any(application in told for told in phases.asked.values())
    return str(application if knob is Knob.SM_CLOCK and stands_in else knob)


def _words(value: float | None) -> str:
    return "nothing" if value is None else f"{value:g}"
