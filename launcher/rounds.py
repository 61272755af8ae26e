"""Rounds: a checked grid is run; with repeats=auto round after round, until no point goes on."""

import dataclasses
from collections.abc import Sequence

from launcher.campaign.finalize import close_stranded
from launcher.campaign.run import CampaignOutcome, run_campaign
from launcher.forecast.forecaster import foresee
from launcher.plan.grid import Grid, Verdict
from launcher.repeats.look import RoundsLook
from launcher.repeats.record import keep, said
from launcher.repeats.rounds import Rounds
from launcher.repeats.series import RepeatStanding
from launcher.slurm.reconcile import reconcile
from launcher.status import watch
from telemetry.nearest import told_count
from telemetry.output import Output
from telemetry.waiting import at, waiting

_TO_DO = (Verdict.RUN, Verdict.MERGE)
_ELSEWHERE = (Verdict.QUEUED, Verdict.RUNNING)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoundsOutcome:
    """What came of all rounds of a call."""

    grid: Grid
    """The grid as the last look found it; without a rule, as it was given."""
    outcome: CampaignOutcome
    """What came of all campaigns of this call together."""
    look: RoundsLook | None
    """What the last look found; None where repeats are counted."""
    watched: bool
    """Whether this call waited for a batch system's jobs, and they have ended."""
    watch_failed: bool
    """Whether one of those failed."""


def run_rounds(
    grid: Grid, rounds: Rounds | None, look: RoundsLook | None, command: Sequence[str], out: Output
) -> RoundsOutcome:
    """Run what of a grid is to run, and with a rule what it asks for after each round.

    On a batch system a round is queued and, with `wait`, waited for; without, the same command
    again looks at it and queues the next.

    Raises:
        BadInputError, OSError, KeyboardInterrupt: as `run_campaign`; what was sealed is whole.
    """
    total = CampaignOutcome(sealed=0, failed=(), queued=0)
    watched = watch_failed = False
    if look is not None:
        keep(grid.results, look)
    while grid.having(*_TO_DO) or (rounds and grid.wait and grid.having(*_ELSEWHERE)):
        done = CampaignOutcome(sealed=0, failed=(), queued=0)
        if grid.having(*_TO_DO):
            done = run_campaign(grid, command, out)
        total = _together(total, done)
        if rounds is None or look is None or done.refused:
            break
        waits = done.queued + done.elsewhere + len(grid.having(*_ELSEWHERE))
        keep(grid.results, look)
        if waits and not grid.wait:
            break
        if waits:
            if done.queued:
                out.say(f"{told_count(done.queued, 'point')} queued")
            watch_failed |= bool(watch(grid.results, done.campaign, out))
            watched = True
            for line in close_stranded(grid.results, reconcile(grid.results)):
                out.say(line)
        rounds.give_up(done.failed)
        with waiting("looking at the repeats", aside=False):
            grid, look = rounds.next(reconcile(grid.results), at, None)
            grid = foresee(grid, at)
        keep(grid.results, look)
        if look.having(RepeatStanding.OPEN):
            # Somebody stopped a job of this round: the next call tries it again.
            break
        if going := grid.having(*_TO_DO):
            out.say(
                f"round {look.rounds + 1} of at most {look.rule.most}: "
                f"{told_count(len(going), 'point')} of {len(look.series)} not tight yet"
            )
    if look is not None:
        for line in said(look.to_mapping()):
            out.say(line.lstrip(), indent=len(line) - len(line.lstrip()))
    return RoundsOutcome(
        grid=grid, outcome=total, look=look, watched=watched, watch_failed=watch_failed
    )


def _together(one: CampaignOutcome, other: CampaignOutcome) -> CampaignOutcome:
    """What came of two campaigns, the second the later."""
    return CampaignOutcome(
        sealed=one.sealed + other.sealed,
        failed=(*one.failed, *other.failed),
        queued=one.queued + other.queued,
        elsewhere=other.elsewhere,
        refused=(*one.refused, *other.refused),
        unclosed=(*one.unclosed, *other.unclosed),
        campaign=other.campaign or one.campaign,
    )
