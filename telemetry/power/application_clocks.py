"""Application clocks: they stand in for a lock of the SM clock where none is to be had."""

import dataclasses
from collections.abc import Callable, Sequence

from telemetry.power.record import GpuPower, Knob


def lock_refusal(gpus: Sequence[GpuPower], is_final: Callable[[str], bool]) -> str | None:
    """Why no lock of the SM clock is to be had where an application clock stands in for it.

    None where it cannot: another quantity was refused, the refusal is of this value and not of
    this user or board (`is_final`), or a card does not tell its application clocks, so that they
    could not be put back.
    """
    refused = {
        name: one.refusal
        for gpu in gpus
        for name, one in gpu.settings.items()
        if one.refusal is not None
    }
    refusal = refused.pop(Knob.SM_CLOCK, None)
    if refusal is None or refused or not is_final(refusal):
        return None
    # They are set as a pair.
    pair = (Knob.APPLICATION_SM_CLOCK, Knob.APPLICATION_MEMORY_CLOCK)
    told = [gpu.settings[name].before.value for gpu in gpus for name in pair]
    return None if None in told else refusal


def by_application(gpus: Sequence[GpuPower]) -> list[GpuPower]:
    """The records with the SM clock asked of applications where a lock of it was."""
    found = []
    for gpu in gpus:
        settings = dict(gpu.settings)
        asked = settings[Knob.SM_CLOCK].asked
        settings[Knob.SM_CLOCK] = dataclasses.replace(settings[Knob.SM_CLOCK], asked=None)
        settings[Knob.APPLICATION_SM_CLOCK] = dataclasses.replace(
            settings[Knob.APPLICATION_SM_CLOCK], asked=asked
        )
        found.append(dataclasses.replace(gpu, settings=settings))
    return found
