"""Setting records: what a node's own record of its GPUs says that contradicts itself or the boards.

Who writes a record anew writes samples no other reader took: what is said twice must agree.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from analysis.audit.check import Case
from analysis.energy.board_power import board_limit_w
from telemetry.power.record import Knob, NodePower, ReadValue, Setting, Way

# Drivers round a limit to whole watts, and clocks come in steps of 15 MHz.
_ROUNDING: Final[Mapping[Knob, float]] = {Knob.POWER_LIMIT: 1.0}
_STEP_MHZ: Final = 15.0
# Times of one record are of one wall clock, which NTP may step.
_STEPPED_US: Final = 1_000_000


def node_faults(case: Case, records: Mapping[str, NodePower]) -> Iterator[str]:
    """What a record says of GPUs that are not the job's, or of itself as a whole."""
    for host, record in sorted(records.items()):
        if record.fault is not None:
            yield f"{host}: the node says that it does not stand as asked: {record.fault}"
        own = {str(gpu["uuid"]) for gpu in case.run.hosts[host].get("gpus", [])}
        for uuid, times in sorted(Counter(gpu.uuid for gpu in record.gpus).items()):
            if uuid not in own:
                yield f"{uuid} on {host}: it is none of the job's GPUs, and is on record as set"
            if times > 1:
                yield f"{uuid} on {host}: it is on record {times} times"


def untimed_faults(record: NodePower, one: Setting, name: str) -> Iterator[str]:
    """What cannot have been set and read back when it is said to have been, or at no time."""
    if record.way is Way.WATCHER and one.set_us is None:
        yield f"`{name}` was set, and nobody says when"
    if one.enforced.value is None:
        return
    if one.enforced.t_us is None:
        yield f"`{name}` was read back, and nobody says when"
    elif one.set_us is not None and one.enforced.t_us < one.set_us - _STEPPED_US:
        yield f"`{name}` was read back before it was set"


def past_faults(
    case: Case, record: NodePower, uuid: str, name: Knob, one: Setting
) -> Iterator[str]:
    """What cannot have stood on a card before, or again, as it is said to have."""
    if one.set_us is None:
        return
    if record.way is not Way.WATCHER:
        yield f"the way is {record.way.value}, and yet `{name}` was set by this run"
    before, back = one.before, one.restored
    if back.value is not None and back.t_us is None:
        yield f"`{name}` was read back after it was put back, and nobody says when"
    if before.value is not None and before.t_us is None:
        yield f"`{name}` was read before it was set, and nobody says when"
    elif before.value is not None and (before.t_us or 0) > one.set_us + _STEPPED_US:
        yield f"`{name}` was read before it was set, but after the time that it was set at"
    slack = _ROUNDING.get(name, _STEP_MHZ)
    told: tuple[ReadValue, ...] = (before, one.enforced, back)
    least, most = one.least.value, one.most.value
    for value in sorted({one.value for one in told if one.value is not None}):
        if least is not None and most is not None and not least - slack <= value <= most + slack:
            yield f"`{name}` of {value:g} is beyond what the card takes, {least:g} to {most:g}"
    board_w = _board_w(case, record.host, uuid) if name is Knob.POWER_LIMIT else None
    if board_w is not None and before.value is not None and before.value > board_w + slack:
        yield f"`{name}` of {before.value:g} is said to have stood, and its board takes {board_w:g}"


def _board_w(case: Case, host: str, uuid: str) -> float | None:
    gpus = case.run.hosts.get(host, {}).get("gpus", [])
    return next((board_limit_w(gpu) for gpu in gpus if str(gpu["uuid"]) == uuid), None)
