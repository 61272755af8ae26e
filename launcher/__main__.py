"""`python -m launcher -m model=7b,13b,65b gpus=1,8,32`: check the grid, run it, seal it."""

import shlex
import sys
from collections.abc import Sequence

from telemetry.command import ExitCode, command, complain, needs_extra, own_version
from telemetry.next_line import typed
from telemetry.terminal import printable

with needs_extra("joulegrid", "launch"):
    from rich.console import Console

    from launcher.campaign.display import plan_summary, plan_table
    from launcher.campaign.finalize import close_stranded
    from launcher.campaign.headline import report_campaign
    from launcher.campaign.promise import require_launch, uncommitted
    from launcher.campaign.run import CampaignOutcome, run_campaign
    from launcher.config.command_line import read_points
    from launcher.config.errors import BadInputError
    from launcher.config.help import asked_of, help_text
    from launcher.forecast.forecaster import foresee
    from launcher.forecast.totals import cost_lines, late_notes
    from launcher.plan.check import check, results_folder
    from launcher.plan.grid import Grid, PlannedPoint, Verdict
    from launcher.plan.hub_reach import HubReach
    from launcher.plan.way_out import way_out
    from launcher.slurm.reconcile import reconcile
    from launcher.status import watch

_GOING = (*(Verdict.SEALED, Verdict.OTHERWISE, Verdict.QUEUED, Verdict.RUNNING, Verdict.FAILED),)
_WHO = "joulegrid"
# What runs on any machine that has the project: the way on where nothing of a grid can.
_ANYWHERE = "python -m launcher -m cluster=local model=nano,micro gpus=1,2 plan=true"


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
            return _run(arguments, Console(soft_wrap=False))
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


def _run(arguments: Sequence[str], console: Console) -> int:
    grid = _read_grid(arguments, console)
    if grid is None:
        return ExitCode.DONE
    console.print(plan_table(grid))
    console.print(plan_summary(grid.points), markup=False)
    for line in cost_lines(grid.points):
        console.print(printable(line), markup=False, highlight=False)
    for note in (*grid.notes, *late_notes(grid.points)):
        _note(console, note)
    to_do = grid.having(Verdict.RUN, Verdict.MERGE)
    if not to_do and not grid.having(*_GOING):
        return _nothing_can_run(grid, arguments, console)
    if grid.plan_only:
        return _plan(grid, arguments, console)
    if grid.results.is_dir():
        for line in close_stranded(grid.results, reconcile(grid.results)):
            console.print(printable(line), markup=False, soft_wrap=True)
    if to_do:
        outcome = run_campaign(grid, ["python", "-m", "launcher", *arguments], console)
    else:
        outcome = CampaignOutcome(sealed=0, failed=(), queued=0)
    return _close(console, grid, outcome)


def _read_grid(arguments: Sequence[str], console: Console) -> Grid | None:
    """The checked grid; None when one of Hydra's own flags was all there was to do."""
    with console.status("reading the grid") as status:
        points = read_points(arguments)
        if not points:
            return None
        # What Slurm ended since is known before anything is tried again.
        known = reconcile(results_folder(points[0].config))
        # A spinner is for terminals alone; a log wants lines.
        tell = status.update if console.is_terminal else console.print
        grid = foresee(check(points, known, tell, HubReach()), tell)
        for doubt in known.doubts:
            _note(console, doubt)
        return grid


def _plan(grid: Grid, arguments: Sequence[str], console: Console) -> int:
    """End a plan of which something can run, with the command that runs it."""
    require_launch(grid)
    words = ["python", "-m", "launcher", *_without_plan(arguments)]
    if change := uncommitted(grid):
        _note(
            console,
            f"the source tree has uncommitted changes ({change}): commit them first, or the "
            "record says so",
        )
        words = [word for word in words if not word.startswith("allow_dirty=")]
        words.append("allow_dirty=true")
    _next(console, shlex.join(words))
    return ExitCode.DONE


def _nothing_can_run(grid: Grid, arguments: Sequence[str], console: Console) -> int:
    complain(_WHO, "no point of this grid can run here; the table says why")
    lacking = dict.fromkeys(each.source.corpus for each in grid.having(Verdict.NOT_STAGED))
    instead = next((found for point in grid.points if (found := way_out(point))), None)
    if lacking:
        _next(console, f"python -m launcher.stage {' '.join(lacking)}")
    elif instead:
        kept = [word for word in arguments if word.partition("=")[0] not in instead]
        words = [f"{key}={value}" for key, value in instead.items()]
        _next(console, typed("launcher", *_without_plan(kept), *words))
    else:
        _next(console, _ANYWHERE)
    return ExitCode.NOTHING_DONE


def _close(console: Console, grid: Grid, outcome: CampaignOutcome) -> int:
    folder = shlex.quote(str(grid.results))
    for said in outcome.refused:
        complain(_WHO, f"Slurm refuses: {said}")
    if outcome.refused and not outcome.queued and not outcome.sealed:
        return ExitCode.BAD_INPUT
    failed = bool(outcome.failed or outcome.refused)
    for run_id in outcome.failed:
        complain(_WHO, f"{run_id} is not sealed; its attempt says why in ended.json")
    if before := len(grid.having(Verdict.FAILED)):
        complain(_WHO, f"{before} points failed before; retry=failed tries them again")
        failed = True
    for said in outcome.unclosed:
        complain(_WHO, said)
    failed |= bool(outcome.unclosed)
    if outcome.queued:
        later = "" if outcome.unclosed else "; they are merged and sealed as they end"
        console.print(f"{outcome.queued} points queued{later}")
        if grid.wait:
            failed |= bool(watch(grid.results, outcome.campaign, console))
    elsewhere = outcome.elsewhere or grid.having(Verdict.QUEUED, Verdict.RUNNING)
    # Points that failed, one and all, leave nothing to analyse: why they did stands in status.
    sealed = outcome.sealed or grid.having(Verdict.SEALED, Verdict.OTHERWISE)
    if elsewhere or not (sealed or (outcome.queued and grid.wait)):
        _next(console, f"python -m launcher.status {folder}")
    elif (here := _here(grid, outcome)) and report_campaign(grid, here, console):
        _next(console, typed("analysis.audit", grid.results))
    else:
        _next(console, f"python -m analysis {folder}")
    return ExitCode.FAILED if failed else ExitCode.DONE


def _here(grid: Grid, outcome: CampaignOutcome) -> list[PlannedPoint]:
    """The sealed points that ran on this machine."""
    done = grid.having(Verdict.RUN, Verdict.MERGE, Verdict.SEALED, Verdict.OTHERWISE)
    failed = set(outcome.failed)
    return [one for one in done if one.cluster.slurm is None and one.spec.run_id not in failed]


def _note(console: Console, text: str) -> None:
    console.print(f"note: {printable(text)}", markup=False, highlight=False, soft_wrap=True)


def _next(console: Console, line: str) -> None:
    console.print(f"next: {printable(line)}", markup=False, highlight=False, soft_wrap=True)


def _without_plan(arguments: Sequence[str]) -> list[str]:
    return [word for word in arguments if not word.startswith("plan=")]


if __name__ == "__main__":
    sys.exit(main())
