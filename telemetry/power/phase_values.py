"""Phase values: what every set quantity is to be in each phase, and who can switch it."""

from collections.abc import Mapping, Sequence
from typing import Final

from telemetry.power.card import SettableCard, bounds_fault
from telemetry.power.phases import PHASES
from telemetry.power.record import GpuPower, Knob
from telemetry.power.wish import Wish, switches
from telemetry.record.spec import RunSpec

AS_ASKED: Final = {Knob.APPLICATION_SM_CLOCK: Knob.SM_CLOCK}
"""Of what was asked an application clock is the SM clock."""
SWITCHING: Final = ("auto", "watcher")
"""Launch's `power` by which settings change within a run."""
PhaseValues = Mapping[str, Mapping[Knob, float | None]]
"""By phase and quantity; None takes a lock off."""


def values_by_phase(
    spec: RunSpec, gpus: Sequence[GpuPower], *, lock_before_mhz: int | None
) -> PhaseValues:
    """What stands in each phase, of all that is set on GPUs.

    A phase that asks nothing of a quantity has what stood before; `lock_before_mhz` is the site's
    own SM clock lock, which no driver tells of.

    Raises:
        RuntimeError: a phase asks nothing of what stood otherwise on another GPU.
    """
    first = gpus[0].settings
    taken = [name for name in Knob if first[name].asked is not None]
    before = {name: first[name].before.value for name in taken}
    if Knob.SM_CLOCK in before and lock_before_mhz is not None:
        before[Knob.SM_CLOCK] = float(lock_before_mhz)
    found = {}
    for phase in PHASES:
        asked = Wish.of(spec, phase).by_quantity
        for name in taken:
            values = {gpu.settings[name].before.value for gpu in gpus}
            if AS_ASKED.get(name, name) not in asked and len(values) > 1:
                raise RuntimeError(
                    f"`{name}` must have been one value on all GPUs for {phase} to have it, but "
                    f"was {' and '.join(sorted(map(str, values)))}"
                )
        found[phase] = {name: asked.get(AS_ASKED.get(name, name), before[name]) for name in taken}
    return found


def unswitched(power: str) -> str | None:
    """Why a way does not switch within a run; None where it does."""
    if power in SWITCHING:
        return None
    return (
        f"a phase has a cap or a clock of its own, which power={power} does not switch within a "
        "run: the watcher does, with power=auto or power=watcher"
    )


def require_phases(spec: RunSpec, power: str, cards: Sequence[SettableCard]) -> None:
    """Refuse what a phase asks for and no card takes, or nobody could switch.

    Raises:
        RuntimeError: a card does not take it, or the way sets nothing within a run.
    """
    if not switches(spec):
        return
    if fault := unswitched(power):
        raise RuntimeError(fault)
    for phase in PHASES:
        for name, value in Wish.of(spec, phase).by_quantity.items():
            for card in cards:
                if fault := bounds_fault(card, name, value):
                    raise RuntimeError(f"{phase}: {fault}")
