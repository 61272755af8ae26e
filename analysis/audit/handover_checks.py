"""Handover checks: did each run find on its GPUs what the one before says it put back there?

What a run says of its own end no sample of it sees. The next one on the GPU read it, caps or none,
and attempts that died count as much as sealed ones.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from analysis.audit.campaign import Campaign, FolderCheck
from analysis.audit.check import Finding, Severity, judged, skipped
from telemetry.power.record import Knob, NodePower, Setting, Way
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, list_runs

# Drivers round a limit to whole watts.
_SAME_W: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Stay:
    """One attempt's time with one GPU."""

    name: str
    """The attempt, for people."""
    t_us: int
    """When it read what was there, wall clock."""
    found_w: float
    """The power limit that it found."""
    setting: Setting | None
    """What it says that it did to the limit; None where it set none."""
    by_others: bool = False
    """Whether it asked for what somebody else was to have set by then, the site or its broker."""


def handed_over_as_found(campaign: Campaign) -> Finding:
    """No run found what the one before it had set on the GPU and says it put back."""
    stays: dict[str, list[Stay]] = defaultdict(list)
    faults: list[str] = []
    for run in list_runs(campaign.results):
        for attempt in run.attempts():
            try:
                for uuid, stay in _stays(attempt, f"{run.run_id} attempt {attempt.number}"):
                    stays[uuid].append(stay)
            except (OSError, ValueError, KeyError, TypeError) as error:
                faults.append(f"{run.run_id} attempt {attempt.number} cannot be read: {error}")
    pairs = others = 0
    for uuid, each in sorted(stays.items()):
        for before, after in pairwise(sorted(each, key=lambda stay: stay.t_us)):
            one = before.setting
            if one is None or one.asked is None or one.before.value is None:
                continue
            pairs += 1
            if abs(after.found_w - one.before.value) <= _SAME_W:
                continue
            if after.by_others or abs(after.found_w - one.asked) > _SAME_W:
                others += 1
                continue
            said = "put it back" if one.restored_by is not None else "did not say it was put back"
            faults.append(
                f"{uuid}: {before.name} {said}, {one.before.value:g} W, but {after.name} found the "
                f"{after.found_w:g} W that it had set"
            )
    if not pairs and not faults:
        return skipped("no GPU was capped by one run and looked at by another after it")
    also = f", {others} times somebody had set another value meanwhile" if others else ""
    return judged(faults, f"{pairs} times the next run found what had stood before{also}")


def _stays(attempt: AttemptPaths, name: str) -> Iterator[tuple[str, Stay]]:
    """By GPU what an attempt found there, by its power record, else by its node's inventory."""
    for path in sorted(attempt.hosts.glob("*.json")):
        told, by_others = _of_record(attempt.host_power(path.stem))
        ready = read_json(path)
        for gpu in ready["gpus"]:
            uuid = str(gpu["uuid"])
            one = told.pop(uuid, None)
            if one is not None:
                yield uuid, _stay(name, one, by_others=by_others)
            elif not gpu.get("simulated") and gpu.get("power_limit_w") is not None:
                found_w = float(gpu["power_limit_w"])
                t_us = int(ready["ready_us"])
                yield uuid, Stay(name=name, t_us=t_us, found_w=found_w, setting=None)


def _of_record(path: Path) -> tuple[dict[str, Setting], bool]:
    """By GPU the limit's setting, where it was read before anything was set; whether others set."""
    if not path.is_file():
        return {}, False
    node = NodePower.read(path)
    settings = {gpu.uuid: gpu.settings.get(Knob.POWER_LIMIT) for gpu in node.gpus}
    read = {
        uuid: one
        for uuid, one in settings.items()
        if one is not None and one.before.value is not None and one.before.t_us is not None
    }
    return read, node.way not in (Way.WATCHER, Way.NONE)


def _stay(name: str, one: Setting, *, by_others: bool) -> Stay:
    assert one.before.value is not None
    assert one.before.t_us is not None
    return Stay(
        name=name,
        t_us=one.before.t_us,
        found_w=one.before.value,
        setting=None if one.set_us is None else one,
        by_others=by_others,
    )


HANDOVER_CHECKS: Final = (
    FolderCheck(
        name="handed-over",
        claim="each run found on its GPUs what the one before says it put back",
        look=handed_over_as_found,
        severity=Severity.WEAK,
        rule=(
            "of every real GPU the limit that each attempt found, of failed ones too, by time: "
            "none found the cap that the one before had set"
        ),
        tolerance="1 W",
        reason="drivers round limits to whole watts; another value may be an administrator's",
        rules_out="a record that says restored where the cap still stood, and a dead run's cap",
    ),
)
"""Checks of what one run leaves to the next, in the audit's order."""
