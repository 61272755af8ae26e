"""Document: a plan, and what came of a campaign, as a program reads them."""

from collections import Counter
from typing import Any

from launcher.campaign.run import CampaignOutcome
from launcher.forecast.totals import most_totals, totals
from launcher.plan.grid import Grid, PlannedPoint, Verdict


def plan_document(grid: Grid) -> dict[str, Any]:
    """The grid with the verdict of every point."""
    counts = Counter(point.verdict for point in grid.points)
    most = most_totals(grid)
    return {
        "results": str(grid.results),
        "counts": {verdict.value: counts[verdict] for verdict in Verdict if counts[verdict]},
        "foreseen": totals(grid.points).to_mapping(),
        "foreseen_most": None if most is None else most.to_mapping(),
        "points": [_point(point) for point in grid.points],
    }


def outcome_document(grid: Grid, outcome: CampaignOutcome) -> dict[str, Any]:
    """What came of a campaign, beside its plan."""
    return {
        **plan_document(grid),
        "campaign": outcome.campaign,
        "sealed": outcome.sealed,
        "failed": list(outcome.failed),
        "queued": outcome.queued,
        "elsewhere": outcome.elsewhere,
        "refused": list(outcome.refused),
        "unclosed": list(outcome.unclosed),
    }


def _point(point: PlannedPoint) -> dict[str, Any]:
    return {
        "run_id": point.spec.run_id,
        "verdict": point.verdict.value,
        "reason": point.reason,
        "spec": point.spec.to_mapping(),
        "nodes": point.spec.nodes,
        "cluster": point.cluster.name,
        "executor": point.cluster.executor,
        "device": point.cluster.device,
        "memory_bytes_per_gpu": point.memory.total_bytes,
        "prompts_from": point.source.source.value,
        "overrides": list(point.overrides),
        "attempts": point.attempts,
        "foreseen": None if point.foreseen is None else point.foreseen.to_mapping(),
    }
