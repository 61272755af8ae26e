"""Plan checks: is all there that was planned and begun, or only what was liked?"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from analysis.audit.campaign import Campaign, FolderCheck
from analysis.audit.check import Finding, Severity, judged, unseen
from analysis.audit.plans import Attempt, Laid, Plan
from telemetry.nearest import told_count
from telemetry.record.planned import Planned

# A campaign of thousands that is gone is told once, not a thousand times.
_NAMED: Final = 3


def planned_is_there(campaign: Campaign) -> Finding:
    """Every planned point, every attempt and every repeat is there, the failed ones, too."""
    laid = Laid.read(campaign.results)
    faults = [
        *laid.faults,
        *(fault for plan in laid.plans.values() for fault in _plan_faults(plan, laid)),
        *_lost_plans(laid),
        *_attempt_gaps(laid),
        *_repeat_gaps(laid),
    ]
    if not faults and not laid.plans and not laid.placed:
        return unseen("no plan is on record: the runs are from before attempts named theirs")
    tried = sum(len(numbers) for numbers in laid.attempts.values())
    unplaced = tried - len(laid.placed)
    taken_back = sum(len(plan.taken_back) for plan in laid.plans.values())
    said = [f"{told_count(tried, 'attempt')} of {told_count(len(laid.attempts), 'run')}"]
    said.append(f"{told_count(len(laid.plans), 'plan')} beside them")
    if taken_back:
        said.append(f"{taken_back} taken back before they began")
    if unplaced:
        said.append(f"{unplaced} from before attempts named their plan")
    if laid.closed and not faults:
        said.append(f"what {_listed(sorted(laid.closed))} holds cannot be read")
        return unseen(", ".join(said))
    return judged(faults, ", ".join(said))


def _plan_faults(plan: Plan, laid: Laid) -> Iterator[str]:
    """Where what a plan makes, or its arrays, is not there."""
    lost = [
        _told(run_id, number)
        for run_id, number in plan.attempts
        if not laid.has(run_id, number) and (run_id, number or 0) not in plan.taken_back
    ]
    if lost:
        yield f"campaign {plan.campaign} planned {_listed(lost)}, not there"
    if there := [_told(*one) for one in sorted(plan.taken_back) if laid.has(*one)]:
        yield f"campaign {plan.campaign} took back {_listed(there)}, which began: it is there"
    for array, members in plan.arrays.items():
        gone = [_told(*member) for member in members if not laid.has(*member)]
        if gone:
            yield f"{array} of campaign {plan.campaign} has {_listed(gone)}, not there"
    for name, sha256 in sorted(plan.before.items()):
        other = laid.plans.get(name)
        if other is None:
            yield f"campaign {name} was there before {plan.campaign}, but is not there"
        elif other.sha256 != sha256:
            yield f"the plan of campaign {name} is not the one that {plan.campaign} found there"


def _lost_plans(laid: Laid) -> Iterator[str]:
    """Where an attempt's plan is another than the one there, or lacks some of its attempts."""
    made: dict[str, dict[Attempt, Planned]] = defaultdict(dict)
    for attempt, place in laid.placed.items():
        made[place.campaign][attempt] = place
    for name, places in sorted(made.items()):
        plan = laid.plans.get(name)
        digests = {place.plan_sha256 for place in places.values()}
        if plan is not None:
            if digests != {plan.sha256}:
                yield f"the plan of campaign {name} is not the one that its attempts name"
            strangers = [
                _told(*attempt)
                for attempt in places
                if attempt not in plan.attempts and plan.attempts
            ]
            if strangers:
                yield f"campaign {name} planned no {_listed(strangers)}"
            continue
        numbers = sorted(place.number for place in places.values())
        count = max(place.count for place in places.values())
        if len(digests) > 1 or len(set(numbers)) < len(numbers):
            yield f"attempts of campaign {name} contradict each other on its plan"
        # A run that cannot be read may hold one, whatever its plan was called.
        if (lost := count - len(set(numbers))) > len(laid.closed):
            yield (
                f"of {count} attempts of campaign {name} {lost} are not there, nor is its plan, "
                "which would name them"
            )


def _attempt_gaps(laid: Laid) -> Iterator[str]:
    taken: dict[str, set[int]] = defaultdict(set)
    for plan in laid.plans.values():
        for run_id, number in plan.taken_back:
            taken[run_id].add(number)
    for run_id, numbers in sorted(laid.attempts.items()):
        highest = max(numbers, default=0)
        told = {number for number in taken[run_id] if 0 < number < highest}
        if lost := _gaps({*numbers, *told}, first=1):
            yield f"{run_id} has attempt {highest}, but not {_listed(lost)}"


def _repeat_gaps(laid: Laid) -> Iterator[str]:
    """Where a point has a later repeat without an earlier one."""
    repeats: dict[str, set[int]] = defaultdict(set)
    name: dict[str, str] = {}
    for run_id, spec in laid.specs.items():
        if type(repeat := spec.get("repeat")) is not int:
            continue
        point = _point(spec)
        repeats[point].add(repeat)
        name.setdefault(point, run_id)
    for point, numbers in sorted(repeats.items(), key=lambda one: name[one[0]]):
        first, _, _ = _without_digest(name[point]).rpartition("-")
        known = set(numbers) | _closed_repeats(laid, first)
        if lost := _gaps(known, first=0, mark="r"):
            yield f"of {name[point]} there is repeat r{max(numbers)}, but not {_listed(lost)}"


def _closed_repeats(laid: Laid, point: str) -> set[int]:
    """The repeats of a point whose folders may not be read."""
    names = (_without_digest(run_id).rpartition("-r") for run_id in laid.closed)
    return {int(number) for before, _, number in names if before == point and number.isdecimal()}


def _gaps(numbers: Collection[int], *, first: int, mark: str = "") -> list[str]:
    """What lacks between numbers, from `first` on: one by one, or from where to where.

    A number is foreign: what lacks before a million million is told, never counted through.
    """
    gaps = []
    due = first
    for number in sorted(number for number in numbers if number >= first):
        if number > due:
            last = number - 1
            gaps.append(f"{mark}{due}" if due == last else f"{mark}{due} to {mark}{last}")
        due = number + 1
    return gaps


def _without_digest(run_id: str) -> str:
    """A run's name up to its repeat, which stands before the digest of its spec."""
    return run_id.rpartition("-")[0]


def _point(spec: Mapping[str, Any]) -> str:
    return json.dumps(
        {key: value for key, value in spec.items() if key != "repeat"}, sort_keys=True
    )


def _told(run_id: str, number: int | None) -> str:
    return run_id if number is None else f"{run_id} attempt {number}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


PLAN_CHECKS: Final = (
    FolderCheck(
        name="planned",
        claim="all that was planned is there",
        look=planned_is_there,
        severity=Severity.WEAK,
        rule=(
            "every attempt that a campaign's plan or job array makes lies there, unless it is told "
            "as taken back before it began; every attempt's plan is the one there by SHA-256, or "
            "all of its attempts are there; every plan is there that a later one has seen; "
            "attempts and repeats of a run are numbered without a gap"
        ),
        tolerance="none",
        reason="what failed or displeased can be left out, and the rest is true",
        rules_out="points, repeats and failed attempts left out of a campaign that is told in part",
    ),
)
"""Checks of what was planned, in the audit's order."""
