"""Table: one row a claim of the paper and set of numbers that it was held against."""

from collections.abc import Iterator
from typing import Final

from analysis.claims.answers import ClaimAnswer, answers_of
from analysis.tables.column import UNIT_OF_ROW, Cell, ColumnsOf, Row
from analysis.tables.conditions import CONDITIONS
from analysis.tables.runs import RUNS
from analysis.tables.table import Results, TableKind

_OF: Final = ColumnsOf[ClaimAnswer]()

_COLUMNS: Final = (
    _OF.text("claim", "claim", "Name of the claim.", lambda one: one.claim.id),
    _OF.text("where", "in the paper", "Where the paper says it.", lambda one: one.claim.where),
    _OF.text("statement", "what it says", "The claim, in our words.", lambda one: one.claim.text),
    _OF.text(
        "about",
        "about",
        "`measurement`: models and boards; `itself`: what must hold between the paper's own "
        "numbers, so that `contradicts itself` finds a contradiction of the paper.",
        lambda one: str(one.claim.about),
        shown=False,
    ),
    _OF.text(
        "by_what",
        "held against",
        "`its own numbers`: the paper's tables and figures; `the paper's conditions`: runs on its "
        "boards with its code, prompts, sampling, weights and cap; `in general`: runs on one board "
        "by one engine, whose verdict is their own and never the paper's boards'.",
        lambda one: str(one.scope),
    ),
    _OF.text("gpu", "GPU", "Kind of GPU that the verdict is of.", lambda one: one.board),
    _OF.text("engine", "engine", "How the tokens were generated.", lambda one: one.engine or None),
    _OF.text(
        "verdict",
        "verdict",
        "`reproduced`, `not reproduced` or `cannot tell`; of the paper's own numbers `agrees with "
        "itself` or `contradicts itself`.",
        lambda one: str(one.decision.verdict),
    ),
    _OF.text(
        "evidence",
        "evidence",
        "The verdict's numbers in one sentence, or why there is none.",
        lambda one: one.decision.sentence,
    ),
    _OF.text(
        "test",
        "test",
        "What was tested by; `none` without a test.",
        lambda one: one.decision.test,
        shown=False,
    ),
    _OF.number(
        "deciding_value",
        "found",
        UNIT_OF_ROW,
        "The number that decided: a ratio, or the quantity itself in SI units.",
        lambda one: one.decision.value,
        interval=("deciding_low", "deciding_high"),
        shown=False,
    ),
    _OF.number(
        "deciding_low",
        "from",
        UNIT_OF_ROW,
        "Lower end of its 95 % interval over the repeats, with sensors and gain; of one run by "
        "those alone; of the paper's own the least that reading and rounding allow.",
        lambda one: one.decision.low,
        shown=False,
    ),
    _OF.number(
        "deciding_high",
        "to",
        UNIT_OF_ROW,
        "Upper end of the same.",
        lambda one: one.decision.high,
        shown=False,
    ),
    _OF.text(
        "deciding_part",
        "of",
        "Which of the claim's numbers it is.",
        lambda one: one.decision.deciding or None,
        shown=False,
    ),
    _OF.number(
        "claimed_low",
        "claimed, from",
        UNIT_OF_ROW,
        "Where it lies by the claim, from; empty: no such bound.",
        lambda one: one.decision.claimed_low,
        shown=False,
    ),
    _OF.number(
        "claimed_high",
        "claimed, to",
        UNIT_OF_ROW,
        "Where it lies by the claim, to; empty: no such bound.",
        lambda one: one.decision.claimed_high,
        shown=False,
    ),
    _OF.number(
        "p",
        "p",
        "1",
        "Of the verdict: the largest of all one-sided tests where it is reproduced, the smallest "
        "by Holm where it is not; empty where an inequality decides, and without a test.",
        lambda one: one.decision.p,
        shown=False,
    ),
    _OF.share(
        "tolerance",
        "tolerance",
        "By how much a number may miss what is claimed, or which change counts as none.",
        lambda one: one.claim.tolerance,
        shown=False,
    ),
    _OF.text(
        "tolerance_reason",
        "why so much",
        "Why the tolerance, or the bounds, are what they are.",
        lambda one: one.claim.reason or None,
        shown=False,
    ),
    _OF.count(
        "numbers",
        "numbers",
        "Numbers that the claim was held against.",
        lambda one: one.decision.parts,
        shown=False,
    ),
    _OF.count(
        "tested",
        "tested",
        "Those of them that could be tested.",
        lambda one: one.decision.tested,
        shown=False,
    ),
    _OF.count("n", "runs", "Sealed runs in them.", lambda one: one.decision.runs),
    _OF.text(
        "labels",
        "to know",
        "What has to stand beside the runs' numbers.",
        lambda one: ", ".join(one.decision.labels) or None,
    ),
)


def rows_of_runs(results: Results) -> list[Row]:
    """The rows that claims are judged by: each run's, with its conditions."""
    pairs = zip(results.rows(RUNS), results.rows(CONDITIONS), strict=True)
    return [{**beside, **row} for row, beside in pairs]


def _answered(results: Results) -> Iterator[ClaimAnswer]:
    yield from answers_of(rows_of_runs(results), results.runs)


def answer_cells(answer: ClaimAnswer) -> dict[str, Cell]:
    """One answer by column."""
    (row,) = CLAIMS.rows([answer])
    return row


CLAIMS: Final = TableKind(
    name="claims",
    title="Claims of the paper",
    columns=_COLUMNS,
    of_results=_answered,
    section="paper",
    heading="Claims of the paper",
    text="Each claim by the paper's own numbers, by runs in its conditions, and by runs on other "
    "boards, whose verdict is their own.",
    label="The paper's claims and what speaks for them",
)
"""One row a claim and set of numbers."""
