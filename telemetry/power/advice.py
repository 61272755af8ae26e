"""Advice: what to hand to administrators where nobody may set what a run asks for."""

from collections.abc import Sequence

from telemetry.power.record import Knob
from telemetry.power.wish import Wish

_SETTERS = {
    Knob.POWER_LIMIT: "nvidia-smi{which} -pl {value:g}",
    Knob.SM_CLOCK: "nvidia-smi{which} -lgc {value:g},{value:g}",
    Knob.MEMORY_CLOCK: "nvidia-smi{which} -lmc {value:g},{value:g}",
}
_WORDS = {
    Knob.POWER_LIMIT: "a power limit of {value:g} W",
    Knob.SM_CLOCK: "an SM clock lock of {value:g} MHz",
    Knob.MEMORY_CLOCK: "a memory clock lock of {value:g} MHz",
}


def wanted(wish: Wish) -> str:
    """What is wanted of each GPU, in words."""
    asked = wish.by_quantity
    return " and ".join(_WORDS[name].format(value=value) for name, value in asked.items())


def setters(wish: Wish, uuids: Sequence[str] = ()) -> tuple[str, ...]:
    """The commands that an administrator types on a node, as root; without UUIDs for all GPUs."""
    which = f" -i {','.join(uuids)}" if uuids else ""
    asked = wish.by_quantity
    return tuple(_SETTERS[name].format(which=which, value=value) for name, value in asked.items())


def for_administrators(wish: Wish, boards: str) -> tuple[str, ...]:
    """The text that a user hands on: which setting on which boards, and the commands.

    `boards` says which, such as `NVIDIA A100-SXM4-80GB`.
    """
    return (
        f"To measure, jobs need {wanted(wish)} on {boards}, for as long as they run.",
        "Either install the prolog and epilog of slurm/power (docs/power_broker.md): they set "
        "what a job wishes on its own GPUs and put back what was there.",
        f"Or set it on the nodes as root: {'; '.join(setters(wish))}; note before what "
        "`nvidia-smi -q -d POWER,CLOCK` tells, and put that back; the run is then started with "
        "power=site.",
    )
