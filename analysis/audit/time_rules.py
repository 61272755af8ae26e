"""Time rules: what is asked of times, and what each answer is worth."""

from typing import Final

from analysis.audit.check import Check, Severity
from analysis.audit.time_checks import (
    END_SLACK_S,
    LENGTH_SLACK_S,
    MEETING_US,
    MOST_DRIFT,
    MOST_ERROR_US,
    PACE_TOLERANCE,
    REST_SLACK_S,
    TICKS_SLACK,
    TICKS_TOLERANCE,
    WATCH_SLACK_S,
    WINDOW_SLACK_S,
    clocks_agree,
    lengths_agree,
    phases_lawful,
    watchers_agree,
)
from telemetry.clock import US_PER_MS

TIME_CHECKS: Final = (
    Check(
        name="phases",
        claim="phases are as asked for, in their order",
        severity=Severity.WRONG,
        rule=(
            "every rank went through the known phases in their order, batches "
            "numbered from 0, with the rest and warm-up asked for"
        ),
        tolerance=f"{REST_SLACK_S:g} s of rest",
        reason="ranks decide by a clock that is read some lines away from the span",
        rules_out="idle time or warm-up that is told as work, or work as either",
        look=phases_lawful,
    ),
    Check(
        name="durations",
        claim="independent files tell the same lengths",
        severity=Severity.WRONG,
        rule=(
            "window, batches, warm-up, steps, progress and end are as long in spans"
            " as model.json, progress.json, steps and ended.json say"
        ),
        tolerance=(
            f"{WINDOW_SLACK_S:g} s of rank 0's window, {LENGTH_SLACK_S:g} s of all ranks' and of "
            f"the warm-up, {PACE_TOLERANCE:.0%} of the pace of a steady warm-up, "
            f"{END_SLACK_S:g} s to the end"
        ),
        reason=(
            "in 34 recorded runs other words of a length differ by 8 ms, paces by "
            "2.7 %, and the end comes within 1.5 s"
        ),
        rules_out="times that were shortened or stretched in one file and not in all",
        look=lengths_agree,
    ),
    Check(
        name="watchers",
        claim="watchers wrote what they counted",
        severity=Severity.WEAK,
        rule=(
            "each watcher wrote the rows that it counted, polled at its period, and"
            " watched as long as the ranks worked"
        ),
        tolerance=(
            f"{WATCH_SLACK_S:g} s at either end; {TICKS_SLACK} polls and {TICKS_TOLERANCE:.0%}"
        ),
        reason=(
            "the first and last poll and 1 % of the others lack in 21 recorded "
            "runs; a busy node misses more"
        ),
        rules_out="parts that were taken out of the record, or added to it",
        look=watchers_agree,
    ),
    Check(
        name="host-clocks",
        claim="nodes agree on the time",
        severity=Severity.WRONG,
        rule=(
            "each node's clock was measured against rank 0's, at least as well as "
            "its round trip bounds, and moved no more between start and end than "
            "clocks can; in half of their batches ranks that wait for each other "
            "agree on when, at the nearer edge"
        ),
        tolerance=(
            f"{MOST_ERROR_US // US_PER_MS} ms of a clock; {MEETING_US // US_PER_MS} ms and "
            f"twice the clocks' error where ranks meet; {MOST_DRIFT * 1e6:.0f} ppm"
        ),
        reason=("a clock known no better than a poll's time puts a node's power into other phases"),
        rules_out="a node's power told at another time than its ranks' work",
        look=clocks_agree,
    ),
)
"""Checks of the times, in the audit's order."""
