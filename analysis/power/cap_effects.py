"""Cap effects: whether what differs between two points can be the doing of a cap at all."""

from collections.abc import Mapping

from analysis.energy.board_power import limit_in_force_w
from analysis.runs.labels import Label
from analysis.runs.sealed_runs import Run
from analysis.tables.column import Row

_NOT_CAPS = ("sm_clock_mhz", "memory_clock_mhz", "prefill_sm_clock_mhz", "decode_sm_clock_mhz")
# Drivers round a limit to whole watts.
_SAME_W = 1.0


def boards_of(group: Row, runs: Mapping[str, Run]) -> str:
    """The boards that a point was measured on: between others nothing is a cap's change."""
    names = {
        str(gpu.get("name"))
        for run_id in str(group["runs"]).split()
        for host in runs[run_id].hosts.values()
        for gpu in host.get("gpus") or ()
    }
    return " and ".join(sorted(names))


def no_effect(group: Row, base: Row, runs: Mapping[str, Run]) -> str | None:
    """Why what a capped point changes is not its cap's doing, in words; None where it may be.

    Of a point whose clocks are locked too, or that is itself held against nothing, nothing is said.
    """
    if group is base or any(group.get(name) is not None for name in _NOT_CAPS):
        return None
    told = [limits_of(one, runs) for one in (group, base)]
    for what, limits in zip(("its", "the base's"), told, strict=True):
        if len(limits) > 1:
            words = " and ".join(f"{limit:g}" for limit in limits)
            return f"{what} repeats had limits of {words} W: they are no one point"
    (own, stood), cap_w = told, group["power_cap_w"]
    uncapped = base["power_cap_w"] is None and bool(own) and bool(stood)
    if uncapped and isinstance(cap_w, int | float) and cap_w >= stood[0] - _SAME_W:
        return f"its cap of {cap_w:g} W is no lower than the {stood[0]:g} W that stood without"
    if Label.CAP_NEVER_BOUND.word in str(group["labels"] or ""):
        return "its cap never bound: what differs is not its doing"
    return None


def limits_of(group: Row, runs: Mapping[str, Run]) -> tuple[float, ...]:
    """The limits that a point's GPUs had in force before each run, each once; none is not known."""
    found = {
        limit_w
        for run_id in str(group["runs"]).split()
        for host in runs[run_id].hosts.values()
        for gpu in host.get("gpus") or ()
        if (limit_w := limit_in_force_w(gpu)) is not None
    }
    kept: list[float] = []
    for limit_w in sorted(found):
        if not kept or limit_w - kept[-1] > _SAME_W:
            kept.append(limit_w)
    return tuple(kept)
