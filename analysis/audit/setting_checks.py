"""Setting checks: are a run's nodes alike, and a point's repeats made with one and the same?"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from analysis.audit.campaign import Campaign, FolderCheck, RunFacts
from analysis.audit.check import Case, Check, Finding, Severity, judged, skipped
from analysis.audit.settings import node_settings
from telemetry.nearest import told_count

_NAMED: Final = 3


def nodes_alike(case: Case) -> Finding:
    """GPUs, drivers, kernels, readers, packages and code are the same on all nodes of a run."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for where, name, value in node_settings(case):
        found[name][value].append(where)
    if not found:
        return skipped("no node tells what it is")
    faults = [_told(name, values) for name, values in sorted(found.items()) if len(values) > 1]
    hosts = len(case.run.hosts)
    return judged(faults, f"{len(found)} settings of {told_count(hosts, 'node')}, all alike")


def repeats_alike(campaign: Campaign) -> Finding:
    """Repeats of one point were made with the same boards, drivers, packages and code."""
    points: dict[str, list[RunFacts]] = defaultdict(list)
    for facts in campaign.runs:
        if facts.settings is not None and facts.spec:
            points[_point(facts.spec)].append(facts)
    faults = []
    compared = 0
    for repeats in points.values():
        if len(repeats) > 1:
            compared += len(repeats)
            faults += _differing(repeats)
    every = _differing([facts for facts in campaign.runs if facts.settings is not None])
    lost = [f"{one.run_id}: {one.missing['settings']}" for one in campaign.runs if _lost(one)]
    told = f"; over all runs {told_count(len(every), 'setting')} differ" if every else ""
    if not compared and not lost:
        return skipped(f"no point has two repeats{told}")
    first = f", such as {every[0]}" if every and not faults else ""
    return judged(lost + faults, f"{compared} repeats made with the same{told}{first}")


def _lost(facts: RunFacts) -> bool:
    return "settings" in facts.missing


def _differing(runs: Sequence[RunFacts]) -> list[str]:
    """What differs between runs that tell of it, a line for each setting."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for facts in runs:
        told: Mapping[str, tuple[str, ...]] = facts.settings.told if facts.settings else {}
        for name, values in told.items():
            found[name][" and ".join(values)].append(facts.run_id)
    return [_told(name, values) for name, values in sorted(found.items()) if len(values) > 1]


def _told(name: str, values: Mapping[str, Sequence[str]]) -> str:
    said = [f"{value} of {places[0]}" for value, places in sorted(values.items())]
    more = f" and {len(said) - _NAMED} others" if len(said) > _NAMED else ""
    return f"{name} differs: {', '.join(said[:_NAMED])}{more}"


def _point(spec: Mapping[str, Any]) -> str:
    return json.dumps(
        {key: value for key, value in spec.items() if key != "repeat"}, sort_keys=True
    )


SETTING_CHECKS: Final = (
    Check(
        name="nodes-alike",
        claim="a run's nodes and boards are alike",
        look=nodes_alike,
        severity=Severity.WEAK,
        rule=(
            "each GPU's name, driver, NVML, VBIOS, memory, modes, limits and highest clocks; each "
            "node's CPU, kernel and readers; what ranks tell of packages, container and code: one "
            "value each over the run"
        ),
        tolerance="none",
        reason="energy of a run over boards or code that differ is that of no one machine",
        rules_out="a node of another kind or with other code among those of a run",
    ),
)
"""Checks of a run's nodes."""
REPEAT_SETTING_CHECKS: Final = (
    FolderCheck(
        name="repeats-alike",
        claim="repeats were made with the same boards and code",
        look=repeats_alike,
        severity=Severity.WEAK,
        rule=(
            "of all runs of one point what `nodes-alike` holds, the commit, its changes, packages "
            "and Python: the same; what differs between points is told"
        ),
        tolerance="none",
        reason="the spread of repeats is that of one machine only if they were made on one kind",
        rules_out="repeats collected from other machines or releases",
    ),
)
"""Checks of repeats, over all runs."""
