"""`python -m launcher -m model=7b,13b,65b gpus=1,8,32`: check the grid, run it, seal it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from telemetry.command import ExitCode, command, complain, needs_extra, own_version
from telemetry.document import JSON_WORD, due
from telemetry.nearest import told_count
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.record.spec import RunSpec
from telemetry.waiting import at, waiting

# What it loads takes seconds on a busy machine: a terminal shows at once that it was heard.
with needs_extra("joulegrid", "launch"), waiting("loading", in_log=False):
    from launcher.campaign.differences import again_document, print_again
    from launcher.campaign.display import plan_summary, plan_table
    from launcher.campaign.document import outcome_document, plan_document
    from launcher.campaign.finalize import close_stranded
    from launcher.campaign.headline import report_campaign
    from launcher.campaign.promise import require_launch, uncommitted
    from launcher.campaign.run import CampaignOutcome
    from launcher.config.command_line import read_points
    from launcher.config.errors import BadInputError
    from launcher.config.help import asked_of, help_text
    from launcher.forecast.forecaster import foresee
    from launcher.forecast.totals import cost_lines, late_notes, most_line
    from launcher.plan.again import Again, named_original, read_again
    from launcher.plan.auto_cluster import ClusterChooser
    from launcher.plan.check import check
    from launcher.plan.grid import Grid, Verdict
    from launcher.plan.hub_reach import HubReach, hub_notes
    from launcher.plan.own_models import with_own_model
    from launcher.plan.places import results_folder
    from launcher.plan.repeats_asked import rule_of
    from launcher.plan.way_out import way_out
    from launcher.repeats.look import RoundsLook
    from launcher.repeats.record import said
    from launcher.repeats.rounds import Rounds
    from launcher.repeats.smallest import smallest_notes
    from launcher.rounds import RoundsOutcome, run_rounds
    from launcher.slurm.reconcile import reconcile
    from launcher.status import watch
    from telemetry.record.way_on import WayOn

_GOING = (*(Verdict.SEALED, Verdict.OTHERWISE, Verdict.QUEUED, Verdict.RUNNING, Verdict.FAILED),)
_WHO = "joulegrid"
# What runs on any machine that has the project: the way on where nothing of a grid can.
_ANYWHERE = ("-m", "cluster=local", "model=nano,micro", "gpus=1,2", "plan=true")


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the process' exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if "--version" in arguments:
            sys.stdout.write(f"{own_version()}\n")
        elif (asked := asked_of(arguments)) is not None:
            sys.stdout.write(help_text(asked))
        else:
            return _run([word for word in arguments if word != JSON_WORD], Output())
    except BadInputError as error:
        complain(_WHO, str(error))
        return ExitCode.BAD_INPUT
    except BrokenPipeError:
        raise
    except OSError as error:
        where = error.filename or "the results folder"
        complain(
            _WHO,
            f"cannot write {where}: {error.strerror}; what was sealed is whole, "
            "the same command goes on from there",
        )
        return ExitCode.FAILED
    except KeyboardInterrupt:
        complain(_WHO, "stopped; attempts are labelled, the same command goes on")
        return ExitCode.INTERRUPTED
    return ExitCode.DONE


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a line asks for."""

    grid: Grid
    """Its points, checked."""
    again: Again | None
    """What it makes again; None where no original is named."""
    doubts: Sequence[str]
    """What was chosen, and what Slurm could not tell."""
    rounds: Rounds | None
    """What decides how many repeats there are; None where they are counted."""
    look: RoundsLook | None
    """What it found; None without."""


def _run(arguments: Sequence[str], out: Output) -> int:
    original, words = named_original(arguments)
    asked = _read_grid(original, words)
    if asked is None:
        return ExitCode.DONE
    grid, again = asked.grid, asked.again
    made_again = {} if again is None else again_document(again, grid)
    if (document := due()) is not None:
        document.fill("plan", {**plan_document(grid), **made_again, **_looked(asked.look)})
    if again is not None:
        print_again(again, grid, out)
    out.say(f"plan: {plan_summary(grid.points)}")
    out.print(plan_table(grid))
    for line in (*cost_lines(grid.points), *filter(None, [most_line(grid)]), *smallest_notes(grid)):
        out.say(line)
    for note in (*asked.doubts, *hub_notes(grid.points), *grid.notes, *late_notes(grid.points)):
        out.note(note)
    to_do = grid.having(Verdict.RUN, Verdict.MERGE)
    if not to_do and not grid.having(*_GOING):
        return _nothing_can_run(grid, arguments, out)
    if grid.plan_only:
        if asked.look is not None and any(each.looks for each in asked.look.series):
            for line in said(asked.look.to_mapping()):
                out.say(line.lstrip(), indent=len(line) - len(line.lstrip()))
        return _plan(grid, arguments, out)
    if grid.results.is_dir():
        with waiting("merging what was left behind", aside=False):
            closed = list(close_stranded(grid.results, reconcile(grid.results)))
        for line in closed:
            out.say(line)
    done = run_rounds(grid, asked.rounds, asked.look, ["python", "-m", "launcher", *arguments], out)
    if document is not None:
        ran = {**outcome_document(done.grid, done.outcome), **made_again, **_looked(done.look)}
        document.fill("run", ran)
    return _close(out, done, again)


def _looked(look: RoundsLook | None) -> dict[str, object]:
    """What a document tells of repeats that a rule decides."""
    return {} if look is None else {"repeats_auto": look.to_mapping()}


def _read_grid(original: str | None, words: Sequence[str]) -> _Asked | None:
    """What the words ask for; None when one of Hydra's own flags was all there was to do."""
    chooser = ClusterChooser()
    again: Again | None = None
    rounds: Rounds | None = None
    look: RoundsLook | None = None
    # What is wrong with a grid is one line on standard error, however long it took to find.
    with waiting("reading the grid", aside=False):
        if original is None:
            points = [with_own_model(one) for one in read_points(words, chooser.choose)]
        else:
            again = read_again(original, words, read_points, at, chooser)
            points = list(again.points)
        if not points:
            return None
        at(f"asking Slurm about {told_count(len(points), 'point')}")
        # What Slurm ended since is known before anything is tried again.
        known = reconcile(results_folder(points[0].config))
        if again is not None:
            grid, again = again.check(known, at, HubReach())
        elif (rule := rule_of(points)) is not None:
            rounds = Rounds(points, rule)
            grid, look = rounds.next(known, at, HubReach())
        else:
            grid = check(points, known, at, HubReach())
        grid = foresee(grid, at)
        if rounds is not None:
            rounds.require_budget(grid)
        return _Asked(
            grid=grid,
            again=again,
            doubts=(*chooser.said, *known.doubts),
            rounds=rounds,
            look=look,
        )


def _plan(grid: Grid, arguments: Sequence[str], out: Output) -> int:
    """End a plan of which something can run, with the command that runs it."""
    require_launch(grid)
    if not grid.having(Verdict.RUN, Verdict.MERGE):
        return _way_on(out, grid, going=bool(grid.having(Verdict.QUEUED, Verdict.RUNNING)))
    words = _without_plan(arguments)
    if change := uncommitted(grid):
        out.note(
            f"the source tree has uncommitted changes ({change}): commit them first, or the "
            "record says so",
        )
        words = [word for word in words if not word.startswith("allow_dirty=")]
        words.append("allow_dirty=true")
    out.next(typed("launcher", *words))
    return ExitCode.DONE


def _nothing_can_run(grid: Grid, arguments: Sequence[str], out: Output) -> int:
    complain(_WHO, "no point of this grid can run here; the table says why")
    lacking = dict.fromkeys(each.source.corpus for each in grid.having(Verdict.NOT_STAGED))
    instead = next((found for point in grid.points if (found := way_out(point))), None)
    if lacking:
        out.next(typed("launcher.stage", *lacking))
    elif instead:
        kept = [word for word in arguments if word.partition("=")[0] not in instead]
        words = [f"{key}={value}" for key, value in instead.items()]
        out.next(typed("launcher", *_without_plan(kept), *words))
    else:
        out.next(typed("launcher", *_ANYWHERE))
    return ExitCode.NOTHING_DONE


def _close(out: Output, done: RoundsOutcome, again: Again | None = None) -> int:
    grid, outcome = done.grid, done.outcome
    if summary := outcome.summary:
        out.say(summary)
    for said in outcome.refused:
        complain(_WHO, f"Slurm refuses: {said}")
    if outcome.refused and not outcome.queued and not outcome.sealed:
        return ExitCode.BAD_INPUT
    failed = bool(outcome.failed or outcome.refused)
    for run_id in outcome.failed:
        complain(_WHO, f"{run_id} is not sealed; its attempt says why in ended.json")
    tried = set(outcome.failed)
    if before := sum(p.spec.run_id not in tried for p in grid.having(Verdict.FAILED)):
        complain(_WHO, f"{told_count(before, 'point')} failed before; retry=failed tries again")
        failed = True
    for said in outcome.unclosed:
        complain(_WHO, said)
    failed |= bool(outcome.unclosed) or done.watch_failed
    if outcome.queued and not done.watched:
        later = "" if outcome.unclosed else "; they are merged and sealed as they end"
        out.say(f"{told_count(outcome.queued, 'point')} queued{later}")
        if grid.wait:
            failed |= bool(watch(grid.results, outcome.campaign, out))
    elsewhere = outcome.elsewhere or grid.having(Verdict.QUEUED, Verdict.RUNNING)
    # Points that failed, one and all, leave nothing to analyse: why they did stands in status.
    sealed = outcome.sealed or grid.having(Verdict.SEALED, Verdict.OTHERWISE)
    going = bool(elsewhere) or not (sealed or (outcome.queued and grid.wait))
    # A round that is queued is not the last one.
    going |= bool(done.look and outcome.queued and not done.watched)
    told = False
    if not going and (here := _here(grid, outcome)):
        told = report_campaign(grid.results, here, out)
    if again is None:
        _way_on(out, grid, going=going, told=told)
        return ExitCode.FAILED if failed else ExitCode.DONE
    compare = typed("analysis.compare", again.originals.path, grid.results)
    if going:
        out.exact(f"once they are sealed: {compare}")
    out.next(typed("launcher.status", grid.results) if going else compare)
    return ExitCode.FAILED if failed else ExitCode.DONE


def _here(grid: Grid, outcome: CampaignOutcome) -> list[RunSpec]:
    """The sealed points that ran on this machine."""
    done = grid.having(Verdict.RUN, Verdict.MERGE, Verdict.SEALED, Verdict.OTHERWISE)
    failed = set(outcome.failed)
    ours = (point.spec for point in done if point.cluster.slurm is None)
    return [spec for spec in ours if spec.run_id not in failed]


def _way_on(out: Output, grid: Grid, *, going: bool, told: bool = False) -> int:
    """End with what comes next: how points stand that go on or failed, or what is made of seals.

    `told` says that the report's path was.
    """
    if going:
        out.next(typed("launcher.status", grid.results))
        return ExitCode.DONE
    if not grid.results.is_dir():
        return ExitCode.DONE
    way = WayOn.of(grid.results)
    out.next(way.next)
    if way.next is None and way.reported and not told:
        out.exact(f"report: {way.page}")
    return ExitCode.DONE


def _without_plan(arguments: Sequence[str]) -> list[str]:
    return [word for word in arguments if not word.startswith("plan=")]


if __name__ == "__main__":
    sys.exit(main())
