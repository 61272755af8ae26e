"""Tenure checks: did every GPU do one run's work at a time, in one place, since one boot?"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from analysis.audit.campaign import Campaign, FolderCheck
from analysis.audit.check import Finding, Severity, judged, skipped
from analysis.audit.tenures import Tenure, processes_of, tenures_of
from telemetry.clock import US_PER_S

# Two hosts' clocks, and a watcher that lets go while the next one begins.
_OVERLAP_US: Final = 1 * US_PER_S
# A clock that was set while a machine was up moves its boot; NTP steps of a minute are a machine's
# first, and none of 40 recorded runs of 6 boots moved it by a microsecond.
_BOOT_US: Final = 60 * US_PER_S


def gpus_held_once(campaign: Campaign) -> Finding:
    """No GPU is of two attempts, nor in two hosts, at one time."""
    tenures, lost = tenures_of(campaign.results)
    held: dict[str, list[Tenure]] = defaultdict(list)
    for tenure in tenures:
        for uuid in tenure.gpus:
            held[uuid].append(tenure)
    faults = lost + [fault for uuid in sorted(held) for fault in _overlaps(uuid, held[uuid])]
    faults += [*_shared_processes(campaign), *dict.fromkeys(_renamed(tenures))]
    if not held and not faults:
        return skipped("no real GPU was held")
    return judged(faults, f"{len(held)} GPUs, {len(tenures)} times held, none by two at once")


def _overlaps(uuid: str, tenures: Sequence[Tenure]) -> Iterator[str]:
    """Where a tenure begins before the one that ends last of those before it has ended."""
    latest: Tenure | None = None
    for tenure in tenures:
        if latest is not None and (shared_us := latest.end_us - tenure.start_us) > _OVERLAP_US:
            shared_s = min(shared_us, tenure.end_us - tenure.start_us) / US_PER_S
            if latest.host != tenure.host:
                where = f"in {latest.host} and in {tenure.host}"
            else:
                where = f"in {tenure.host}"
            yield (
                f"{uuid} was {where} of {latest.name} and of {tenure.name} at one time, "
                f"for {shared_s:.1f} s"
            )
        if latest is None or tenure.end_us > latest.end_us:
            latest = tenure


def _shared_processes(campaign: Campaign) -> Iterator[str]:
    """Where two attempts were begun by one process: a process begins one."""
    known: dict[tuple[str, int, int], str] = {}
    for name, process in processes_of(campaign.results):
        if isinstance(process, str):
            yield f"{name}: who began it cannot be read: {process}"
            continue
        host, pid, _ = process
        if (other := known.setdefault(process, name)) != name:
            yield f"process {pid} of {host} began both {other} and {name}"


def _renamed(tenures: Sequence[Tenure]) -> Iterator[str]:
    """Where one board goes by two UUIDs, or one UUID by two boards."""
    boards: dict[str, tuple[str, Tenure]] = {}
    uuids: dict[str, tuple[str, Tenure]] = {}
    for tenure in tenures:
        for uuid, name, serial in tenure.boards:
            board = f"{name} {serial}"
            for known, key, value in ((boards, uuid, board), (uuids, board, uuid)):
                other, before = known.setdefault(key, (value, tenure))
                if other != value:
                    yield f"{key} is {other} in {before.name}, {value} in {tenure.name}"


def boots_agree(campaign: Campaign) -> Finding:
    """Between two runs on one machine its boot moves only if it was booted between them."""
    tenures, lost = tenures_of(campaign.results)
    faults = lost
    machines: dict[tuple[str, str], list[Tenure]] = defaultdict(list)
    named: dict[str, Tenure] = {}
    farthest_us = 0
    for tenure in tenures:
        if tenure.boot_us is None:
            continue
        if tenure.boot_us > tenure.start_us:
            faults.append(f"{tenure.name}: {tenure.host} was watched before it was booted")
        for uuid in tenure.gpus:
            machines[tenure.host, uuid].append(tenure)
        if tenure.boot_id is not None:
            other = named.setdefault(tenure.boot_id, tenure)
            apart_us = abs(tenure.boot_us - (other.boot_us or 0))
            farthest_us = max(farthest_us, apart_us)
            if apart_us > _BOOT_US:
                faults.append(_apart(other, tenure, "by its name one and the same"))
    said: set[tuple[str, str]] = set()
    for (_, _), held in sorted(machines.items()):
        for before, after in pairwise(held):
            apart_us = abs((after.boot_us or 0) - (before.boot_us or 0))
            again = (after.boot_us or 0) >= before.end_us - _BOOT_US
            if again or (before.name, after.name) in said:
                continue
            farthest_us = max(farthest_us, apart_us)
            if apart_us > _BOOT_US:
                said.add((before.name, after.name))
                faults.append(_apart(before, after, "not booted between them"))
    if not machines and not named and not faults:
        return skipped("no machine is known by its GPUs or its boot")
    return judged(
        faults,
        f"{len(tenures)} times watched, boots of one machine at most "
        f"{farthest_us / US_PER_S:.3f} s apart",
        strain=farthest_us / _BOOT_US,
    )


def _apart(before: Tenure, after: Tenure, why: str) -> str:
    apart_s = ((after.boot_us or 0) - (before.boot_us or 0)) / US_PER_S
    return (
        f"{after.host}'s steady clock began {apart_s:+.1f} s later for {after.name} than for "
        f"{before.name}, {why}"
    )


TENURE_CHECKS: Final = (
    FolderCheck(
        name="one-at-a-time",
        claim="no GPU or process is of two attempts at one time",
        look=gpus_held_once,
        severity=Severity.WRONG,
        rule=(
            "of every GPU's UUID the times from ready to ended of all watchers, of failed attempts "
            "too; UUID and serial number name one board; the process that began each attempt by "
            "host, number and start"
        ),
        tolerance="times overlap by 1 s at most, no process twice",
        reason="a watcher lets go while the next begins, and two hosts' clocks differ",
        rules_out="an attempt that is told again as another's of the same time",
    ),
    FolderCheck(
        name="boots",
        claim="a machine's steady clock began at its boot",
        look=boots_agree,
        severity=Severity.WEAK,
        rule=(
            "wall time less steady time of every watcher; of two in a row on one host with one "
            "GPU, and of all under one boot id, the same, unless the boot lies between them"
        ),
        tolerance="60 s",
        reason="clocks are set while machines are up; 40 recorded runs of 6 boots moved by 0 us",
        rules_out="runs moved in time, with all of their stamps",
    ),
)
"""Checks of who held what when, in the audit's order."""
