"""Table: one row a statement of an abstract, and board and engine that it was held against."""

from collections.abc import Iterator, Sequence
from typing import Final

from analysis.abstracts.answers import (
    StatementAnswer,
    StatementEvidence,
    counted,
    statement_answers,
)
from analysis.abstracts.kept_quality import Qualities
from analysis.abstracts.version import concerned
from analysis.claims.decide import ClaimVerdict
from analysis.claims.table import rows_of_runs
from analysis.findings.input_features import INPUT_FEATURES
from analysis.tables.column import UNIT_OF_ROW, ColumnsOf, Row
from analysis.tables.table import Results, TableKind

SECTION: Final = "abstracts"
"""Id of the page's section."""
_OF: Final = ColumnsOf[StatementAnswer]()

_COLUMNS: Final = (
    _OF.text(
        "claim", "claim", "Name of the claim: its version first.", lambda one: one.statement.id
    ),
    _OF.text(
        "paper",
        "paper",
        "Which paper in which version: later ones have other models and tasks.",
        lambda one: one.statement.version.paper,
    ),
    _OF.text(
        "same_abstract",
        "as well",
        "Versions whose abstract says the same.",
        lambda one: ", ".join(one.statement.version.same_abstract) or None,
    ),
    _OF.text(
        "source",
        "read in",
        "Where the abstract was read; no more of the version is known.",
        lambda one: one.statement.version.source,
        shown=False,
    ),
    _OF.text(
        "statement", "what it says", "The claim, in our words.", lambda one: one.statement.says
    ),
    _OF.text("gpu", "GPU", "Kind of GPU that the verdict is of.", lambda one: one.board or None),
    _OF.text("engine", "engine", "How tokens were generated.", lambda one: one.engine or None),
    _OF.text(
        "verdict",
        "verdict",
        "`reproduced`, `not reproduced` or `cannot tell`: on this board, by this engine, by runs "
        "of the version's models and tasks alone.",
        lambda one: str(one.decision.verdict),
    ),
    _OF.text(
        "evidence",
        "evidence",
        "The verdict's numbers in one sentence, or why there is none.",
        lambda one: one.decision.sentence,
    ),
    _OF.text(
        "decided_by",
        "decided by",
        "The test with its statistic and threshold, and how many models, tasks, lengths and "
        "clocks a verdict needs.",
        lambda one: one.statement.decided_by,
        shown=False,
    ),
    _OF.text(
        "tolerance_reason",
        "why so much",
        "Why the bounds are what they are.",
        lambda one: one.statement.reason,
        shown=False,
    ),
    _OF.number(
        "deciding_value",
        "found",
        UNIT_OF_ROW,
        "The number that decided: a ratio of two levels, or rho.",
        lambda one: one.decision.value,
        interval=("deciding_low", "deciding_high"),
        reason="evidence",
        shown_with="deciding_value",
    ),
    _OF.number(
        "deciding_low",
        "from",
        UNIT_OF_ROW,
        "Lower end of its 95 % interval over the repeats, with sensors and gain.",
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
        "Which of the comparisons it is.",
        lambda one: one.decision.deciding or None,
        shown=False,
    ),
    _OF.number(
        "p",
        "p",
        "1",
        "Probability of that number or one further from the bound, by Holm.",
        lambda one: one.decision.p,
        shown=False,
    ),
    _OF.count(
        "numbers",
        "numbers",
        "Comparisons that there were.",
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
    _OF.count("n", "runs", "Sealed runs behind the verdict.", lambda one: one.decision.runs),
    _OF.text(
        "labels",
        "to know",
        "What has to stand beside the runs' numbers.",
        lambda one: ", ".join(one.decision.labels) or None,
    ),
    _OF.text(
        "runs",
        "runs' names",
        "The board's and engine's runs of the version's work that were looked at.",
        lambda one: " ".join(one.runs) or None,
        shown=False,
    ),
)


def evidence_of(results: Results) -> StatementEvidence:
    """What the statements are held against, from the tables before; nothing for other work."""
    if not concerned((run.spec.model, run.spec.dataset) for run in results.runs):
        return StatementEvidence(samples=(), qualities=Qualities(), features=())
    features = results.rows(INPUT_FEATURES)
    return StatementEvidence.of(rows_of_runs(results), results.runs, features=features)


def _answered(results: Results) -> Iterator[StatementAnswer]:
    yield from statement_answers(evidence_of(results))


ABSTRACT_CLAIMS: Final = TableKind(
    name="abstract_claims",
    title="Claims of arXiv 2501.08219",
    columns=_COLUMNS,
    of_results=_answered,
    section=SECTION,
    heading="What its abstracts say",
    text="Each claim by the runs of its version's models and tasks, board by board and engine by "
    "engine. Of every version the abstract alone is known: a claim is a direction, its bounds are "
    "ours and stand in decided_by. Simulated runs prove nothing, random weights no quality.",
    label="Claims of arXiv 2501.08219 by version, and what speaks for them",
)
"""One row a statement, board and engine; none where no run is of the paper's models or tasks."""


def abstract_lines(rows: Sequence[Row]) -> list[str]:
    """How many claims of each version came out how, from the rows of their table."""
    lines = []
    for paper, counts in counted(rows).items():
        told = ", ".join(
            f"{counts.get(verdict, 0)} {short}"
            for verdict, short in (
                (ClaimVerdict.REPRODUCED, "reproduced"),
                (ClaimVerdict.NOT_REPRODUCED, "not"),
                (ClaimVerdict.CANNOT_TELL, "cannot tell"),
            )
        )
        labels = dict.fromkeys(
            label
            for row in rows
            if row["paper"] == paper and row["labels"]
            for label in str(row["labels"]).split(", ")
        )
        beside = f" ({', '.join(labels)})" if labels else ""
        lines.append(f"claims of {paper}, its abstract alone: {told}{beside}")
    return lines
