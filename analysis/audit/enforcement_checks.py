"""Enforcement checks: were caps and clocks that were asked for in force, kept, and put back?

What a node says of its settings lies in power/<host>.json; the samples were written by another
reader. A value that nobody read back is no pass.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from analysis.audit.check import Case, Check, Finding, Severity, judged, skipped, unseen
from analysis.audit.phase_switches import held_in_phases, switched_as_asked
from analysis.audit.setting_records import node_faults, past_faults, untimed_faults
from telemetry.power.record import Knob, NodePower, Setting, Way
from telemetry.power.wish import Wish, switches

_POWER: Final = "power_limit_w"
_CLOCK: Final = "sm_clock_mhz"
_MEMORY: Final = "memory_clock_mhz"
_APPLICATION: Final = "application_sm_clock_mhz"
# Drivers round a limit to whole watts, and clocks come in steps of 15 MHz.
_TOLERANCE: Final[Mapping[str, float]] = {
    _POWER: 1.0,
    _CLOCK: 15.0,
    _MEMORY: 15.0,
}
# nvml.h has calls that set and take off such a lock, and none that tells of one.
_LOCKS: Final = (_CLOCK, _MEMORY)
# A prolog's epilog, and Slurm at a step's end: what they put back no run sees.
_AFTERWARDS: Final = (Way.BROKER, Way.SLURM)
# Samples are stamped by the node's steady clock, a record by its wall clock, which NTP may step.
_CLOCKS_APART_US: Final = 1_000_000
_FOR_EVER_US: Final = 2**62
# A board holds its limit on average and sensors err by 5 % (arXiv 2312.02741).
_OVER_CAP: Final = 0.05


def enforced_everywhere(case: Case) -> Finding:
    """On every GPU of every node each setting was read back as asked, before the window began."""
    asked = _asked(case)
    records = _records(case)
    if not records:
        return _without_record(case, asked)
    faults = list(node_faults(case, records))
    if switches(case.run.spec):
        return switched_as_asked(case, records, faults)
    read = blind = 0
    for host, uuid in _gpus(case):
        settings = _settings(records.get(host), uuid)
        if settings is None:
            faults.append(f"{uuid} on {host}: nothing is on record of its settings")
            continue
        for quantity, value in asked.items():
            one = _set_for(settings, quantity)
            fault = _fault(case, quantity, value, one)
            untold = fault is None and one is not None and one.enforced.value is None
            blind += untold
            read += fault is None and not untold
            if fault is not None:
                faults.append(f"{uuid} on {host}: `{quantity}` must be {value:g}, but {fault}")
            if one is not None and fault is None:
                told = untimed_faults(records[host], one, quantity)
                faults += [f"{uuid} on {host}: {line}" for line in told]
        for quantity, one in settings.items():
            stands_in = quantity == _APPLICATION and one is _set_for(settings, _CLOCK)
            if quantity not in asked and one.set_us is not None:
                if stands_in and _CLOCK in asked:
                    continue
                faults.append(f"{uuid} on {host}: `{quantity}` was set, and nobody asked for it")
    if not asked and not faults:
        return skipped("no cap and no clock was asked for, and none was set")
    if blind and not faults:
        return unseen(
            f"{read} settings read back as asked, {blind} clock locks set that no driver tells of: "
            "`sm-clock` holds the clock that was read against them"
        )
    return judged(faults, f"{read} settings read back as asked, on {len(list(_gpus(case)))} GPUs")


def _set_for(settings: Mapping[str, Any], quantity: str) -> Any:
    """What was set for a quantity: an application clock where no lock was to be had, on record."""
    one = settings.get(quantity)
    if quantity != _CLOCK or (one is not None and one.asked is not None):
        return one
    other = settings.get(_APPLICATION)
    return one if other is None or other.asked is None else other


def _fault(case: Case, quantity: str, value: float, one: Any) -> str | None:
    """Why a setting was not in force as asked before the window; None where it was.

    A clock lock that was taken without a word of refusal is no fault: no driver tells of one.
    """
    tolerance = _TOLERANCE[quantity]
    if one is None or one.asked is None:
        return "was not asked for there"
    if abs(one.asked - value) > tolerance:
        return f"{one.asked:g} was asked for there"
    if one.enforced.value is None and quantity in _LOCKS and one.refusal is None:
        return None
    if one.enforced.value is None:
        return f"was never read back: {one.enforced.reason}"
    if abs(one.enforced.value - value) > tolerance:
        return f"{one.enforced.value:g} was read back"
    if one.enforced.t_us is not None and one.enforced.t_us > case.run_energy.window_us[0]:
        return "was read back after the window had begun"
    return None


def held_throughout(case: Case) -> Finding:
    """No reading in the window is of another limit, and no board drew more than its cap."""
    if switches(case.run.spec):
        return held_in_phases(case)
    cap_w = _asked(case).get(_POWER)
    if cap_w is None:
        return skipped("no power cap was asked for")
    run_energy = case.run_energy
    if not run_energy.gpus:
        return unseen("no working GPU is on record")
    faults: list[str] = []
    blind = []
    unlimited = _limit_faults(case, cap_w, faults)
    for gpu in run_energy.gpus:
        _, power = run_energy.power_series(gpu.host, gpu.uuid)
        drawn = power.between(*run_energy.window_us).value
        if not len(drawn):
            blind.append(gpu.uuid)
            continue
        mean_w = float(drawn.mean())
        if mean_w > (1.0 + _OVER_CAP) * cap_w:
            faults.append(
                f"{gpu.uuid}: a cap of {cap_w:g} W, and its samples draw {mean_w:.1f} W on average"
            )
    if blind and not faults:
        return unseen(f"no power was read in the window of {', '.join(blind)}")
    working = {gpu.uuid for gpu in run_energy.gpus}
    everyone = len(list(_gpus(case)))
    # A board whose limit nobody read is as good as one that has none, where its neighbours' was.
    if unlimited and len(unlimited) < everyone and not faults:
        return unseen(f"no limit was read of {', '.join(unlimited)}, and of its neighbours it was")
    also = ", no limit was read" if len(unlimited) == everyone else ""
    return judged(faults, f"{len(working)} GPUs drew no more than {cap_w:g} W on average{also}")


def _limit_faults(case: Case, cap_w: float, faults: list[str]) -> list[str]:
    """Put down every reading of another limit in the window; GPUs of which none was read by then.

    Idle GPUs of the job have their cap as well.
    """
    run_energy = case.run_energy
    unread = []
    for host, uuid in _gpus(case):
        limits = run_energy.series(host, uuid, _POWER)
        inside = limits.between(*run_energy.window_us).value
        if not len(inside):
            # It is told anew where it changes: the last one still stood.
            inside = limits.between(0, run_energy.window_us[1]).value[-1:]
        if not len(inside):
            unread.append(uuid)
        faults += [
            f"{uuid}: {cap_w:g} W asked for, {limit:g} W in force in the window"
            for limit in sorted({float(value) for value in inside})
            if abs(limit - cap_w) > _TOLERANCE[_POWER]
        ]
    return unread


def restored_everywhere(case: Case) -> Finding:
    """What was there before stands again on every GPU that was set, and was read back."""
    records = _records(case)
    if not records:
        return _without_record(case, _asked(case))
    faults = [
        f"{host}: {line}" for host, record in sorted(records.items()) for line in record.unrestored
    ]
    faults += [
        f"{host}: {uuid}: {line}"
        for host, record in sorted(records.items())
        for uuid, name, one in _each(record)
        for line in (
            *_contradictions(case, host, uuid, name, one),
            *past_faults(case, record, uuid, Knob(name), one),
        )
    ]
    if any(record.way is Way.WATCHER for record in records.values()) and _asked(case):
        faults += [
            f"{host}: {uuid}: nothing is on record of what stands there again"
            for host, uuid in _gpus(case)
            if _settings(records.get(host), uuid) is None
        ]
    changed = [
        one
        for record in records.values()
        for gpu in record.gpus
        for one in gpu.settings.values()
        if one.set_us is not None
    ]
    if not changed and not faults:
        ways = ", ".join(sorted({record.way.value for record in records.values()}))
        if any(record.way in _AFTERWARDS for record in records.values()):
            return unseen(f"{ways} puts it back after the job, when nobody of the run reads it")
        return skipped(f"the run set nothing itself: {ways}")
    left = [line for record in records.values() for line in record.left]
    if left and not faults:
        return unseen(
            f"{len(left)} settings are left, as their node alone says that somebody else had set "
            f"them meanwhile: {left[0]}"
        )
    blind = [one for one in changed if one.restored.value is None]
    if blind and not faults:
        return unseen(
            f"{len(changed) - len(blind)} settings stand as before, {len(blind)} clock locks were "
            "taken back, which no driver tells of"
        )
    return judged(faults, f"{len(changed)} settings stand as before, each read back")


def _contradictions(case: Case, host: str, uuid: str, name: str, one: Setting) -> Iterator[str]:
    """What else is on record that a quantity cannot have been put back as it is said to be."""
    before, enforced, back = one.before.value, one.enforced.value, one.restored
    moved = before is not None and enforced is not None and before != enforced
    if one.set_us is None:
        if moved:
            yield f"`{name}` went from {before:g} to {enforced:g}, and nobody says who set it"
        return
    if back.value is None or back.t_us is None:
        return
    if back.t_us < case.run_energy.window_us[0]:
        yield f"`{name}` was put back before the window began, in which it was in force"
    series = case.run_energy.series(host, uuid, name)
    after = series.between(back.t_us + _CLOCKS_APART_US, _FOR_EVER_US).value
    others = {
        float(value)
        for value in after
        if abs(float(value) - back.value) > _TOLERANCE.get(name, 0.0)
    }
    for other in sorted(others):
        yield f"`{name}` is said to stand at {back.value:g} again, but was read as {other:g} later"


def _each(record: NodePower) -> Iterator[tuple[str, str, Setting]]:
    """UUID, quantity and setting of all that a node tells."""
    for gpu in record.gpus:
        for name, one in gpu.settings.items():
            yield gpu.uuid, str(name), one


def _asked(case: Case) -> dict[str, float]:
    return {knob.value: value for knob, value in Wish.of(case.run.spec).by_quantity.items()}


def _records(case: Case) -> dict[str, NodePower]:
    """What each node says of its settings, by host; nodes that say nothing lack."""
    paths = {host: case.attempt.host_power(host) for host in case.run.hosts}
    return {host: NodePower.read(path) for host, path in paths.items() if path.is_file()}


def _without_record(case: Case, asked: Mapping[str, float]) -> Finding:
    if not asked and not switches(case.run.spec):
        return skipped("no cap and no clock was asked for")
    if case.run.simulated:
        return skipped("simulated GPUs take their caps and clocks from the spec: no card was set")
    return unseen("no node wrote what was there before, asked, read back and put back")


def _gpus(case: Case) -> Iterator[tuple[str, str]]:
    """Host and UUID of every GPU that the job held, at work or idle."""
    for host, ready in sorted(case.run.hosts.items()):
        for gpu in ready.get("gpus", []):
            yield host, str(gpu["uuid"])


def _settings(record: NodePower | None, uuid: str) -> Mapping[str, Any] | None:
    gpus = () if record is None else record.gpus
    found = (gpu.settings for gpu in gpus if gpu.uuid == uuid)
    # Keys are words: their enumeration is the record's own affair.
    return next(({str(name): one for name, one in own.items()} for own in found), None)


ENFORCEMENT_CHECKS: Final = (
    Check(
        name="settings-enforced",
        claim="caps and clocks were read back as asked on every GPU",
        severity=Severity.WRONG,
        rule="each node's record has every GPU of its inventory once and no other, and of each "
        "what the spec asks for, read back after it was set and before the measured window began; "
        "a phase's own at each of its edges, once, in order, in it, the delay of each GPU known",
        tolerance="1 W, 15 MHz",
        reason="drivers round limits to whole watts, and clocks come in steps of 15 MHz",
        rules_out="a setting that was asked for and never looked at, or in force on some GPUs",
        look=enforced_everywhere,
    ),
    Check(
        name="cap-kept",
        claim="no board drew more than the cap that was asked for",
        severity=Severity.WRONG,
        rule="every reading of a limit in the window is the cap, on idle GPUs of the job too, and "
        "the mean of a working GPU's power readings there is no more than it; of a phase's own cap "
        "in that phase, from its measured delay on",
        tolerance=f"1 W of a limit, {_OVER_CAP:.0%} of power",
        reason="a board holds its limit on average, and sensors err by 5 % (arXiv 2312.02741)",
        rules_out="a cap that is told and that the samples pass, or that was lifted meanwhile",
        look=held_throughout,
    ),
    Check(
        name="settings-restored",
        claim="what stood on the GPUs before the run stands there again",
        severity=Severity.WEAK,
        rule="of each setting that was changed the value before and the one that was read back "
        "after it was put back are the same, the record says who did it, on every GPU of every "
        "node, it was after the window began, no sample that is later reads another, and no value "
        "is beyond the card's limits; what is left as somebody else's could not be seen",
        tolerance="none",
        reason="a site's own limit is lost by a reset to the default: the old value must come back",
        rules_out="a run that left its cap on somebody else's card, killed or not",
        look=restored_everywhere,
    ),
)
"""Checks of what was set, in the audit's order."""
